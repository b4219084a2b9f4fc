//! Addresses of the kernel's symbols by name, from /proc/kallsyms.
//!
//! The kernel writes that file anew whenever it is read, 5 MB and more: it is read up to the wanted line
//! and nothing of it is kept. (`process::kallsyms` does the converse and keeps all names of text.)

use std::io::BufRead;

/// The symbol of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line<'a> {
    address: u64,
    name: &'a str,
    /// `None` for the core kernel.
    module: Option<&'a str>,
}

/// `ffffffff81000000 T _stext`, `ffffffffc0000000 t ext4_init  [ext4]`.
fn line(text: &[u8]) -> Option<Line<'_>> {
    let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let name = words.nth(1)?;
    Some(Line { address, name, module: words.next().map(|module| module.trim_matches(['[', ']'])) })
}

/// The address of a symbol. `module` is `None` for any, `Some(None)` for the core kernel. Unknown names and addresses
/// that the kernel hides (`kptr_restrict` shows zeros) give `None`.
pub(super) fn address(module: Option<Option<&str>>, name: &str) -> Option<u64> {
    let file = std::fs::File::open("/proc/kallsyms").ok()?;
    find(std::io::BufReader::with_capacity(1 << 16, file), module, name)
}

fn find(mut lines: impl BufRead, module: Option<Option<&str>>, name: &str) -> Option<u64> {
    let mut text = Vec::new();
    loop {
        text.clear();
        if lines.read_until(b'\n', &mut text).ok()? == 0 {
            return None;
        }
        // Nearly all lines are others: the name begins after 16 digits, a letter and two blanks.
        if !text.get(19..).is_some_and(|rest| rest.starts_with(name.as_bytes())) {
            continue;
        }
        if let Some(line) = line(&text)
            && line.name == name
            && module.is_none_or(|module| line.module == module)
        {
            return Some(line.address).filter(|address| *address != 0);
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    const TEXT: &[u8] = b"ffffffff81000000 T _stext\nffffffff81000100 t foo\nffffffff82000000 D foo_data\n\
        bad\n\xff\xff\nffffffffc0000000 t foo\t[ext4]\n0000000000000000 T hidden\n";

    #[test]
    fn by_name_and_module() {
        let find = |module, name| find(TEXT, module, name);
        assert_eq!(find(None, "_stext"), Some(0xffff_ffff_8100_0000));
        assert_eq!(find(None, "foo"), Some(0xffff_ffff_8100_0100));
        assert_eq!(find(Some(Some("ext4")), "foo"), Some(0xffff_ffff_c000_0000));
        assert_eq!(find(Some(None), "foo_data"), Some(0xffff_ffff_8200_0000));
        assert_eq!(find(Some(Some("ext4")), "_stext"), None);
        assert_eq!(find(None, "hidden"), None);
        assert_eq!(find(None, "fo"), None);
        assert_eq!(find(None, ""), None);
    }
}
