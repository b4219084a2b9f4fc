//! Linux: what Oracle's libdtrace leaves in the kernel when it does not end by itself.
//!
//! The library names uprobes in tracefs (`uprobe_events`): `dt_<pid>_dtrace/BEGIN` and END for itself, and others. A
//! process that ends without `dtrace_close()` (which takes seconds) leaves them. Removing one that is in use fails, so
//! removing those of processes that are gone can do no harm.

use std::fs;
use std::io::Write;

const PLACES: &[&str] = &["/sys/kernel/tracing/uprobe_events", "/sys/kernel/debug/tracing/uprobe_events"];

/// The group and name of an event: `dt_12_dtrace/BEGIN`.
fn event(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(':')?;
    rest.split_whitespace().next()
}

/// The process that an event belongs to.
fn owner(event: &str) -> Option<u32> {
    let rest = event.strip_prefix("dt_")?;
    rest.split(['_', '/']).next()?.parse().ok()
}

/// Removes the events that `wanted` says of their owner; how many are left of them.
fn remove(wanted: &dyn Fn(u32) -> bool) -> usize {
    let mut left = 0;
    let Some((path, text)) = PLACES.iter().find_map(|path| Some((path, fs::read_to_string(path).ok()?)))
    else {
        return 0;
    };
    for name in text.lines().filter_map(event).filter(|name| owner(name).is_some_and(wanted)) {
        // Each removal is a write of its own: one that fails must not hide the others.
        let done = fs::OpenOptions::new()
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(format!("-:{name}\n").as_bytes()));
        left += usize::from(done.is_err());
    }
    left
}

/// Removes what the process has left. How many could not be removed (yet).
pub fn of(pid: u32) -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    remove(&|owner| owner == pid)
}

/// Removes what processes have left that do not exist any more.
pub fn of_the_dead() {
    if cfg!(target_os = "linux") {
        remove(&|owner| !std::path::Path::new(&format!("/proc/{owner}")).exists());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_tell_their_owner() {
        let line = "p:dt_16364_dtrace/BEGIN /usr/lib/libdtrace.so.2.0.0:0x00000000000ded20";
        assert_eq!(event(line), Some("dt_16364_dtrace/BEGIN"));
        assert_eq!(owner("dt_16364_dtrace/BEGIN"), Some(16364));
        assert_eq!(owner("dt_pid/p_8_1"), None);
        assert_eq!(event("nothing"), None);
    }
}
