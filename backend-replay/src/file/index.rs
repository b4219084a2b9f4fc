//! Windows of a recording, and the index that finds them without reading what lies before.

use super::wire::Cursor;
use super::{FileError, Overview, Reader};
use std::io::{Read, Seek, SeekFrom};

/// Entries that a reader keeps; a writer keeps fewer.
const MOST: usize = 1 << 17;

/// Events later than a window that are read before it counts as over: those of several processors stand nearly in order.
const NEARLY: u32 = 1 << 16;

/// A run of chunks of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the first chunk begins.
    pub place: u64,
    pub events: u64,
    /// Times of the earliest and of the latest event.
    pub earliest: u64,
    pub latest: u64,
}

impl Entry {
    /// One entry for two runs, this one first.
    pub(super) fn with(self, next: Entry) -> Entry {
        Entry {
            place: self.place,
            events: self.events + next.events,
            earliest: self.earliest.min(next.earliest),
            latest: self.latest.max(next.latest),
        }
    }
}

/// Reads the payload of an INDEX.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<Entry>, FileError> {
    let count = cursor.number()?;
    if count > MOST as u64 {
        return cursor.bad("too many entries");
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let (place, events) = (cursor.number()?, cursor.number()?);
        entries.push(Entry { place, events, earliest: cursor.number()?, latest: cursor.number()? });
    }
    Ok(entries)
}

/// A time from which and one until which events are wanted, both inclusive, in ns since the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: u64,
    pub until: u64,
}

impl Default for Window {
    /// Everything.
    fn default() -> Window {
        Window { from: 0, until: u64::MAX }
    }
}

/// What a reader lets pass: a window in the recording's own time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gate {
    window: Window,
    later: u32,
}

/// Where an event stands to a window.
pub(super) enum Place {
    Within,
    Outside,
    /// Nothing more will be within.
    Over,
}

impl Gate {
    pub fn place(&mut self, time: u64) -> Place {
        if time > self.window.until {
            self.later += 1;
            return if self.later > NEARLY { Place::Over } else { Place::Outside };
        }
        if time < self.window.from { Place::Outside } else { Place::Within }
    }
}

impl Window {
    /// The window in a recording's own time.
    pub fn of(self, first: u64) -> Window {
        Window { from: first.saturating_add(self.from), until: first.saturating_add(self.until) }
    }

    /// Is everything within?
    pub fn is_whole(&self) -> bool {
        *self == Window::default()
    }
}

impl<R: Read + Seek> Reader<R> {
    /// From now on only events of a window come; what lies before is passed over where the index allows. `overview` is
    /// the same file's.
    pub fn enter(&mut self, overview: &Overview, window: Window) -> Result<(), FileError> {
        let Some(first) = overview.first.filter(|_| !window.is_whole()) else { return Ok(()) };
        let window = window.of(first);
        let entry = overview.index.iter().find(|entry| entry.latest >= window.from);
        if let Some(entry) = entry.filter(|_| window.from > first) {
            // The probes that are declared on the way there.
            self.declare(&overview.schemas);
            self.position = self.input.seek(SeekFrom::Start(entry.place))?;
        }
        self.gate = Gate { window, later: 0 };
        Ok(())
    }
}
