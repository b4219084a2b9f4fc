//! Addresses: the memory that the event knows, and the firing's scratch memory.

use super::{Firing, Halt, Res};
use crate::event::Read;
use duotrace_core::ir::{Fault, SCRATCH_TAG, Space, Ty};

/// Is it a pointer into scratch memory? Then its offset.
pub(super) fn scratch_offset(address: u64) -> Option<usize> {
    (address >> 48 == SCRATCH_TAG).then_some(address as u32 as usize)
}

impl Firing<'_> {
    /// A number in memory.
    pub(super) fn load(&mut self, address: u64, space: Space, ty: Ty) -> Res<u64> {
        let width = match ty {
            Ty::Int { bytes, .. } => usize::from(bytes),
            _ => 8,
        };
        let found = self.memory(address, space, width)?;
        Ok(self.number_at(found, 0, ty))
    }

    /// An object in memory.
    pub(super) fn load_bytes(&mut self, address: u64, space: Space, size: usize) -> Res<Vec<u8>> {
        Ok(self.memory(address, space, size)?.to_vec())
    }

    /// `size` bytes at an address.
    pub(super) fn memory(&self, address: u64, space: Space, size: usize) -> Res<&[u8]> {
        let bad = Halt::Fault(Fault::BadAddr, address);
        if let Some(offset) = scratch_offset(address) {
            return self.machine.scratch.get(offset..offset + size).ok_or(bad);
        }
        if size == 0 {
            // Reading nothing is fine wherever a process can have memory.
            let fine = space == Space::Any || address >> 47 == 0;
            return if fine { Ok(&[]) } else { Err(bad) };
        }
        match self.event.read(space, address) {
            Read::Known(bytes) if bytes.len() >= size => bytes.get(..size).ok_or(bad),
            Read::Known(_) if self.event.complete => Err(bad),
            Read::Faulted => Err(bad),
            Read::Known(_) | Read::Unknown => Err(lacks(address, space, size)),
        }
    }

    /// The string at an address: at most `limit` bytes with its NUL.
    pub(super) fn memory_string(&self, address: u64, space: Space, limit: usize) -> Res<&[u8]> {
        if limit == 0 {
            return Ok(&[]);
        }
        let bad = Halt::Fault(Fault::BadAddr, address);
        let (bytes, scratch) = match scratch_offset(address) {
            Some(offset) => {
                // Scratch memory ends every string.
                let bytes = self.machine.scratch.get(offset..).filter(|bytes| !bytes.is_empty());
                (bytes.ok_or(bad.clone())?, true)
            }
            None => match self.event.read(space, address) {
                Read::Known(bytes) => (bytes, false),
                Read::Faulted => return Err(bad),
                Read::Unknown => return Err(lacks(address, space, limit)),
            },
        };
        let window = bytes.get(..limit).unwrap_or(bytes);
        match window.iter().position(|byte| *byte == 0) {
            Some(end) => Ok(window.get(..end).unwrap_or(window)),
            None if window.len() == limit => Ok(window.get(..limit - 1).unwrap_or(window)),
            None if scratch => Ok(window),
            None if self.event.complete => Err(bad),
            None => Err(lacks(address.wrapping_add(window.len() as u64), space, limit - window.len())),
        }
    }

    /// Takes scratch memory, zeroed: a tagged pointer.
    pub(super) fn take_scratch(&mut self, size: u64) -> Res<u64> {
        let most = u64::from(self.machine.config.scratch.clamp(64, 1 << 20) & !7);
        let top = self.machine.scratch.len() as u64;
        let none = Halt::Fault(Fault::NoScratch, 0);
        if size > most {
            return Err(none);
        }
        let end = (top + size + 7) & !7;
        if end > most {
            return Err(none);
        }
        self.machine.scratch.resize(end as usize, 0);
        Ok(SCRATCH_TAG << 48 | top)
    }

    /// `copyin`: user memory in fresh scratch memory.
    pub(super) fn copyin(&mut self, address: u64, size: u64) -> Res<u64> {
        let pointer = self.take_scratch(size)?;
        if scratch_offset(address).is_some() && size != 0 {
            return Err(Halt::Fault(Fault::BadAddr, address));
        }
        let bytes = self.memory(address, Space::User, size as usize)?.to_vec();
        let at = pointer as u32 as usize;
        if let Some(to) = self.machine.scratch.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(&bytes);
        }
        Ok(pointer)
    }

    /// `copyinto`, `bcopy`: memory to scratch memory that a pointer names.
    pub(super) fn copy_to_scratch(&mut self, from: u64, size: u64, to: u64, space: Space) -> Res {
        if size > u64::from(self.machine.config.scratch.clamp(64, 1 << 20) & !7) {
            return Err(Halt::Fault(Fault::NoScratch, 0));
        }
        let size = size as usize;
        let Some(at) = scratch_offset(to).filter(|at| at + size <= self.machine.scratch.len()) else {
            return Err(Halt::Fault(Fault::BadAddr, to));
        };
        let bytes = self.memory(from, space, size)?.to_vec();
        if let Some(to) = self.machine.scratch.get_mut(at..at + size) {
            to.copy_from_slice(&bytes);
        }
        Ok(())
    }
}

/// The recording has no such memory.
fn lacks(address: u64, space: Space, size: usize) -> Halt {
    let whose = if space == Space::User { "user" } else { "kernel" };
    Halt::Lacks(format!("{size} bytes of {whose} memory at {address:#x}"))
}
