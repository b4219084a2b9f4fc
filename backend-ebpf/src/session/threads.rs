//! Which processes have the threads that virtual probes look at, and where: the rows of `layout::LOOKED_AT`.
//!
//! Those of the processes that there are, are made before anything fires. Later ones are asked for by the programs when
//! they meet a thread: it is answered at once, so that no more is missed than what fires in the milliseconds until then.
//! All are found out again now and then, for a process may become another program.

use super::load::Maps;
use super::{sys, system};
use crate::codegen::layout::{self, threads};
use crate::kernel::Map;
use crate::kernel::ringbuf::RingBuffer;
use crate::process::maps::{self, Object};
use crate::process::pids;
use crate::process::usdt_scan::{Scan, Scanner};
use crate::provider::usdt;
use crate::symbols::elf::{Elf, FileId};
use duotrace_core::backend::BackendError;
use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};

/// Where a C library keeps what its threads hold in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Library {
    blocks: u32,
    data: u32,
}

/// The rows' keeper.
#[derive(Debug)]
pub struct Threads {
    asked: RingBuffer,
    scanner: Scanner,
    libraries: HashMap<FileId, Option<Library>>,
    /// What is to be said of processes that cannot be looked at.
    notes: Vec<String>,
}

/// What the file says for debuggers: a field's size in bits, how many there are, where it is.
fn described(elf: &Elf, name: &str) -> Option<[u32; 3]> {
    let bytes = elf.read_vaddr(elf.symbol_vaddr(name)?, 12)?;
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some([word(0)?, word(4)?, word(8)?])
}

/// glibc's layout, where it is the one that `codegen::threads` follows.
fn library(elf: &Elf) -> Option<Library> {
    let [_, _, blocks] = described(elf, "_thread_db_pthread_specific")?;
    let [data_bits, _, data] = described(elf, "_thread_db_pthread_key_data_data")?;
    let [entry_bits, entries, first] = described(elf, "_thread_db_pthread_key_data_level2_data")?;
    let usual = data_bits == 64
        && entry_bits == 8 << threads::ENTRY_BITS
        && entries == 1 << threads::BLOCK_BITS
        && first == 0;
    usual.then_some(Library { blocks, data })
}

/// Makes the row of a process. One that cannot be made is asked for again.
fn put(rows: &Map, pid: i32, (key, file, Library { blocks, data }): (u64, u64, Library)) {
    let mut value = Vec::with_capacity(threads::VALUE as usize);
    value.extend([key, file, sys::monotonic()].iter().flat_map(|word| word.to_ne_bytes()));
    value.extend([blocks, data].iter().flat_map(|word| word.to_ne_bytes()));
    let _ = rows.update(&u64::from(pid.cast_unsigned()).to_ne_bytes(), &value);
}

impl Threads {
    /// `None` for scripts without such probes.
    pub fn new(maps: &Maps, scanner: Scanner) -> Result<Option<Threads>, BackendError> {
        let Some(unknown) = maps.get(&layout::UNKNOWN.0) else { return Ok(None) };
        let asked = RingBuffer::new(unknown).map_err(system)?;
        Ok(Some(Threads { asked, scanner, libraries: HashMap::new(), notes: Vec::new() }))
    }

    /// Readable when a program has asked.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }

    /// Answers what was asked since.
    pub fn look(&mut self, maps: &Maps) {
        let mut asked = BTreeSet::new();
        self.asked.drain(|record| {
            let pid = record.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
            asked.extend(pid);
        });
        let Some(rows) = maps.get(&layout::LOOKED_AT.0) else { return };
        for pid in asked {
            let place = self.place(pid).unwrap_or((0, 0, Library { blocks: 0, data: 0 }));
            put(rows, pid, place);
        }
    }

    /// Makes the rows of the processes that there are.
    pub fn fill(&mut self, maps: &Maps) {
        let Some(rows) = maps.get(&layout::LOOKED_AT.0) else { return };
        for pid in pids() {
            if let Some(place) = self.place(pid) {
                put(rows, pid, place);
            }
        }
    }

    /// Where a process has the key, in which file, and how its C library keeps what is in it.
    fn place(&mut self, pid: i32) -> Option<(u64, u64, Library)> {
        let mut scan = Scan::default();
        self.scanner.add(pid, &mut scan);
        let (file, key) = scan.files.values().find_map(|file| {
            let look = file.sites.iter().find_map(|site| site.recipes.as_ref()?.look)?;
            Some((file, look.key))
        })?;
        let objects = maps::objects(pid).ok()?;
        let bias = objects.iter().find(|object| object.id == file.id)?.load_bias(&file.elf)?;
        let known = objects
            .iter()
            .filter(|object| object.name.starts_with("libc") || object.name.starts_with("libpthread"))
            .find_map(|object| self.library(pid, object));
        if known.is_none() {
            let note =
                format!("threads of process {pid} are not looked at: its C library is none that is known");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Some((bias.wrapping_add(key), usdt::number(file.id), known?))
    }

    fn library(&mut self, pid: i32, object: &Object) -> Option<Library> {
        let opened = || object.open(pid).ok().and_then(|elf| library(&elf));
        *self.libraries.entry(object.id).or_insert_with(opened)
    }

    /// What is to be said, once of each process.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this process finds by `pthread_getspecific` must be where the layout says.
    #[test]
    fn this_libc_is_known() {
        let objects = maps::objects(std::process::id().cast_signed()).unwrap();
        let libc = objects.iter().find(|object| object.name.starts_with("libc.so")).unwrap();
        let library = library(&libc.open(std::process::id().cast_signed()).unwrap()).unwrap();
        assert_eq!(library.data, 8);
        assert!(library.blocks > 0 && library.blocks.is_multiple_of(8), "{library:?}");
    }
}
