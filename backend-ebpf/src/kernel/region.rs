//! Memory shared with the kernel: mapped once, read with bounds checks, unmapped when dropped.
//!
//! BPF programs write it while it is read, so nothing here gives out references to bytes that may
//! change; words are read atomically, byte ranges are copied.

use super::{Error, sys};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A shared mapping of a descriptor.
#[derive(Debug)]
pub struct Region {
    start: *mut u8,
    len: usize,
    writable: bool,
}

// SAFETY: the region is plain memory owned by this value; all access goes through atomics or volatile copies.
unsafe impl Send for Region {}
// SAFETY: as above; atomics may be shared between threads.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `len` bytes of `fd` from `offset` (a multiple of the page size).
    pub fn map(
        fd: BorrowedFd<'_>,
        offset: usize,
        len: usize,
        writable: bool,
        what: &str,
    ) -> Result<Region, Error> {
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: a new mapping at an address of the kernel's choice cannot touch existing memory.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                protection,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Error::new(format!("mmap({what}, {len} bytes)"), sys::errno()));
        }
        Ok(Region { start: start.cast(), len, writable })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is nothing mapped? (Never: the kernel refuses empty mappings.)
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn holds(&self, offset: usize, len: usize, align: usize) -> bool {
        offset.is_multiple_of(align) && offset.checked_add(len).is_some_and(|end| end <= self.len)
    }

    fn word(&self, offset: usize) -> Option<&AtomicU64> {
        // SAFETY: in bounds and aligned (the mapping starts on a page); mapped as long as `self` lives.
        self.holds(offset, 8, 8).then(|| unsafe { &*self.start.add(offset).cast::<AtomicU64>() })
    }

    fn half(&self, offset: usize) -> Option<&AtomicU32> {
        // SAFETY: in bounds and aligned (the mapping starts on a page); mapped as long as `self` lives.
        self.holds(offset, 4, 4).then(|| unsafe { &*self.start.add(offset).cast::<AtomicU32>() })
    }

    /// The `u64` at a byte offset; `None` out of bounds or unaligned.
    pub fn load(&self, offset: usize, order: Ordering) -> Option<u64> {
        self.word(offset).map(|word| word.load(order))
    }

    /// The `u32` at a byte offset; `None` out of bounds or unaligned.
    pub fn load_u32(&self, offset: usize, order: Ordering) -> Option<u32> {
        self.half(offset).map(|half| half.load(order))
    }

    /// Stores a `u64`; `None` out of bounds, unaligned or not mapped for writing.
    pub fn store(&self, offset: usize, value: u64, order: Ordering) -> Option<()> {
        if !self.writable {
            return None;
        }
        self.word(offset).map(|word| word.store(value, order))
    }

    /// Replaces a `u64` and returns the old one; `None` as for [`Region::store`].
    pub fn swap(&self, offset: usize, value: u64, order: Ordering) -> Option<u64> {
        if !self.writable {
            return None;
        }
        self.word(offset).map(|word| word.swap(value, order))
    }

    /// Copies bytes out; each aligned word is read whole. `None` out of bounds.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        if !self.holds(offset, out.len(), 1) {
            return None;
        }
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let within = at % 8;
            let take = (8 - within).min(rest.len());
            let (part, tail) = rest.split_at_mut(take);
            match self.word(at - within) {
                Some(word) => {
                    let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
                    part.copy_from_slice(bytes.get(within..within + take)?);
                }
                // Lengths that are no multiple of eight end in bytes of their own.
                None => {
                    for (n, byte) in part.iter_mut().enumerate() {
                        // SAFETY: `at + n` lies in the range checked above.
                        *byte = unsafe { self.start.add(at + n).read_volatile() };
                    }
                }
            }
            at += take;
            rest = tail;
        }
        Some(())
    }

    /// Sets bytes to zero, word by word where aligned. `None` out of bounds or not mapped for writing.
    pub fn zero(&self, offset: usize, len: usize) -> Option<()> {
        if !self.writable || !self.holds(offset, len, 1) {
            return None;
        }
        let end = offset + len;
        let mut at = offset;
        while at < end {
            if at.is_multiple_of(8) && end - at >= 8 {
                self.store(at, 0, Ordering::Relaxed)?;
                at += 8;
            } else {
                // SAFETY: `at` lies in the range checked above and the mapping is writable.
                unsafe { self.start.add(at).write_volatile(0) };
                at += 1;
            }
        }
        Some(())
    }

    /// Bytes that the kernel will not change before it is told that they were consumed.
    ///
    /// # Safety
    /// The caller knows that no writer touches the range while the slice is in use.
    pub(super) unsafe fn stable_bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if !self.holds(offset, len, 1) {
            return None;
        }
        // SAFETY: in bounds, mapped as long as `self` lives, and not written by the caller's promise.
        Some(unsafe { std::slice::from_raw_parts(self.start.add(offset), len) })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: exactly the range that was mapped; no reference into it can outlive `self`.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}
