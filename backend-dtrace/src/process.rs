//! The worker process: made by `fork()`, told and heard through two pipes, ended.
//!
//! It is a fork without exec: the same program, so nothing has to be installed, and starting it costs little.
//! **Invariant:** the caller forks before it starts threads of its own (the `duotrace` command has none).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::{Duration, Instant};

/// The worker, seen from the session.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    /// What it sends.
    from: File,
    /// What it is told.
    to: Option<File>,
    status: Option<i32>,
}

/// The worker's own ends.
pub struct Ends {
    pub to_session: File,
    pub from_session: File,
}

fn pipe() -> io::Result<(File, File)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which become owned by the files.
    unsafe {
        if libc::pipe(fds.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        for fd in fds {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])))
    }
}

extern "C" fn ignore(_signal: libc::c_int) {}

/// Lets a signal interrupt system calls and nothing else. (Ignoring it would be inherited by the commands of `-c`.)
fn interrupt_only(signal: libc::c_int) {
    // SAFETY: a zeroed sigaction is valid; the handler does nothing; no SA_RESTART.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as *const () as usize;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// The signal that gets the worker out of a wait.
const WAKE: libc::c_int = libc::SIGUSR1;

impl Child {
    /// Forks; `work` runs in the child, which ends with it.
    pub fn start(work: impl FnOnce(Ends)) -> io::Result<Child> {
        let (from, to_session) = pipe()?;
        let (from_session, to) = pipe()?;
        // SAFETY: see the module's invariant: no other thread of ours holds a lock.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop((from, to));
                // The terminal's signals reach the worker as well: the session decides what they mean.
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE, WAKE] {
                    interrupt_only(signal);
                }
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    work(Ends { to_session, from_session });
                }));
                // SAFETY: ends the process without running what the parent's copies would do at exit.
                unsafe { libc::_exit(if result.is_ok() { 0 } else { 101 }) }
            }
            pid => Ok(Child { pid, from, to: Some(to), status: None }),
        }
    }

    /// The worker's pid.
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Tells the worker one byte. A worker that is gone is noticed when reading.
    pub fn tell(&mut self, byte: u8) {
        if let Some(to) = &mut self.to {
            let _ = to.write_all(&[byte]);
        }
        self.wake();
    }

    /// Interrupts the worker's wait.
    pub fn wake(&self) {
        if self.status.is_none() {
            // SAFETY: our child, not waited for yet, so the pid is its own.
            unsafe { libc::kill(self.pid, WAKE) };
        }
    }

    /// Reads what has come, waiting until the deadline: `Ok(0)` for nothing, `None` when the worker closed.
    pub fn read(&mut self, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<Option<usize>> {
        let wait = deadline.saturating_duration_since(Instant::now());
        if !readable(self.from.as_raw_fd(), wait)? {
            return Ok(Some(0));
        }
        let start = buffer.len();
        buffer.resize(start + (64 << 10), 0);
        let got = loop {
            match self.from.read(&mut buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        let count = *got.as_ref().unwrap_or(&0);
        buffer.truncate(start + count);
        got.map(|n| (n > 0).then_some(n))
    }

    /// Kills the worker and waits for it.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            // SAFETY: our child, not waited for yet.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            self.wait(Duration::from_secs(10));
        }
    }

    /// Nothing more will be told: a worker that still runs stops, cleans up and ends by itself.
    pub fn hang_up(&mut self) {
        self.to = None;
    }

    /// Waits for the worker's end; its wait status.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let end = Instant::now() + limit;
        while self.status.is_none() {
            let mut status = 0;
            // SAFETY: our child, and a place for its status.
            match unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) } {
                0 if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
                0 => return None,
                pid if pid == self.pid => self.status = Some(status),
                _ => self.status = Some(0),
            }
        }
        self.status
    }
}

/// How a worker ended, in words; `None` if it ended by itself.
pub fn ending(status: i32) -> Option<String> {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        let name = match signal {
            libc::SIGABRT => " (aborted)",
            libc::SIGSEGV => " (segmentation fault)",
            libc::SIGKILL => " (killed)",
            libc::SIGBUS => " (bus error)",
            _ => "",
        };
        return Some(format!("signal {signal}{name}"));
    }
    let code = libc::WEXITSTATUS(status);
    (code != 0).then(|| format!("status {code}"))
}

/// Sets the signals that this thread does not get, all if none are given; those that it did not get before.
fn mask(to: Option<libc::sigset_t>) -> libc::sigset_t {
    // SAFETY: a zeroed set is storage for sigfillset(); neither call can fail with valid sets.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &to.unwrap_or(all), &mut before);
        before
    }
}

/// In the worker: ends it when the session is gone and the library does not come back within the limit. (A worker that
/// hangs has nobody left to kill it.)
pub fn outlive(ends: &Ends, limit: Duration, clean: impl Fn() + Send + 'static) {
    let control = ends.from_session.as_raw_fd();
    let watch = move || {
        let mut poll = libc::pollfd { fd: control, events: 0, revents: 0 };
        // The other end closes, or ours does as the worker leaves; a failure would be for good.
        // SAFETY: one descriptor.
        unsafe { libc::poll(&mut poll, 1, -1) };
        std::thread::sleep(limit);
        let_go();
        clean();
        // SAFETY: ends the process as it stands.
        unsafe { libc::_exit(1) };
    };
    // The thread inherits the mask, so that signals go on interrupting the worker's own waits.
    let before = mask(None);
    // Without the thread everything works, but for a library that hangs while nobody waits for it.
    let _ = std::thread::Builder::new().stack_size(256 << 10).spawn(watch);
    mask(Some(before));
}

/// Waits until something can be read.
pub fn readable(fd: RawFd, wait: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let millis = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: one descriptor.
    match unsafe { libc::poll(&mut poll, 1, millis) } {
        -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Ok(false),
        -1 => Err(io::Error::last_os_error()),
        n => Ok(n > 0),
    }
}

/// In the worker, at its end: nobody may wait for our copies of the standard streams, and what the library has opened
/// must be closed before its leavings can be removed.
pub fn let_go() {
    // SAFETY: plain descriptor calls; after this the worker only removes files and exits.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            (0..3).for_each(|fd| {
                libc::dup2(null, fd);
            });
        }
        let limit = libc::sysconf(libc::_SC_OPEN_MAX).clamp(64, 4096) as RawFd;
        for fd in 3..limit {
            libc::close(fd);
        }
    }
}
