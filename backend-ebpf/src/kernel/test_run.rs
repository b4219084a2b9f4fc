//! Running a program once from user space: `BEGIN`, `END` and everything else that no event fires.

use super::{Error, Prog, bpf};
use std::os::fd::AsFd;

/// Runs a `RawTracepoint` program with up to twelve arguments as its context, on `cpu` if one is given
/// (the calling thread is interrupted there by an IPI: the current task is then whoever runs on that CPU), else right here.
/// Returns what it returned.
pub fn run(prog: &Prog, arguments: &[u64], cpu: Option<u32>) -> Result<u32, Error> {
    if arguments.len() > 12 {
        return Err(Error::other("bpf(BPF_PROG_TEST_RUN)", "at most twelve arguments"));
    }
    bpf::test_run(prog.as_fd(), arguments, cpu)
}
