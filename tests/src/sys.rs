//! The system calls that Rust's library has no words for: the only unsafe code of the tests.

use std::io::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Sends a signal to a process.
pub fn kill(pid: u32, signal: i32) -> Result<(), String> {
    let pid = i32::try_from(pid).map_err(|e| e.to_string())?;
    // SAFETY: kill() reads and writes no memory of ours.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(format!("kill: {}", Error::last_os_error())),
    }
}

/// Has what is started from now on be interrupted by SIGINT, also where this process was started to ignore it (by
/// nohup, or as a background command of a shell): a tracer leaves an ignored signal ignored.
pub fn heed_interrupts() {
    // SAFETY: no handler is set, only the signal's default action.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

/// Waits for a child: how it ended, its processor time, and its largest resident size in kilobytes.
pub fn wait(pid: u32) -> Result<(ExitStatus, Duration, u64), String> {
    let pid = i32::try_from(pid).map_err(|e| e.to_string())?;
    let mut status = 0;
    // SAFETY: all zeros is a value of this structure of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables of the types that wait4() writes.
    if unsafe { libc::wait4(pid, &mut status, 0, &mut usage) } != pid {
        return Err(format!("wait4: {}", Error::last_os_error()));
    }
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs()) + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    let cpu = time(usage.ru_utime) + time(usage.ru_stime);
    Ok((ExitStatus::from_raw(status), cpu, usage.ru_maxrss.unsigned_abs()))
}

/// What the kernel numbers: see enum bpf_cmd in <linux/bpf.h>.
#[derive(Clone, Copy, Debug)]
pub enum BpfKind {
    /// BPF_PROG_GET_NEXT_ID
    Program = 11,
    /// BPF_MAP_GET_NEXT_ID
    Map = 12,
    /// BPF_LINK_GET_NEXT_ID
    Link = 31,
}

/// The numbers of all BPF objects of a kind in the kernel; needs CAP_SYS_ADMIN.
pub fn bpf_ids(kind: BpfKind) -> Result<Vec<u32>, String> {
    let mut ids = Vec::new();
    // union bpf_attr begins, for these commands, with start_id, next_id, open_flags; the rest has to be zero.
    let mut attr = [0u32; 32];
    loop {
        // SAFETY: the kernel reads and writes at most the size given, which is that of the live array.
        let got = unsafe { libc::syscall(libc::SYS_bpf, kind as i32, attr.as_mut_ptr(), size_of_val(&attr)) };
        let error = Error::last_os_error();
        match (got, error.raw_os_error()) {
            (0, _) => {
                ids.push(attr[1]);
                attr[0] = attr[1];
            }
            (_, Some(libc::ENOENT)) => return Ok(ids),
            _ => return Err(format!("bpf({kind:?}): {error}")),
        }
    }
}
