//! What can go wrong below: a call that failed, why, and what the user can do about it.

use std::fmt;

/// A failed call into the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The call as strace would name it, with what it was about.
    pub call: String,
    /// The error number; 0 when the kernel accepted the call but the answer made no sense.
    pub errno: i32,
    /// A missing capability, a sysctl, a kernel version: whatever explains the failure.
    pub hint: Option<String>,
}

impl Error {
    /// A failure with an error number.
    pub fn new(call: impl Into<String>, errno: i32) -> Error {
        Error { call: call.into(), errno, hint: None }
    }

    /// A failure that has no error number.
    pub fn other(call: impl Into<String>, hint: impl Into<String>) -> Error {
        Error { call: call.into(), errno: 0, hint: Some(hint.into()) }
    }

    /// A failure reported by the standard library.
    pub fn io(call: impl Into<String>, error: &std::io::Error) -> Error {
        match error.raw_os_error() {
            Some(errno) => Error::new(call, errno),
            None => Error::other(call, error.to_string()),
        }
    }

    /// The same failure with an explanation.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, explained by the process's privileges when it is one of permission.
    pub fn with_privileges(self) -> Error {
        if self.errno != libc::EPERM && self.errno != libc::EACCES {
            return self;
        }
        let hint = super::privilege::Privileges::read().explain();
        self.hint(hint)
    }
}

/// A failure reported by libbpf-rs, to be called right after it: its errors keep the number only as text,
/// but libbpf leaves it in `errno` too.
pub(super) fn from_libbpf(call: impl Into<String>, error: &libbpf_rs::Error) -> Error {
    use libbpf_rs::ErrorKind;
    match error.kind() {
        // Found by libbpf-rs itself before any system call.
        ErrorKind::InvalidData => Error::other(call, error.to_string()),
        _ => Error::new(call, super::sys::errno()),
    }
}

/// The text of an error number (`Operation not permitted`).
pub fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_string(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.call)?;
        if self.errno != 0 {
            write!(f, ": {}", errno_text(self.errno))?;
        }
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
