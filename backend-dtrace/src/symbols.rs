//! Names of addresses, as the library gave them: ``object`function+0x1f``.

use duotrace_core::record::{Symbol, Symbols};
use std::collections::HashMap;

/// What the worker has told so far.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<(Option<u32>, u64), Symbol>,
    /// A number for each module, the same for all its addresses.
    modules: HashMap<(Option<u32>, String), u64>,
}

impl Names {
    /// Learns a name.
    pub fn learn(&mut self, pid: Option<u32>, addr: u64, text: &str) {
        let Some((module, name)) = text.split_once('`') else { return };
        let (name, offset) = match name.rsplit_once("+0x") {
            Some((name, hex)) => (name, u64::from_str_radix(hex, 16).unwrap_or(0)),
            None => (name, 0),
        };
        // A module without a symbol there: the address itself stands in the name's place.
        let is_number = name.starts_with("0x");
        let base = *self.modules.entry((pid, module.to_string())).or_insert(addr);
        let symbol = Symbol {
            module: module.to_string(),
            name: (!is_number).then(|| name.to_string()),
            offset,
            module_base: base,
        };
        self.known.insert((pid, addr), symbol);
    }
}

impl Symbols for Names {
    fn kernel(&self, addr: u64) -> Option<Symbol> {
        self.known.get(&(None, addr)).cloned()
    }

    fn user(&self, pid: u32, addr: u64) -> Option<Symbol> {
        self.known.get(&(Some(pid), addr)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_librarys_texts_are_taken_apart() {
        let mut names = Names::default();
        names.learn(None, 0x1010, "vmlinux`schedule+0x10");
        names.learn(Some(5), 0x20, "libc.so.6`0x20");
        names.learn(Some(5), 0x30, "0x30");
        let kernel = names.kernel(0x1010).unwrap();
        assert_eq!(
            (kernel.module.as_str(), kernel.name.as_deref(), kernel.offset),
            ("vmlinux", Some("schedule"), 16)
        );
        assert_eq!(names.user(5, 0x20).unwrap().name, None);
        assert_eq!(names.user(5, 0x30), None);
        assert_eq!(names.user(6, 0x20), None);
    }
}
