//! Names of addresses for the output, over `process::symbolize`.

use crate::process::symbolize::Symbolizer;
use duotrace_core::record::{Symbol, Symbols};
use std::cell::RefCell;

/// The symbolizer behind a shared reference, as [`Symbols`] wants it.
#[derive(Debug, Default)]
pub struct SessionSymbols(RefCell<Symbolizer>);

impl SessionSymbols {
    /// Takes down what a process has mapped, unless that is known.
    pub fn remember(&self, pid: u32) {
        let mut symbolizer = self.0.borrow_mut();
        if !symbolizer.knows(pid.cast_signed()) {
            symbolizer.remember(pid.cast_signed());
        }
    }
}

impl Symbols for SessionSymbols {
    fn kernel(&self, addr: u64) -> Option<Symbol> {
        let mut symbolizer = self.0.borrow_mut();
        let found = symbolizer.kernel(addr)?;
        Some(Symbol {
            module: found.module.to_owned(),
            name: Some(found.function.to_owned()),
            offset: found.offset,
            module_base: found.module_base,
        })
    }

    fn user(&self, pid: u32, addr: u64) -> Option<Symbol> {
        let mut symbolizer = self.0.borrow_mut();
        let found = symbolizer.user(pid.cast_signed(), addr)?;
        let object = symbolizer.object(pid.cast_signed(), addr)?;
        let base = object.mappings.iter().map(|mapping| mapping.start).min().unwrap_or(addr);
        let offset = if found.function.is_some() { found.offset } else { addr.wrapping_sub(base) };
        Some(Symbol { module: found.module, name: found.function, offset, module_base: base })
    }
}
