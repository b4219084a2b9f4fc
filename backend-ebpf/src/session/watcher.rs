//! A program of ours, not of the script's, on a tracepoint of the kernel's: it keeps the books that the script's read.

use super::load::{self, Maps};
use super::system;
use crate::codegen::asm::Assembler;
use crate::kernel::link::{self, Link};
use crate::kernel::{Kind, LoadError, Map, Prog, ProgSpec};
use duotrace_core::backend::BackendError;

/// It runs as long as this is there.
#[derive(Debug)]
pub struct Watcher {
    // The link goes first.
    _link: Link,
    _prog: Prog,
}

impl Watcher {
    /// Loads a program and attaches it (through BTF).
    pub fn start(tracepoint: &str, code: Assembler, maps: &Maps) -> Result<Watcher, BackendError> {
        let broken = |what: String| BackendError::new(format!("internal error: {tracepoint}: {what}"));
        let code = code.finish().map_err(|error| broken(error.to_string()))?;
        let insns = code
            .with_maps(|id| maps.get(&id.0).map(Map::raw_fd))
            .map_err(|id| broken(format!("no map {}", id.0)))?;
        let spec = ProgSpec {
            kind: Kind::TracepointBtf(load::tracepoint_id(tracepoint)?),
            name: tracepoint,
            insns: &insns,
            functions: &code.functions,
            sleepable: false,
        };
        let prog = Prog::load(&spec).map_err(|error| match error {
            LoadError::Kernel(error) => system(error),
            LoadError::Refused(refusal) => broken(refusal.reason),
        })?;
        let link = link::attach_btf(&prog, 0).map_err(system)?;
        Ok(Watcher { _link: link, _prog: prog })
    }
}
