//! Bounded reads: little-endian fields of a byte slice, and pieces of a file.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where the bytes of an object come from.
#[derive(Debug)]
pub(super) enum Source {
    File { file: File, len: u64 },
    Bytes(Vec<u8>),
}

impl Source {
    pub(super) fn len(&self) -> u64 {
        match self {
            Source::File { len, .. } => *len,
            Source::Bytes(b) => b.len() as u64,
        }
    }

    /// Exactly `len` bytes at `offset`; `None` when the file does not hold them (checked before
    /// anything is allocated, so a lying header cannot ask for more memory than the file is long).
    pub(super) fn read(&self, offset: u64, len: u64) -> Option<Vec<u8>> {
        let end = offset.checked_add(len)?;
        if end > self.len() {
            return None;
        }
        match self {
            Source::File { file, .. } => {
                let mut buf = vec![0; usize::try_from(len).ok()?];
                file.read_exact_at(&mut buf, offset).ok()?;
                Some(buf)
            }
            Source::Bytes(b) => {
                b.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?).map(<[u8]>::to_vec)
            }
        }
    }
}

pub(super) fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(b.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(b.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The NUL-terminated bytes at `at`, without the NUL; `None` past the end or without a NUL.
pub(super) fn cstr_at(b: &[u8], at: usize) -> Option<&[u8]> {
    let rest = b.get(at..)?;
    let end = rest.iter().position(|&c| c == 0)?;
    rest.get(..end)
}

/// Rounds up to a multiple of four, as note fields are padded.
pub(super) fn align4(n: usize) -> Option<usize> {
    Some(n.checked_add(3)? & !3)
}

/// One ELF note: owner, type, descriptor.
pub(super) struct Note<'a> {
    pub(super) owner: &'a [u8],
    pub(super) kind: u32,
    pub(super) desc: &'a [u8],
}

/// The notes of a section or segment; stops at the first malformed one.
pub(super) fn notes(data: &[u8]) -> impl Iterator<Item = Note<'_>> {
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let namesz = u32_at(data, at)? as usize;
        let descsz = u32_at(data, at.checked_add(4)?)? as usize;
        let kind = u32_at(data, at.checked_add(8)?)?;
        let name_at = at.checked_add(12)?;
        let desc_at = name_at.checked_add(align4(namesz)?)?;
        let owner = data.get(name_at..name_at.checked_add(namesz)?)?;
        let desc = data.get(desc_at..desc_at.checked_add(descsz)?)?;
        at = desc_at.checked_add(align4(descsz)?)?;
        Some(Note { owner: owner.strip_suffix(b"\0").unwrap_or(owner), kind, desc })
    })
}
