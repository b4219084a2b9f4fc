//! `-p`: a process that runs already.

use super::sys;
use crate::symbols::elf::io_text;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Why a process could not be grabbed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrabError {
    pub pid: i32,
    pub error: String,
}

impl fmt::Display for GrabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to grab process {}: {}", self.pid, self.error)
    }
}

impl std::error::Error for GrabError {}

/// A running process, watched. It is neither stopped nor changed, and dropping this leaves it alone.
#[derive(Debug)]
pub struct Grab {
    pid: i32,
    pidfd: OwnedFd,
}

impl Grab {
    /// Takes hold of a process by pid.
    pub fn open(pid: i32) -> Result<Grab, GrabError> {
        let missing = || std::io::Error::from_raw_os_error(libc::ESRCH);
        let fail = |e: std::io::Error| GrabError { pid, error: io_text(&e) };
        if pid <= 0 {
            return Err(fail(missing()));
        }
        // A thread that is not a process's first is EINVAL (ENOENT since 6.15): no process has that number.
        let pidfd = sys::pidfd_open(pid).map_err(|e| match e.raw_os_error() {
            Some(libc::EINVAL | libc::ENOENT) => fail(missing()),
            _ => fail(e),
        })?;
        let grab = Grab { pid, pidfd };
        if grab.has_ended() { Err(fail(missing())) } else { Ok(grab) }
    }

    /// `$target`.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when it has ended: for poll(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Has it ended?
    pub fn has_ended(&self) -> bool {
        sys::is_readable(self.pidfd.as_fd(), 0).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grabbing() {
        let text = Grab::open(4_194_300).map(|_| ()).unwrap_err().to_string();
        assert_eq!(text, "failed to grab process 4194300: No such process");
        assert!(Grab::open(-1).is_err());
        let mut sleep = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let grab = Grab::open(sleep.id().cast_signed()).unwrap();
        assert!(!grab.has_ended());
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(grab.has_ended());
    }
}
