//! Names of addresses for the output, over `process::symbolize`.

use crate::kernel::perf_mmap::{Watch, What};
use crate::process::symbolize::Symbolizer;
use duotrace_core::record::{Symbol, Symbols};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

/// The symbolizer behind a shared reference, as [`Symbols`] wants it.
#[derive(Debug, Default)]
pub struct SessionSymbols {
    symbolizer: RefCell<Symbolizer>,
    watch: Option<Watch>,
}

/// Pages of each CPU's ring of happenings.
const PAGES: usize = 64;

impl SessionSymbols {
    /// Takes down what a process has mapped, unless that is known.
    pub fn remember(&self, pid: u32) {
        let mut symbolizer = self.symbolizer.borrow_mut();
        if !symbolizer.knows(pid.cast_signed()) {
            symbolizer.remember(pid.cast_signed());
        }
    }
}

impl SessionSymbols {
    /// Watches the processes that begin from now on: their addresses shall have names when they are gone.
    pub fn watch(&mut self) {
        // Without the watch short-lived processes have no names: that is what the addresses then show.
        self.watch = Watch::start(PAGES).ok();
    }

    /// Takes down what processes mapped, and gives those processes.
    pub fn note(&mut self) -> BTreeSet<i32> {
        let mut mapped = BTreeSet::new();
        if let Some(watch) = &mut self.watch {
            let symbolizer = self.symbolizer.get_mut();
            watch.drain(|happening| {
                if matches!(happening.what, What::Map { .. }) {
                    mapped.insert(happening.pid.cast_signed());
                }
                symbolizer.note(happening);
            });
        }
        mapped
    }

    /// Readable when something was mapped.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.watch.iter().flat_map(Watch::fds)
    }
}

impl Symbols for SessionSymbols {
    fn kernel(&self, addr: u64) -> Option<Symbol> {
        let mut symbolizer = self.symbolizer.borrow_mut();
        let found = symbolizer.kernel(addr)?;
        Some(Symbol {
            module: found.module.to_owned(),
            name: Some(found.function.to_owned()),
            offset: found.offset,
            module_base: found.module_base,
        })
    }

    fn user(&self, pid: u32, addr: u64) -> Option<Symbol> {
        let mut symbolizer = self.symbolizer.borrow_mut();
        let found = symbolizer.user(pid.cast_signed(), addr)?;
        let object = symbolizer.object(pid.cast_signed(), addr);
        let starts = object.map(|object| object.mappings.iter().map(|mapping| mapping.start).min());
        let base = starts.flatten().unwrap_or(addr);
        let offset = if found.function.is_some() { found.offset } else { addr.wrapping_sub(base) };
        Some(Symbol { module: found.module, name: found.function, offset, module_base: base })
    }
}
