//! The program that keeps account of threads for `vtimestamp`: see `codegen::vtime`.

use super::load::{self, Maps};
use super::system;
use crate::codegen::layout;
use crate::codegen::vtime::switch_program;
use crate::kernel::link::{self, Link};
use crate::kernel::{Kind, LoadError, Map, Prog, ProgSpec};
use duotrace_core::backend::BackendError;

/// It runs as long as this is there.
#[derive(Debug)]
pub struct Switches {
    // The link goes first.
    _link: Link,
    _prog: Prog,
}

impl Switches {
    /// `None` for scripts that do not ask for it; `pid` is the offset of `task_struct.pid`.
    pub fn start(maps: &Maps, pid: Option<u32>) -> Result<Option<Switches>, BackendError> {
        let (Some(_), Some(_), Some(pid)) = (maps.get(&layout::ON_CPU.0), maps.get(&layout::ACCOUNTS.0), pid)
        else {
            return Ok(None);
        };
        let broken = |what: String| BackendError::new(format!("internal error: sched_switch: {what}"));
        let code = switch_program(pid).finish().map_err(|error| broken(error.to_string()))?;
        let insns = code
            .with_maps(|id| maps.get(&id.0).map(Map::raw_fd))
            .map_err(|id| broken(format!("no map {}", id.0)))?;
        let spec = ProgSpec {
            kind: Kind::TracepointBtf(load::tracepoint_id("sched_switch")?),
            name: "on_cpu",
            insns: &insns,
            functions: &code.functions,
            sleepable: false,
        };
        let prog = Prog::load(&spec).map_err(|error| match error {
            LoadError::Kernel(error) => system(error),
            LoadError::Refused(refusal) => broken(refusal.reason),
        })?;
        let link = link::attach_btf(&prog, 0).map_err(system)?;
        Ok(Some(Switches { _link: link, _prog: prog }))
    }
}
