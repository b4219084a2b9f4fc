//! Go: which functions are the Go compiler's.
//!
//! A goroutine may change its thread between a function's entry and its return, so what a script keeps in `self->`
//! at one is not there at the other, and stacks move, which the kernel's own return probes do not survive. Their
//! `return` is refused rather than wrong now and then.

use super::elf::{Elf, Function};

/// Where a file's Go code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoText {
    start: u64,
    end: u64,
}

impl GoText {
    /// `None` for files without any. With C code beside it (cgo), the linker's symbols tell which is Go's.
    pub fn of(elf: &Elf) -> Option<GoText> {
        let marks = [".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo", ".note.go.buildid"];
        if !marks.iter().any(|name| elf.section(name).is_some()) {
            return None;
        }
        match (elf.symbol_vaddr("runtime.text"), elf.symbol_vaddr("runtime.etext")) {
            (Some(start), Some(end)) if start < end => Some(GoText { start, end }),
            _ => Some(GoText { start: 0, end: u64::MAX }),
        }
    }

    /// Is a function Go's?
    pub fn has(self, function: &Function) -> bool {
        (self.start..self.end).contains(&function.vaddr)
    }
}
