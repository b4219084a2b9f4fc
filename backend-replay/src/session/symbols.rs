//! Names for addresses, as the recording has them.

use crate::file::Overview;
use duotrace_core::record::{Symbol, Symbols};
use std::rc::Rc;

/// The recording's symbols.
#[derive(Debug)]
pub(super) struct Recorded(pub Rc<Overview>);

impl Symbols for Recorded {
    fn kernel(&self, addr: u64) -> Option<Symbol> {
        self.0.symbols.get(&(None, addr)).cloned()
    }

    fn user(&self, pid: u32, addr: u64) -> Option<Symbol> {
        self.0.symbols.get(&(Some(pid), addr)).cloned()
    }
}
