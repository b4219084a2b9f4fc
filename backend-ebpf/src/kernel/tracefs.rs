//! tracefs, where the kernel lists its tracepoints, whether or not anybody has mounted it.
//!
//! Containers and small systems have no `/sys/kernel/tracing`. A mount that is attached to no directory
//! serves as well: it lives as long as its descriptor, and nobody else sees it.

use super::sys;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// Where it is mounted, usually.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// tracefs' top directory.
#[derive(Debug)]
pub struct Tracefs {
    top: OwnedFd,
}

impl Tracefs {
    /// The mounted one, or one of our own.
    pub fn open() -> std::io::Result<Tracefs> {
        for place in PLACES {
            // Mounted there only if it has something in it.
            if std::fs::exists(format!("{place}/available_events")).unwrap_or(false) {
                return Ok(Tracefs { top: std::fs::File::open(place)?.into() });
            }
        }
        Ok(Tracefs { top: sys::detached_mount(c"tracefs")? })
    }

    /// A file's text by its path from the top.
    pub fn read(&self, path: &str) -> std::io::Result<String> {
        let file = sys::open_at(self.top.as_fd(), path)?;
        let mut text = String::new();
        std::fs::File::from(file).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Kernel functions that can be probed, and the modules that they are of; `vmlinux` is the core kernel.
    ///
    /// Some names stand for several functions: these are left out, for a probe could not tell which it is.
    pub fn functions(&self) -> std::io::Result<Vec<(String, String)>> {
        let text = self.read("available_filter_functions")?;
        let mut found: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_ascii_whitespace();
                let name = words.next()?;
                // Functions of an init section that is gone have such names.
                let plain = !name.starts_with("__ftrace_invalid_address");
                plain
                    .then(|| (name, words.next().map_or("vmlinux", |module| module.trim_matches(['[', ']']))))
            })
            .collect();
        found.sort_unstable();
        let several = |at: usize| {
            let name = found.get(at).map(|(name, _)| *name);
            found.get(at + 1).map(|(name, _)| *name) == name
                || at.checked_sub(1).and_then(|before| found.get(before)).map(|(name, _)| *name) == name
        };
        let plain = found.iter().enumerate().filter(|(at, _)| !several(*at));
        Ok(plain.map(|(_, (name, module))| (module.to_string(), name.to_string())).collect())
    }

    /// Tracepoints as category and name, in order; the system calls' own have no raw form and are left out.
    pub fn tracepoints(&self) -> std::io::Result<Vec<(String, String)>> {
        let text = self.read("available_events")?;
        let mut found: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .filter(|(category, _)| *category != "syscalls")
            .map(|(category, name)| (category.to_owned(), name.to_owned()))
            .collect();
        found.sort_unstable();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracepoints_are_listed_mounted_or_not() {
        match Tracefs::open().and_then(|tracefs| tracefs.tracepoints()) {
            Ok(found) => assert!(found.contains(&("sched".to_string(), "sched_switch".to_string()))),
            Err(error) => eprintln!("SKIP tracepoints_are_listed_mounted_or_not: {error}"),
        }
    }
}
