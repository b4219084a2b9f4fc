//! The mappings of a process, and its objects: the files whose code it runs.

use crate::symbols::elf::{Elf, ElfError, FileId};
use duotrace_core::probe::glob_match;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One file-backed mapping of /proc/PID/maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    /// Offset in the file of its first byte.
    pub offset: u64,
    pub exec: bool,
    /// Device and inode as the kernel's maps show them (overlay file systems may show others in stat(2)).
    pub id: FileId,
    /// As the process sees it, without ` (deleted)`.
    pub path: PathBuf,
    pub deleted: bool,
}

/// A file whose code a process has mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub id: FileId,
    /// As the process sees it.
    pub path: PathBuf,
    /// Last part of the path: the probe module.
    pub name: String,
    /// Is it the executable (`a.out`)?
    pub is_exe: bool,
    pub deleted: bool,
    /// The mappings of the file, ascending.
    pub mappings: Vec<Mapping>,
}

/// The file-backed mappings of a process; an error when there is no such process or it may not be read.
pub fn read(pid: i32) -> std::io::Result<Vec<Mapping>> {
    let text = std::fs::read(format!("/proc/{pid}/maps"))?;
    Ok(parse(&text))
}

/// Parses the text of /proc/PID/maps; lines that are no file mappings are passed over.
pub fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|&c| c == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mapping> {
    // start-end perms offset major:minor inode      path
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|&c| c == b' ')?;
        let (head, tail) = rest.split_at_checked(end)?;
        rest = tail.get(1..)?;
        std::str::from_utf8(head).ok()
    };
    let (range, perms, offset, dev, inode) = (field()?, field()?, field()?, field()?, field()?);
    let hex = |s| u64::from_str_radix(s, 16).ok();
    let (start, end) = range.split_once('-')?;
    let (major, minor) = dev.split_once(':')?;
    let (major, minor) = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let ino: u64 = inode.parse().ok()?;
    let path = rest.trim_ascii_start();
    if ino == 0 || !path.starts_with(b"/") {
        return None;
    }
    let (path, deleted) = path.strip_suffix(b" (deleted)").map_or((path, false), |p| (p, true));
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
        exec: perms.as_bytes().get(2) == Some(&b'x'),
        id: FileId { dev: libc::makedev(major, minor), ino },
        path: PathBuf::from(OsStr::from_bytes(&unescape(path))),
        deleted,
    })
}

/// The kernel writes a newline in a path as `\012`.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&c, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\\012") {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(c);
            rest = tail;
        }
    }
    out
}

/// The objects of a process: the executable first, then by address.
pub fn objects(pid: i32) -> std::io::Result<Vec<Object>> {
    let maps = read(pid)?;
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    Ok(objects_of(maps, exe.as_deref()))
}

/// Groups mappings by file; `exe` is the target of /proc/PID/exe.
pub fn objects_of(maps: Vec<Mapping>, exe: Option<&Path>) -> Vec<Object> {
    let exe = exe.map(|e| {
        let bytes = e.as_os_str().as_bytes();
        OsStr::from_bytes(bytes.strip_suffix(b" (deleted)").unwrap_or(bytes)).to_owned()
    });
    let mut out: Vec<Object> = Vec::new();
    for m in maps {
        if let Some(o) = out.iter_mut().find(|o| o.id == m.id && o.path == m.path) {
            o.mappings.push(m);
            continue;
        }
        out.push(Object {
            id: m.id,
            path: m.path.clone(),
            name: m.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            is_exe: exe.as_deref() == Some(m.path.as_os_str()),
            deleted: m.deleted,
            mappings: vec![m],
        });
    }
    out.retain(|o| o.mappings.iter().any(|m| m.exec));
    out.sort_by_key(|o| !o.is_exe);
    out
}

impl Object {
    /// A path by which this process of ours reaches the very file that is mapped: the path itself, else through
    /// the process's root (containers), else through /proc/PID/map_files (deleted or replaced files).
    pub fn open_path(&self, pid: i32) -> PathBuf {
        let inode = self.id.ino;
        let same = |p: &Path| std::fs::metadata(p).is_ok_and(|m| m.is_file() && m.ino() == inode);
        if !self.deleted {
            let mut own = self.path.clone();
            if same(&own) {
                return own;
            }
            let mut bytes = format!("/proc/{pid}/root").into_bytes();
            bytes.extend_from_slice(self.path.as_os_str().as_bytes());
            own = PathBuf::from(OsStr::from_bytes(&bytes));
            if same(&own) {
                return own;
            }
        }
        let Some(m) = self.mappings.iter().find(|m| m.exec) else {
            return self.path.clone();
        };
        PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", m.start, m.end))
    }

    /// Opens the mapped file.
    pub fn open(&self, pid: i32) -> Result<Elf, ElfError> {
        Elf::open(&self.open_path(pid))
    }

    /// What to add to the file's virtual addresses to get this process's.
    pub fn load_bias(&self, elf: &Elf) -> Option<u64> {
        let m = self.mappings.iter().find(|m| m.exec)?;
        elf.load_bias(m.start, m.offset, true)
    }

    /// The mapping that holds an address.
    pub fn mapping_at(&self, addr: u64) -> Option<&Mapping> {
        self.mappings.iter().find(|m| (m.start..m.end).contains(&addr))
    }

    /// Does a module pattern of the pid provider name this object? `a.out` is the executable; a library goes by
    /// its name (`libc.so.6`), or by that without version or suffix (`libc.so`, `libc`); globs match the name.
    pub fn is_named(&self, pattern: &str) -> bool {
        let prefix = |rest: &str| rest.starts_with('.') || rest.starts_with("-2.");
        pattern.is_empty()
            || (self.is_exe && pattern == "a.out")
            || glob_match(pattern, &self.name)
            || (!self.is_exe && self.name.strip_prefix(pattern).is_some_and(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = b"55d0-55e0 r-xp 00001000 fe:01 1234                       /usr/bin/a b (deleted)\n\
            7f00-7f10 r--p 00000000 fe:01 99 /lib/x\\012y\n\
            7ffd-7ffe rw-p 00000000 00:00 0  [stack]\n\
            garbage\n-\n1-2 r 3\n7f-80 r-xp 0 0:0 5 anon_inode:x\n";
        let maps = parse(text);
        assert_eq!(maps.len(), 2);
        assert_eq!(maps[0].path, Path::new("/usr/bin/a b"));
        assert!(maps[0].deleted && maps[0].exec && maps[0].offset == 0x1000);
        assert_eq!(maps[1].path, Path::new("/lib/x\ny"));
    }

    #[test]
    fn this_process() {
        let pid = std::process::id().cast_signed();
        let objects = objects(pid).unwrap();
        assert!(objects[0].is_exe && objects[0].is_named("a.out"));
        let libc = objects.iter().find(|o| o.name == "libc.so.6").unwrap();
        for pattern in ["libc", "libc.so", "libc.so.6", "libc*", ""] {
            assert!(libc.is_named(pattern), "{pattern}");
        }
        assert!(!libc.is_named("lib") && !libc.is_named("a.out"));
        // The bias must lead from the symbol to the address that the linker bound.
        let elf = libc.open(pid).unwrap();
        let bias = libc.load_bias(&elf).unwrap();
        let getppid = elf.functions_named("getppid").remove(0);
        let bound: unsafe extern "C" fn() -> libc::pid_t = libc::getppid;
        assert_eq!(bias.wrapping_add(getppid.vaddr), bound as usize as u64);
    }
}
