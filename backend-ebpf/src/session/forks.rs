//! The programs that keep frame tables right at fork and exec: see `codegen::forks`.

use super::load::Maps;
use super::watcher::Watcher;
use crate::btf::Btf;
use crate::codegen::forks::{exec_program, fork_program};
use crate::codegen::layout;
use crate::process::namespace;

/// Starts them where the script walks user stacks by tables. Without BTF there are none, and forked processes are asked for
/// like all others.
pub fn start(maps: &Maps) -> Vec<Watcher> {
    if !maps.contains_key(&layout::OBJECTS.0) {
        return Vec::new();
    }
    let Some(tgid) = Btf::vmlinux().and_then(|btf| btf.field("task_struct", "tgid")) else {
        return Vec::new();
    };
    // Never entries from forks that no exec takes away.
    let whose = namespace::own();
    let Ok(exec) = Watcher::start("sched_process_exec", exec_program(whose), maps) else { return Vec::new() };
    let fork = || Watcher::start("sched_process_fork", fork_program(tgid.offset), maps).ok();
    // In a pid namespace of its own a child's number would have to be looked for: it is asked for.
    whose.is_none().then(fork).flatten().into_iter().chain([exec]).collect()
}
