//! What is in a process, and starting one: `-c`, `-p`, mappings, sites of probes, names of addresses.

pub mod child;
pub mod command;
pub mod grab;
pub mod kallsyms;
pub mod maps;
pub mod namespace;
pub mod passing;
pub mod pid_provider;
pub mod symbolize;
mod sys;
mod tracer;
pub mod usdt_scan;

pub use crate::symbols::elf::FileId;
use std::path::PathBuf;

/// A process, as /proc has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// Name of the main thread, at most 15 bytes.
    pub comm: String,
    /// Executable; `None` for kernel threads and where it may not be read.
    pub exe: Option<PathBuf>,
    pub ppid: i32,
    /// Start, in clock ticks since boot: with the pid, an identity that is never reused.
    pub start_time: u64,
}

/// Lets a stopped process go on. One that has gone needs nothing.
pub fn resume(pid: i32) {
    let _ = sys::kill(pid, libc::SIGCONT);
}

/// The pids of all processes, ascending.
pub fn pids() -> Vec<i32> {
    let Ok(dir) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut pids: Vec<i32> =
        dir.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(|p| *p > 0).collect();
    pids.sort_unstable();
    pids
}

/// All processes that can be read, ascending by pid.
pub fn list() -> Vec<Process> {
    pids().into_iter().filter_map(read).collect()
}

/// One process; `None` when there is none of that pid.
pub fn read(pid: i32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (comm, ppid, start_time) = parse_stat(&stat)?;
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    Some(Process { pid, comm, exe, ppid, start_time })
}

/// comm (which may itself hold parentheses and spaces), ppid and start time: fields 2, 4, 22 of proc(5) stat.
fn parse_stat(stat: &[u8]) -> Option<(String, i32, u64)> {
    let open = stat.iter().position(|&c| c == b'(')?;
    let close = stat.iter().rposition(|&c| c == b')')?;
    let comm = String::from_utf8_lossy(stat.get(open.checked_add(1)?..close)?).into_owned();
    let rest = std::str::from_utf8(stat.get(close.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let ppid = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some((comm, ppid, start_time))
}

#[cfg(test)]
#[path = "tests.rs"]
mod real;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process() {
        let pid = std::process::id().cast_signed();
        let me = read(pid).unwrap();
        assert_eq!(me.exe, std::env::current_exe().ok());
        assert_eq!(me.ppid, std::os::unix::process::parent_id().cast_signed());
        assert!(me.start_time > 0);
        assert!(list().iter().any(|p| p.pid == pid));
        assert_eq!(read(-1), None);
    }

    #[test]
    fn stat_with_odd_names() {
        let tail = "S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0";
        let parse = |s: &str| parse_stat(format!("{s} {tail}").as_bytes());
        assert_eq!(parse("42 (a) b (c)"), Some(("a) b (c".into(), 7, 12345)));
        assert_eq!(parse_stat(b"42 ()"), None);
        assert_eq!(parse_stat(b")("), None);
        assert_eq!(parse_stat(b""), None);
    }
}
