//! `/tmp/perf-PID.map`: names of code that a process made while running (Java, Python, Node.js, ...).
//!
//! One line for each function: start and size in hexadecimal digits, then the name
//! (tools/perf/Documentation/jit-interface.txt in Linux). The process appends to it as it compiles.

use super::read::Source;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Larger files are read up to here.
const LARGEST: u64 = 256 << 20;

/// One function.
#[derive(Debug)]
struct Entry {
    start: u64,
    size: u64,
    /// When it stood in the file: what comes later has taken its place.
    order: usize,
    name: Box<str>,
}

/// The functions of one process.
#[derive(Debug, Default)]
pub struct PerfMap {
    entries: Vec<Entry>,
    /// Bytes of the file when it was read.
    read: u64,
    path: PathBuf,
}

impl PerfMap {
    /// Reads a process's map; empty when it has none.
    pub fn of(pid: i32) -> PerfMap {
        let mut map = PerfMap::default();
        map.refresh(pid);
        map
    }

    /// The map that a text is, for tests.
    #[cfg(test)]
    pub(crate) fn parsed(text: &[u8]) -> PerfMap {
        PerfMap { entries: parse(text), ..PerfMap::default() }
    }

    /// Looks whether the process has written more; says whether it had.
    pub fn refresh(&mut self, pid: i32) -> bool {
        for path in paths(pid) {
            let Some(source) = open(&path) else { continue };
            let len = source.len();
            if self.path == path && self.read == len {
                return false;
            }
            let Some(text) = source.read(0, len.min(LARGEST)) else { continue };
            *self = PerfMap { entries: parse(&text), read: len, path };
            return true;
        }
        false
    }

    /// Name of the function at an address, and the address's offset in it.
    pub fn find(&self, addr: u64) -> Option<(&str, u64)> {
        let after = self.entries.partition_point(|entry| entry.start <= addr);
        // Code is freed and its place used again, so that older entries may overlap: the latest counts.
        let near = self.entries.get(after.saturating_sub(16)..after)?;
        let found =
            near.iter().filter(|entry| addr - entry.start < entry.size).max_by_key(|entry| entry.order)?;
        Some((&found.name, addr - found.start))
    }
}

/// Where the map can be: in the process's own view of /tmp, under its own number, or in ours.
fn paths(pid: i32) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    if let Some(own) = numbers.and_then(|numbers| numbers.split_ascii_whitespace().last()) {
        paths.push(PathBuf::from(format!("/proc/{pid}/root/tmp/perf-{own}.map")));
    }
    paths.push(PathBuf::from(format!("/tmp/perf-{pid}.map")));
    paths
}

fn open(path: &Path) -> Option<Source> {
    // Anybody may put a FIFO there: opening it must not wait.
    let file =
        File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(Source::File { file, len: meta.len() })
}

fn parse(text: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = text
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter_map(|(order, line)| {
            let line = String::from_utf8_lossy(line);
            let (start, rest) = line.split_once(' ')?;
            let (size, name) = rest.split_once(' ')?;
            let hex = |digits: &str| u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok();
            Some(Entry { start: hex(start)?, size: hex(size)?, order, name: name.trim_end().into() })
        })
        .collect();
    entries.sort_by_key(|entry| (entry.start, entry.order));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text =
            b"7f00 10 first\n0x8000 0x20 java/lang/Foo.bar(I)V \ngarbage\n\n 1 2 3\nzz 1 x\n7f00 8 second\n";
        let map = PerfMap { entries: parse(text), ..PerfMap::default() };
        assert_eq!(map.find(0x7f04), Some(("second", 4)));
        assert_eq!(map.find(0x7f0c), Some(("first", 12)));
        assert_eq!(map.find(0x8001), Some(("java/lang/Foo.bar(I)V", 1)));
        assert_eq!(map.find(0x8020), None);
        assert_eq!(map.find(0), None);
    }

    #[test]
    fn a_file_that_grows() {
        let pid = std::process::id().cast_signed();
        let path = format!("/tmp/perf-{pid}.map");
        assert!(PerfMap::of(pid).find(0x1000).is_none());
        std::fs::write(&path, "1000 10 one\n").unwrap();
        let mut map = PerfMap::of(pid);
        assert_eq!(map.find(0x1008), Some(("one", 8)));
        assert!(!map.refresh(pid));
        std::fs::write(&path, "1000 10 one\n2000 10 two\n").unwrap();
        assert!(map.refresh(pid));
        assert_eq!(map.find(0x2000), Some(("two", 0)));
        std::fs::remove_file(&path).unwrap();
    }
}
