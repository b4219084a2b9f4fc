//! Names of kernel addresses, from /proc/kallsyms: parsed once, when first asked.

use std::ops::Range;

/// A kernel address with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// The kernel module; `vmlinux` for the core kernel.
    pub module: &'a str,
    pub function: &'a str,
    /// Bytes from the function's start.
    pub offset: u64,
    /// Address of the module's first function.
    pub module_base: u64,
}

/// The kernel's text symbols by address. Names stay in one buffer.
#[derive(Debug, Default)]
pub struct Kallsyms {
    text: String,
    symbols: Vec<(u64, Range<u32>, Range<u32>)>,
}

impl Kallsyms {
    /// Reads the running kernel's; empty when it may not be read (`kptr_restrict` shows zeros).
    pub fn read() -> Kallsyms {
        Kallsyms::parse(std::fs::read_to_string("/proc/kallsyms").unwrap_or_default())
    }

    /// Parses `address type name [module]` lines; keeps text symbols at addresses other than zero.
    pub fn parse(text: String) -> Kallsyms {
        let mut symbols = Vec::new();
        let base = text.as_ptr() as usize;
        let range = |s: &str| {
            let at = u32::try_from(s.as_ptr() as usize - base).ok()?;
            Some(at..at.checked_add(u32::try_from(s.len()).ok()?)?)
        };
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(addr), Some(kind), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            if !matches!(kind, "t" | "T" | "w" | "W") {
                continue;
            }
            let module = fields.next().and_then(|m| m.strip_prefix('[')?.strip_suffix(']')).unwrap_or("");
            let Some(addr) = u64::from_str_radix(addr, 16).ok().filter(|a| *a != 0) else { continue };
            if let (Some(name), Some(module)) =
                (range(name), if module.is_empty() { Some(0..0) } else { range(module) })
            {
                symbols.push((addr, name, module));
            }
        }
        symbols.sort_by_key(|s| s.0);
        Kallsyms { text, symbols }
    }

    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The function holding an address.
    pub fn find(&self, addr: u64) -> Option<KernelSymbol<'_>> {
        let after = self.symbols.partition_point(|s| s.0 <= addr);
        let start = self.symbols.get(after.checked_sub(1)?)?.0;
        // Of the names of one address the first in the file counts.
        let first = self.symbols.partition_point(|s| s.0 < start);
        let (start, name, module) = self.symbols.get(first)?;
        let slice = |r: &Range<u32>| self.text.get(r.start as usize..r.end as usize);
        // Nothing is that long: the address is past the last symbol of its area.
        let offset = addr - start;
        if offset > 1 << 20 {
            return None;
        }
        let named = slice(module).unwrap_or("");
        let same = |s: &&(u64, Range<u32>, Range<u32>)| slice(&s.2).unwrap_or("") == named;
        let module_base = self.symbols.iter().find(same).map_or(*start, |s| s.0);
        let module = if named.is_empty() { "vmlinux" } else { named };
        Some(KernelSymbol { module, function: slice(name)?, offset, module_base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let k = Kallsyms::parse(
            "ffffffff81000000 T _text\nffffffff81000100 t foo\nffffffff81000100 t foo_alias\n\
             ffffffffc0000000 t bar\t[ext4]\nffffffff81000200 D data\nbad\n0 T zero\n"
                .to_owned(),
        );
        let at = |a| k.find(a).map(|s| (s.module, s.function, s.offset));
        assert_eq!(at(0xffffffff81000104), Some(("vmlinux", "foo", 4)));
        assert_eq!(at(0xffffffffc0000008), Some(("ext4", "bar", 8)));
        assert_eq!(at(0x1000), None);
        assert_eq!(at(u64::MAX), None);
    }
}
