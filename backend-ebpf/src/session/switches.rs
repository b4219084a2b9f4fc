//! The program that keeps account of threads for `vtimestamp`: see `codegen::vtime`.

use super::load::Maps;
use super::watcher::Watcher;
use crate::codegen::layout;
use crate::codegen::vtime::switch_program;
use duotrace_core::backend::BackendError;

/// Starts it; `None` for scripts that do not ask for it. `pid` is the offset of `task_struct.pid`.
pub fn start(maps: &Maps, pid: Option<u32>) -> Result<Option<Watcher>, BackendError> {
    match (maps.get(&layout::ON_CPU.0), maps.get(&layout::ACCOUNTS.0), pid) {
        (Some(_), Some(_), Some(pid)) => Watcher::start("sched_switch", switch_program(pid), maps).map(Some),
        _ => Ok(None),
    }
}
