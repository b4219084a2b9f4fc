//! How long programs run: the kernel's own measurement, about 37 ns of which is its two clock reads.

use super::{Error, Prog, bpf};
use std::os::fd::{AsFd, OwnedFd};

/// Statistics are gathered, for every program of the system, while a value of this type lives.
#[derive(Debug)]
pub struct Enabled {
    _fd: OwnedFd,
}

/// Switches statistics on.
pub fn enable() -> Result<Enabled, Error> {
    Ok(Enabled { _fd: bpf::enable_stats()? })
}

/// What a program cost while statistics were on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Nanoseconds in all.
    pub nanoseconds: u64,
    /// Times it ran.
    pub count: u64,
    /// Times it was not run because it was already running on that CPU.
    pub missed: u64,
    /// Instructions that the verifier looked at when it was loaded.
    pub verified_insns: u32,
}

/// Reads a program's statistics.
pub fn of(prog: &Prog) -> Result<Run, Error> {
    let info = bpf::prog_info(prog.as_fd())?;
    Ok(Run {
        nanoseconds: info.run_time_ns,
        count: info.run_cnt,
        missed: info.recursion_misses,
        verified_insns: info.verified_insns,
    })
}
