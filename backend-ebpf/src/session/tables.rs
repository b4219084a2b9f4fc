//! Frame tables for the kernel side: which objects each traced process has, and the rows of each object.
//!
//! The processes of `-c` and `-p` get theirs before anything fires, forked ones with their parent's (`codegen::forks`).
//! Others are asked for by the programs themselves, when a stack is wanted of a process that has none: its first stacks,
//! until we have looked at it, are those of the frame pointers.

use super::load::Maps;
use super::system;
use crate::codegen::layout::{self, unwind};
use crate::kernel::map::ArrayParts;
use crate::kernel::ringbuf::RingBuffer;
use crate::process::{self, maps};
use crate::symbols::elf::{Elf, FileId};
use crate::symbols::frames;
use duotrace_core::backend::BackendError;
use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long a process's objects are taken for current.
const FRESH: Duration = Duration::from_secs(1);
/// New processes of one look at most: the others ask again.
const AT_ONCE: usize = 16;

/// Bytes of code that are in every library, for its start and end (crtstuff.c of GCC).
const NO_CODE: u64 = 256;

/// An object's rows in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rows {
    first: u32,
    count: u32,
}

/// Code of a process: from where to where, its load bias, its rows.
type Range = (u64, u64, u64, Rows);

/// A process as the kernel side knows it.
fn key(pid: i32) -> [u8; 8] {
    u64::from(pid.cast_unsigned()).to_ne_bytes()
}

/// What is known of a process.
#[derive(Debug)]
struct Seen {
    at: Instant,
    ranges: Vec<Range>,
    /// Changes with the ranges, and is no other process's.
    version: u32,
}

/// What the kernel side has.
#[derive(Debug)]
pub struct Tables {
    rows: ArrayParts,
    strangers: RingBuffer,
    objects: HashMap<FileId, (Rows, Elf)>,
    /// The next free row.
    next: u32,
    seen: HashMap<i32, Seen>,
    versions: u32,
    /// What is to be said of files whose stacks may be short.
    short: Vec<String>,
}

impl Tables {
    /// `None` for scripts without user stacks.
    pub fn new(maps: &Maps) -> Result<Option<Tables>, BackendError> {
        let (Some(rows), Some(strangers)) = (maps.get(&layout::ROWS.0), maps.get(&layout::STRANGERS.0))
        else {
            return Ok(None);
        };
        Ok(Some(Tables {
            rows: rows.parts().map_err(system)?,
            strangers: RingBuffer::new(strangers).map_err(system)?,
            objects: HashMap::new(),
            next: 0,
            seen: HashMap::new(),
            versions: 0,
            short: Vec::new(),
        }))
    }

    /// Gives the kernel side the objects of a process.
    pub fn add(&mut self, pid: i32, maps: &Maps) {
        let Some(processes) = maps.get(&layout::OBJECTS.0) else { return };
        let mut ranges = Vec::new();
        for object in maps::objects(pid).unwrap_or_default() {
            let Some((rows, bias)) = self.object(pid, &object) else { continue };
            for mapping in object.mappings.iter().filter(|mapping| mapping.exec) {
                ranges.push((mapping.start, mapping.end, bias, rows));
            }
        }
        ranges.sort_by_key(|range| range.0);
        ranges.truncate(unwind::OBJECTS as usize);
        let mut value = Vec::with_capacity((unwind::HEAD + unwind::OBJECTS * unwind::OBJECT) as usize);
        let version = match self.seen.get(&pid) {
            Some(seen) if seen.ranges == ranges => seen.version,
            _ => {
                self.versions = self.versions.wrapping_add(1);
                self.versions
            }
        };
        value.extend((ranges.len() as u32).to_ne_bytes());
        value.extend(version.to_ne_bytes());
        for (start, end, bias, Rows { first, count }) in &ranges {
            value.extend([*start, *end, *bias].iter().flat_map(|word| word.to_ne_bytes()));
            value.extend(first.to_ne_bytes());
            value.extend(count.to_ne_bytes());
        }
        for _ in ranges.len()..unwind::OBJECTS as usize {
            value.extend(unwind::NOWHERE.to_ne_bytes());
            value.resize(value.len() + unwind::OBJECT as usize - 8, 0);
        }
        // Without an entry the frame pointers are followed, as before.
        let _ = processes.update(&key(pid), &value);
        self.seen.insert(pid, Seen { at: Instant::now(), ranges, version });
    }

