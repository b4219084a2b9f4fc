//! The thread that traces a starting command: ptrace binds a process to one thread, so that thread is ours.

use super::child::EvalTime;
use super::command::{LaunchError, Prepared, exec_error};
use super::sys;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender};

/// A command that has stopped where it should.
pub(super) struct Held {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
}

/// Starts the command, reports it, and lets it go when told. When the other side hangs up instead, it is killed.
pub(super) fn run(
    p: &Prepared,
    when: EvalTime,
    report: &Sender<Result<Held, LaunchError>>,
    go: &Receiver<()>,
) {
    match start(p, when) {
        Err(e) => drop(report.send(Err(e))),
        Ok(held) => {
            let pid = held.pid;
            let told = report.send(Ok(held)).is_ok() && go.recv().is_ok();
            // It may have been killed meanwhile; then there is nothing to let go.
            if !told || sys::detach(pid).is_err() {
                let _ = sys::kill(pid, libc::SIGKILL);
            }
        }
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> LaunchError {
    move |e| LaunchError::System { what, error: crate::symbols::elf::io_text(&e) }
}

fn start(p: &Prepared, when: EvalTime) -> Result<Held, LaunchError> {
    let (mut reading, writing) = sys::pipe().map(|(r, w)| (File::from(r), w)).map_err(system("pipe"))?;
    let pid = sys::fork_traced(p, writing.as_fd()).map_err(system("fork"))?;
    drop(writing);
    let mut guard = KillOnDrop { pid, armed: true };
    // The pipe closes at exec; before that it can bring the reason why there was none.
    let mut errno = [0; 4];
    if reading.read_exact(&mut errno).is_ok() {
        return Err(exec_error(&p.program, i32::from_ne_bytes(errno)));
    }
    stopped(p, pid)?;
    sys::set_exit_kill(pid).map_err(system("ptrace"))?;
    let pidfd = sys::pidfd_open(pid).map_err(system("pidfd_open"))?;
    if when != EvalTime::Exec {
        run_to_entry(p, pid)?;
    }
    guard.armed = false;
    Ok(Held { pid, pidfd })
}

/// Waits for a stop; the signal that caused it. Fails when the process has ended (and is reaped).
fn stopped(p: &Prepared, pid: i32) -> Result<i32, LaunchError> {
    let status = sys::wait(pid, libc::__WALL).map_err(system("wait"))?.unwrap_or(0);
    if libc::WIFSTOPPED(status) {
        return Ok(libc::WSTOPSIG(status));
    }
    let how = match libc::WIFSIGNALED(status) {
        true => format!("signal {}", libc::WTERMSIG(status)),
        false => format!("status {}", libc::WEXITSTATUS(status)),
    };
    Err(LaunchError::Died { program: p.program.clone(), how })
}

#[cfg(target_arch = "x86_64")]
mod arch {
    /// `int3`; the pc is behind it afterwards.
    pub(super) const BREAKPOINT: &[u8] = &[0xcc];
    pub(super) const PC_ADVANCE: u64 = 1;

    pub(super) fn pc(r: &mut libc::user_regs_struct) -> &mut u64 {
        &mut r.rip
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    /// `brk #0`; the pc stays.
    pub(super) const BREAKPOINT: &[u8] = &[0x00, 0x00, 0x20, 0xd4];
    pub(super) const PC_ADVANCE: u64 = 0;

    pub(super) fn pc(r: &mut libc::user_regs_struct) -> &mut u64 {
        &mut r.pc
    }
}

/// Runs to the entry point: by then the dynamic linker has mapped the libraries and run nothing of them
/// but its own start.
fn run_to_entry(p: &Prepared, pid: i32) -> Result<(), LaunchError> {
    let bad = system("reading its entry point");
    let entry = entry_point(pid).ok_or_else(|| bad(io::ErrorKind::InvalidData.into()))?;
    let stop = Stop::plant(pid, entry)?;
    let mut signal = 0;
    loop {
        sys::cont(pid, signal).map_err(system("ptrace"))?;
        signal = stopped(p, pid)?;
        if signal != libc::SIGTRAP {
            continue; // the signal is the command's own: deliver it
        }
        let mut regs = sys::registers(pid).map_err(system("reading registers"))?;
        if *arch::pc(&mut regs) == stop.pc() {
            return stop.remove(regs);
        }
        // An exec by the program itself cannot happen before its entry point; any other trap is its own.
    }
}

/// What stops a command at its entry point.
enum Stop {
    /// A debug register: the command's memory stays as it is. A probe of somebody's may stand at the entry point, and
    /// may be taken away just now, by us from the run before or by another tracer: what is written there then would be
    /// lost, or, worse, written back when the probe is no more.
    Register { pid: i32, entry: u64 },
    /// An instruction, where there is no such register to be had.
    Instruction { pid: i32, entry: u64, memory: File, saved: [u8; 4] },
}

impl Stop {
    fn plant(pid: i32, entry: u64) -> Result<Stop, LaunchError> {
        if sys::watch_execution(pid, Some(entry)).is_ok() {
            return Ok(Stop::Register { pid, entry });
        }
        let bad = system("planting a breakpoint");
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).map_err(&bad)?;
        let mut saved = [0; 4];
        memory.read_exact_at(Self::replaced(&mut saved), entry).map_err(&bad)?;
        memory.write_all_at(arch::BREAKPOINT, entry).map_err(&bad)?;
        Ok(Stop::Instruction { pid, entry, memory, saved })
    }

    fn replaced(saved: &mut [u8; 4]) -> &mut [u8] {
        saved.get_mut(..arch::BREAKPOINT.len()).unwrap_or_default()
    }

    /// Where the command is when it has stopped.
    fn pc(&self) -> u64 {
        match self {
            Stop::Register { entry, .. } => *entry,
            Stop::Instruction { entry, .. } => entry.wrapping_add(arch::PC_ADVANCE),
        }
    }

    /// Leaves the command at its entry point with nothing of ours.
    fn remove(self, mut regs: libc::user_regs_struct) -> Result<(), LaunchError> {
        let bad = system("removing a breakpoint");
        match self {
            Stop::Register { pid, .. } => sys::watch_execution(pid, None).map_err(bad),
            Stop::Instruction { pid, entry, memory, mut saved } => {
                memory.write_all_at(Self::replaced(&mut saved), entry).map_err(bad)?;
                *arch::pc(&mut regs) = entry;
                sys::set_registers(pid, regs).map_err(system("writing registers"))
            }
        }
    }
}

/// AT_ENTRY of the auxiliary vector: where the program (not the dynamic linker) begins.
fn entry_point(pid: i32) -> Option<u64> {
    let auxv = std::fs::read(format!("/proc/{pid}/auxv")).ok()?;
    auxv.chunks_exact(16).find_map(|pair| {
        let (key, value) = pair.split_at_checked(8)?;
        let key = u64::from_ne_bytes(key.try_into().ok()?);
        (key == libc::AT_ENTRY).then(|| value.try_into().ok().map(u64::from_ne_bytes))?
    })
}

/// Kills and reaps a command whose start failed half-way.
struct KillOnDrop {
    pid: i32,
    armed: bool,
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // An error means that it has ended and been reaped already.
        if self.armed && sys::wait(self.pid, libc::WNOHANG | libc::__WALL).is_ok() {
            let _ = sys::kill(self.pid, libc::SIGKILL);
            let _ = sys::wait(self.pid, libc::__WALL);
        }
    }
}
