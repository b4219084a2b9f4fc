//! The system calls of process control, each with its obligations met here. The only unsafe code of `process`.

use super::command::Prepared;
use libc::{c_int, c_void, pid_t};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A descriptor that becomes readable when the process ends.
pub(super) fn pidfd_open(pid: pid_t) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers; gives a new descriptor (close-on-exec by definition) or an error.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = c_int::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Is a descriptor readable now (for a pidfd: has the process ended)?
pub(super) fn is_readable(fd: BorrowedFd<'_>, timeout_ms: c_int) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd for the length of the call.
    let n = check(i64::from(unsafe { libc::poll(&raw mut poll, 1, timeout_ms) }))?;
    Ok(n > 0)
}

pub(super) fn kill(pid: pid_t, signal: c_int) -> io::Result<()> {
    // SAFETY: takes two integers.
    check(i64::from(unsafe { libc::kill(pid, signal) })).map(drop)
}

/// waitpid(2) with EINTR retried; `None` when WNOHANG found nothing.
pub(super) fn wait(pid: pid_t, flags: c_int) -> io::Result<Option<c_int>> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for writing.
        match check(i64::from(unsafe { libc::waitpid(pid, &raw mut status, flags) })) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(status)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A close-on-exec pipe: reading and writing end.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    check(i64::from(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }))?;
    // SAFETY: both are new and nobody else's.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Forks a child that asks to be traced by the calling thread and executes the command. When that fails
/// it writes errno to `report` and ends with status 127.
pub(super) fn fork_traced(p: &Prepared, report: BorrowedFd<'_>) -> io::Result<pid_t> {
    let pointers = |v: &[std::ffi::CString]| -> Vec<*const libc::c_char> {
        v.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, envp, shell) = (pointers(&p.argv), pointers(&p.envp), pointers(&p.shell_argv));
    let shell_path = c"/bin/sh";
    let report = report.as_raw_fd();
    // SAFETY: between fork and exec the child calls async-signal-safe functions only and allocates nothing: the
    // arrays were made above and stay alive in its copy. It never returns from this block.
    unsafe {
        let pid = libc::fork();
        if pid != 0 {
            return check(i64::from(pid)).map(|_| pid);
        }
        // Handlers go with exec; masks and ignored signals stay, and this thread's are ours, not the user's:
        // Rust ignores SIGPIPE.
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let traced =
            libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<c_void>(), ptr::null_mut::<c_void>());
        if traced == 0 {
            libc::execve(p.path.as_ptr(), argv.as_ptr(), envp.as_ptr());
            if *libc::__errno_location() == libc::ENOEXEC {
                libc::execve(shell_path.as_ptr(), shell.as_ptr(), envp.as_ptr());
            }
        }
        let errno = *libc::__errno_location();
        libc::write(report, (&raw const errno).cast(), size_of::<c_int>());
        libc::_exit(127)
    }
}

fn ptrace(request: libc::c_uint, pid: pid_t, addr: usize, data: usize) -> io::Result<i64> {
    // SAFETY: the requests used in this module take integers in `addr` and `data` (no pointers into this process);
    // an unknown pid is an error of the call.
    check(unsafe { libc::ptrace(request, pid, addr as *mut c_void, data as *mut c_void) })
}

/// Kill the traced process when its tracer (this thread) ends.
pub(super) fn set_exit_kill(pid: pid_t) -> io::Result<()> {
    ptrace(libc::PTRACE_SETOPTIONS, pid, 0, libc::PTRACE_O_EXITKILL as usize).map(drop)
}

/// Lets a stopped process run on, delivering `signal` unless it is 0.
pub(super) fn cont(pid: pid_t, signal: c_int) -> io::Result<()> {
    ptrace(libc::PTRACE_CONT, pid, 0, signal.unsigned_abs() as usize).map(drop)
}

/// Lets it run on untraced.
pub(super) fn detach(pid: pid_t) -> io::Result<()> {
    ptrace(libc::PTRACE_DETACH, pid, 0, 0).map(drop)
}

/// The registers of a stopped process.
pub(super) fn registers(pid: pid_t) -> io::Result<libc::user_regs_struct> {
    // SAFETY: plain integers; all zero is a value of the type.
    let mut regs: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    register_set(libc::PTRACE_GETREGSET, pid, &mut regs)?;
    Ok(regs)
}

pub(super) fn set_registers(pid: pid_t, mut regs: libc::user_regs_struct) -> io::Result<()> {
    register_set(libc::PTRACE_SETREGSET, pid, &mut regs)
}

/// Stops a stopped process again, with SIGTRAP, before it executes what is at the address; `None` no longer. Uses its
/// first debug register (the processor manuals' DR0, enabled by the lowest bit of DR7; kernel: `ptrace_set_debugreg()`).
#[cfg(target_arch = "x86_64")]
pub(super) fn watch_execution(pid: pid_t, address: Option<u64>) -> io::Result<()> {
    let register = |n: usize| std::mem::offset_of!(libc::user, u_debugreg) + n * size_of::<u64>();
    let poke = |n, value| ptrace(libc::PTRACE_POKEUSER, pid, register(n), value).map(drop);
    match address {
        Some(address) => {
            poke(0, usize::try_from(address).map_err(io::Error::other)?)?;
            poke(7, 1)
        }
        None => {
            poke(7, 0)?;
            poke(0, 0)
        }
    }
}

/// Not here.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn watch_execution(_pid: pid_t, _address: Option<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn register_set(request: libc::c_uint, pid: pid_t, regs: &mut libc::user_regs_struct) -> io::Result<()> {
    let mut vector = libc::iovec { iov_base: ptr::from_mut(regs).cast(), iov_len: size_of_val(regs) };
    // The general registers.
    let set = libc::NT_PRSTATUS.unsigned_abs() as usize as *mut c_void;
    // SAFETY: the vector describes `regs`, which lives through the call and may be written.
    check(unsafe { libc::ptrace(request, pid, set, (&raw mut vector).cast::<c_void>()) }).map(drop)
}
