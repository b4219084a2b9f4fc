//! Linux: who traces a process already.
//!
//! A process has one tracer. The worker of a run that has ended lets its process go behind the scenes, which takes
//! Oracle's library more than a second, so the next run may find the process taken.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// How long an earlier run may take to let go.
const LIMIT: Duration = Duration::from_secs(10);

/// The thread that traces a process, from the text of its `/proc/PID/status`.
fn tracer(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|pid| *pid != 0)
}

/// Waits until no earlier run of this program traces the process. (Before the first attempt: the library does not recover
/// from a failed one.)
pub fn wait_for_earlier(pid: u32) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let status = format!("/proc/{pid}/status");
    // Not by its path, which another mount namespace sees differently.
    let file = |exe: String| fs::metadata(exe).ok().map(|exe| (exe.dev(), exe.ino()));
    let ours = file("/proc/self/exe".to_string());
    let end = Instant::now() + LIMIT;
    while let Some(by) = fs::read_to_string(&status).ok().and_then(|text| tracer(&text)) {
        // A debugger may stay for hours: only our own kind is waited for.
        if ours.is_none() || file(format!("/proc/{by}/exe")) != ours || Instant::now() > end {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracer_stands_in_the_status() {
        assert_eq!(tracer("Name:\tx\nTracerPid:\t5820\nUid:\t0\n"), Some(5820));
        assert_eq!(tracer("Name:\tx\nTracerPid:\t0\n"), None);
        assert_eq!(tracer(""), None);
        wait_for_earlier(std::process::id());
    }
}
