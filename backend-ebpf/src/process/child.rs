//! `-c`: a command, started and held until the probes are armed.

use super::command::{self, EnvChange, LaunchError};
use super::{sys, tracer};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

/// Where a command is held (`-x evaltime`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EvalTime {
    /// At its first instruction, which is the dynamic linker's: no libraries yet.
    Exec,
    /// Before the initialisers of libraries and program. Held at the entry point, like the following.
    PreInit,
    /// After the initialisers.
    #[default]
    PostInit,
    /// At `main`.
    Main,
}

impl EvalTime {
    /// The value of `-x evaltime=...`.
    pub fn from_name(name: &str) -> Option<EvalTime> {
        Some(match name {
            "exec" => EvalTime::Exec,
            "preinit" => EvalTime::PreInit,
            "postinit" => EvalTime::PostInit,
            "main" => EvalTime::Main,
            _ => return None,
        })
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signalled(i32),
    /// Somebody else reaped it.
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(status) => write!(f, "exited with status {status}"),
            Ended::Signalled(signal) => write!(f, "terminated by signal {signal}"),
            Ended::Unknown => f.write_str("ended"),
        }
    }
}

/// A command of ours. Dropping it kills it, unless [`Child::leave_running`] was called.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    go: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    ended: Option<Ended>,
    kill: bool,
}

impl Child {
    /// Starts a command line and returns when it is held.
    pub fn launch(line: &str, env: &[EnvChange], when: EvalTime) -> Result<Child, LaunchError> {
        Child::launch_words(&command::split(line)?, env, when)
    }

    /// Starts a command that is in words already.
    pub fn launch_words(words: &[String], env: &[EnvChange], when: EvalTime) -> Result<Child, LaunchError> {
        let prepared = command::prepare(words, env)?;
        let (report, reported) = mpsc::channel();
        let (go, going) = mpsc::channel();
        let system =
            |what, e: &io::Error| LaunchError::System { what, error: crate::symbols::elf::io_text(e) };
        let thread = std::thread::Builder::new()
            .name("tracer".to_owned())
            .spawn(move || tracer::run(&prepared, when, &report, &going))
            .map_err(|e| system("thread", &e))?;
        let held = reported.recv().map_err(|_| system("thread", &io::ErrorKind::BrokenPipe.into()))??;
        Ok(Child {
            pid: held.pid,
            pidfd: held.pidfd,
            go: Some(go),
            thread: Some(thread),
            ended: None,
            kill: true,
        })
    }

    /// `$target`.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when it has ended: for poll(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Lets it run, untraced. Further calls do nothing.
    pub fn resume(&mut self) {
        if let Some(go) = self.go.take() {
            // The thread ends right after the detach; its absence means that the command is dead.
            let _ = go.send(());
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }

    /// How it ended; `None` while it runs. Never blocks.
    pub fn try_wait(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            // While the tracer holds it only an end matters, and a traced stop is not one.
            self.ended = match sys::wait(self.pid, libc::WNOHANG) {
                Ok(None) => None,
                Ok(Some(status)) if libc::WIFEXITED(status) => Some(Ended::Exited(libc::WEXITSTATUS(status))),
                Ok(Some(status)) if libc::WIFSIGNALED(status) => {
                    Some(Ended::Signalled(libc::WTERMSIG(status)))
                }
                Ok(Some(_)) => None,
                Err(_) => Some(Ended::Unknown),
            };
        }
        self.ended
    }

    /// Waits for the end, at most `timeout_ms` milliseconds (-1: for ever).
    pub fn wait(&mut self, timeout_ms: i32) -> Option<Ended> {
        if self.ended.is_none() {
            // Interrupted by a signal: the caller looks at its flags and comes again.
            let _ = sys::is_readable(self.pidfd.as_fd(), timeout_ms);
        }
        self.try_wait()
    }

    /// Sends it a signal; nothing happens when it has ended.
    pub fn signal(&mut self, signal: i32) {
        if self.try_wait().is_none() {
            let _ = sys::kill(self.pid, signal);
        }
    }

    /// Dropping no longer kills it.
    pub fn leave_running(&mut self) {
        self.kill = false;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill && self.try_wait().is_none() {
            let _ = sys::kill(self.pid, libc::SIGKILL);
            let _ = sys::is_readable(self.pidfd.as_fd(), 2000);
            let _ = self.try_wait();
        }
        self.resume();
    }
}
