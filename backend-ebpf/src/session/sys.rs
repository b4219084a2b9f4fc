//! The few system calls of a running session, each with its obligations met here.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until a descriptor is readable, a signal comes or the time is over. Tells which are readable.
pub fn poll(fds: &[BorrowedFd<'_>], timeout: Duration) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: the array is valid for its length through the call, the time too; no signal mask is passed.
    let n = unsafe {
        libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, &raw const timeout, std::ptr::null())
    };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(polled.iter().map(|fd| fd.revents != 0).collect())
}

/// Nanoseconds of a clock.
fn clock(id: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Wall clock minus monotonic clock, in nanoseconds.
pub fn wall_offset() -> i64 {
    clock(libc::CLOCK_REALTIME).wrapping_sub(clock(libc::CLOCK_MONOTONIC))
}

/// The monotonic clock, which programs read too.
pub fn monotonic() -> u64 {
    clock(libc::CLOCK_MONOTONIC).cast_unsigned()
}

/// Nanoseconds between two ticks of the kernel's timer: the coarse clock moves at them (kernel/time/posix-timers.c).
pub fn tick() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    time.tv_nsec.max(1)
}

/// Raises the limit of open files as far as allowed: on kernels without multi links every site needs two.
pub fn raise_file_limit() {
    // Whoever may trace may mostly raise the hard limit as well, to fs.nr_open.
    const MOST: libc::rlim_t = 1 << 20;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` may be written, and limits are only read where they are set.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return;
        }
        let most = limit.rlim_max.max(MOST);
        let raised = libc::rlimit { rlim_cur: most, rlim_max: most };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) != 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
