//! Waiting until every program that was running has left.

use super::{Error, sys};

const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;

/// Returns when all RCU read sections that had begun are over.
///
/// Programs run inside one, so after a switch of aggregation banks and this call nobody writes
/// to the old bank. Sleepable programs (RCU tasks trace) are not waited for. Takes milliseconds: the kernel
/// implements `MEMBARRIER_CMD_GLOBAL` by `synchronize_rcu` (kernel/sched/membarrier.c).
pub fn synchronize() -> Result<(), Error> {
    sys::membarrier(MEMBARRIER_CMD_GLOBAL)
        .map(|_| ())
        .map_err(|errno| Error::new("membarrier(GLOBAL)", errno))
}
