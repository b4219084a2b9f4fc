//! `copyout()`: what a firing wants written to its process.
//!
//! The program hands over the bytes and sends SIGSTOP to its process, which takes effect before the thread comes back
//! to its own instructions. All of one firing's writes are in the ring when the thread has stopped: they are done in
//! order, and then the process goes on. The thread sees the new memory with its next instruction; the other threads
//! are stopped meanwhile.

use crate::process::resume;
use duotrace_core::backend::FaultEvent;
use duotrace_core::ir::Fault;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How long a thread may take to stop: it has to come out of the kernel first.
const PATIENCE: Duration = Duration::from_millis(500);

/// One write.
#[derive(Debug)]
pub struct Write {
    pub pid: i32,
    pub tid: i32,
    pub address: u64,
    pub bytes: Vec<u8>,
    /// What is told when it cannot be done.
    pub fault: FaultEvent,
}

/// Has the thread stopped, or is there nothing left to wait for?
fn stopped(pid: i32, tid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")) else { return true };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('T' | 't' | 'Z' | 'X') | None)
}

/// Waits for the threads that are to be written for.
pub fn wait(writes: &[Write]) {
    let end = Instant::now() + PATIENCE;
    for write in writes {
        while !stopped(write.pid, write.tid) && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// Does the writes and lets their processes go on; gives a fault for each that failed.
pub fn perform(writes: Vec<Write>) -> Vec<FaultEvent> {
    let mut files = BTreeMap::new();
    let mut faults = Vec::new();
    for write in writes {
        let file = files
            .entry(write.pid)
            .or_insert_with(|| OpenOptions::new().write(true).open(format!("/proc/{}/mem", write.pid)).ok());
        let done = file.as_ref().is_some_and(|file| file.write_all_at(&write.bytes, write.address).is_ok());
        if !done {
            faults.push(FaultEvent { fault: Fault::BadAddr as u32, address: write.address, ..write.fault });
        }
    }
    for pid in files.into_keys() {
        resume(pid);
    }
    faults
}
