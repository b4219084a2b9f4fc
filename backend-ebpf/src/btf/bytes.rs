//! The bytes of a BTF blob: mapped where the kernel allows it, else read.
//!
//! Since Linux 6.16 (kernel/bpf/sysfs_btf.c) the core kernel's blob can be mapped, which costs nothing per byte; the
//! blobs of modules and of older kernels are read.

use std::os::fd::AsRawFd;

/// Bytes that stay as they are.
#[derive(Debug)]
pub(super) enum Bytes {
    Owned(Vec<u8>),
    Mapped(Mapping),
}

/// A private, read-only mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    start: *const u8,
    len: usize,
}

// SAFETY: the memory is never written, so any thread may read it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Bytes {
    /// The bytes of a file below `/sys/kernel/btf`. Only for files that nobody can change: a mapped file that shrinks
    /// would kill the process, and the kernel's own never do.
    pub(super) fn of_sysfs(path: &str) -> Option<Bytes> {
        let file = std::fs::File::open(path).ok()?;
        let len = usize::try_from(file.metadata().ok()?.len()).ok()?;
        match Mapping::new(&file, len) {
            Some(mapping) => Some(Bytes::Mapped(mapping)),
            None => std::fs::read(path).ok().map(Bytes::Owned),
        }
    }

    pub(super) fn get(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            // SAFETY: `start` to `start + len` is mapped as long as `self` lives, and is never written.
            Bytes::Mapped(mapping) => unsafe { std::slice::from_raw_parts(mapping.start, mapping.len) },
        }
    }
}

impl Mapping {
    fn new(file: &std::fs::File, len: usize) -> Option<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice cannot touch existing memory.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        (start != libc::MAP_FAILED).then_some(Mapping { start: start.cast(), len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no slice of it outlives this value.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.len) };
    }
}