    /// The rows of an object, made when it is seen for the first time, and where this process has it.
    fn object(&mut self, pid: i32, object: &maps::Object) -> Option<(Rows, u64)> {
        if let Some((rows, elf)) = self.objects.get(&object.id) {
            return Some((*rows, object.load_bias(elf)?));
        }
        let elf = object.open(pid).ok()?;
        let bias = object.load_bias(&elf)?;
        let made = frames::rows(&elf);
        let fits = self.next.checked_add(made.len() as u32).is_some_and(|end| end <= unwind::ROWS)
            && self.keep(&made).is_some();
        let none = Rows { first: 0, count: 0 };
        let rows = if fits { Rows { first: self.next, count: made.len() as u32 } } else { none };
        if rows.count == 0 {
            // A file of data only is no part of any stack.
            if elf.section(".text").is_none_or(|text| text.size > NO_CODE) {
                let why = if made.is_empty() { "has no frame tables" } else { "has too many frame tables" };
                self.short.push(format!("{} {why}: its user stacks may be short", object.name));
            }
        } else {
            self.next += rows.count;
        }
        self.objects.insert(object.id, (rows, elf));
        Some((rows, bias))
    }

    /// Puts rows where the next free ones are.
    fn keep(&self, rows: &[u64]) -> Option<()> {
        if rows.is_empty() {
            return Some(());
        }
        let part = self.rows.map(self.next as usize * 8, rows.len() * 8).ok()?;
        rows.iter().enumerate().try_for_each(|(index, row)| part.store(index * 8, *row))
    }

    /// Makes the tables that were asked for since, and those of known processes that have mapped more.
    /// Gives the processes whose tables were made.
    pub fn look(&mut self, mapped: &BTreeSet<i32>, maps: &Maps) -> BTreeSet<i32> {
        let mut asked = BTreeSet::new();
        self.strangers.drain(|record| {
            let pid = record.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
            asked.extend(pid);
        });
        let now = Instant::now();
        let fresh = |seen: &Seen| now.duration_since(seen.at) < FRESH;
        asked.retain(|pid| !self.seen.get(pid).is_some_and(fresh));
        if self.seen.len() > 16 * unwind::PROCESSES as usize {
            self.seen.retain(|_, seen| fresh(seen));
        }
        // Forked ones have tables that nobody gave them from here.
        let forked = |pid: &i32| {
            let entry = maps.get(&layout::OBJECTS.0).map(|objects| objects.lookup(&key(*pid)));
            matches!(entry, Some(Ok(Some(_))))
        };
        let known = mapped.iter().copied().filter(|pid| self.seen.contains_key(pid) || forked(pid));
        let known: Vec<i32> = known.collect();
        asked.retain(|pid| !known.contains(pid));
        // Whoever is one of many of a server's: those to come get their tables from it when they are forked.
        let parents: Vec<i32> = asked.iter().take(AT_ONCE).filter_map(|pid| self.server(*pid)).collect();
        let asked = asked.into_iter().take(AT_ONCE);
        let made: BTreeSet<i32> = known.into_iter().chain(asked).chain(parents).collect();
        made.iter().for_each(|pid| self.add(*pid, maps));
        made
    }

    /// The process that another was forked from, where both run the same program and that one is not known yet.
    fn server(&self, pid: i32) -> Option<i32> {
        let child = process::read(pid)?;
        let parent =
            process::read(child.ppid).filter(|parent| parent.exe.is_some() && parent.exe == child.exe)?;
        (!self.seen.contains_key(&parent.pid)).then_some(parent.pid)
    }

    /// Becomes readable when a process without tables is met; `None` while others wait that nobody shall be woken for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        (self.strangers.pending() == 0).then(|| self.strangers.as_fd())
    }

    /// What is to be said of objects, once of each.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.short)
    }
}
