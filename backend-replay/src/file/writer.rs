//! Events to bytes. What is written is whole after every chunk: a recording that is cut off
//! loses no more than the last one.

use super::chunk::{self, FILE_HEADER, kind};
use super::index::Entry;
use super::schema::{Field, Schema, space_number};
use super::types::Answer;
use super::wire::{put, put_bytes, put_signed};
use super::{FileError, Loss, Machine};
use crate::event::{Event, ReadValue};
use crate::hash::Fast;
use duotrace_core::record::Symbol;
use std::collections::HashMap;
use std::io::Write;

/// Bytes of events before they make a chunk.
const CHUNK: usize = 256 << 10;

/// Entries of the index before neighbours are made one: what bounds the writer's memory, and the chunk it becomes.
const MOST_ENTRIES: usize = if cfg!(test) { 64 } else { 1 << 16 };

/// Writes a recording.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    position: u64,
    schemas: HashMap<u32, Vec<Field>, Fast>,
    events: Vec<u8>,
    /// The chunk that is being made, and the time of its latest event so far.
    pending: Option<Entry>,
    last: u64,
    /// Strings of the chunk by their contents.
    texts: HashMap<Vec<u8>, u64>,
    index: Vec<Entry>,
    total: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a recording.
    pub fn new(mut out: W, machine: Machine) -> Result<Writer<W>, FileError> {
        chunk::write_header(&mut out, machine)?;
        Ok(Writer {
            out,
            position: FILE_HEADER as u64,
            schemas: HashMap::default(),
            events: Vec::new(),
            pending: None,
            last: 0,
            texts: HashMap::new(),
            index: Vec::new(),
            total: 0,
        })
    }

    fn chunk(&mut self, kind: u8, payload: &[u8]) -> Result<(), FileError> {
        self.position += chunk::write(&mut self.out, kind, payload)?;
        Ok(())
    }

    /// Says something about the recording: the script, the host.
    pub fn meta(&mut self, pairs: &[(&str, &str)]) -> Result<(), FileError> {
        let mut payload = Vec::new();
        for (name, value) in pairs {
            put_bytes(&mut payload, name.as_bytes());
            put_bytes(&mut payload, value.as_bytes());
        }
        self.chunk(kind::META, &payload)
    }

    /// Declares probes; before their first event.
    pub fn probes(&mut self, schemas: &[Schema]) -> Result<(), FileError> {
        self.flush()?;
        for some in schemas.chunks(1024) {
            let mut payload = Vec::new();
            for schema in some {
                schema.write(&mut payload);
                self.schemas.insert(schema.probe.id.0, schema.fields.clone());
            }
            self.chunk(kind::PROBES, &payload)?;
        }
        Ok(())
    }

    /// Where the events so far are.
    #[cfg(test)]
    pub(super) fn entries(&self) -> &[Entry] {
        &self.index
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.total
    }

    /// Adds an event. One of a probe that was not declared is left out.
    pub fn event(&mut self, event: &Event) -> Result<(), FileError> {
        let Some(fields) = self.schemas.get(&event.probe.0) else { return Ok(()) };
        let out = &mut self.events;
        let one = Entry { place: self.position, events: 1, earliest: event.time, latest: event.time };
        self.pending = Some(match self.pending {
            Some(entry) => entry.with(one),
            None => {
                self.last = event.time;
                put(out, event.time);
                one
            }
        });
        put(out, u64::from(event.probe.0));
        put_signed(out, event.time.wrapping_sub(self.last) as i64);
        self.last = event.time;
        for value in [event.cpu, event.pid, event.tid] {
            put(out, u64::from(value));
        }
        for field in fields {
            match *field {
                Field::Number(builtin) => put(out, event.number(builtin).unwrap_or(0)),
                Field::Text(builtin) => text(out, &mut self.texts, event.text(builtin).unwrap_or(b"")),
                Field::Unknown(true) => text(out, &mut self.texts, b""),
                Field::Unknown(false) => put(out, 0),
                Field::Arg(n) => put_signed(out, event.arg(n).unwrap_or(0) as i64),
                Field::Register(n) => put(out, event.register(n).unwrap_or(0)),
                Field::Stack(user) => {
                    let frames = event.stack(user).unwrap_or(&[]);
                    put(out, frames.len() as u64);
                    let mut before = 0u64;
                    for frame in frames {
                        put_signed(out, frame.wrapping_sub(before) as i64);
                        before = *frame;
                    }
                }
                Field::Memory => {
                    put(out, event.regions().count() as u64);
                    for (space, address, bytes) in event.regions() {
                        out.push(space_number(space) | if bytes.is_some() { 2 } else { 0 });
                        put(out, address);
                        if let Some(bytes) = bytes {
                            text(out, &mut self.texts, bytes);
                        }
                    }
                }
                Field::Reads => {
                    put(out, event.reads().len() as u64);
                    for value in event.reads() {
                        match value {
                            ReadValue::Number(number) => {
                                out.push(0);
                                put(out, number);
                            }
                            ReadValue::Text(Some(value)) => {
                                out.push(1);
                                text(out, &mut self.texts, value);
                            }
                            ReadValue::Text(None) => out.push(2),
                        }
                    }
                }
                Field::TextAnswers => {
                    put(out, event.text_answers().len() as u64);
                    for answer in event.text_answers() {
                        out.push(u8::from(answer.is_some()));
                        if let Some(answer) = answer {
                            text(out, &mut self.texts, answer);
                        }
                    }
                }
                Field::Answers => {
                    put(out, event.answers().len() as u64);
                    event.answers().iter().for_each(|answer| put(out, *answer));
                }
            }
        }
        self.total += 1;
        if self.events.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes a chunk of the events that wait.
    pub fn flush(&mut self) -> Result<(), FileError> {
        let Some(entry) = self.pending.take() else { return Ok(()) };
        self.index.push(entry);
        if self.index.len() > MOST_ENTRIES {
            let pairs = self.index.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Entry::with));
            self.index = pairs.collect();
        }
        let payload = std::mem::take(&mut self.events);
        self.chunk(kind::EVENTS, &payload)?;
        self.events = payload;
        self.events.clear();
        self.texts.clear();
        self.out.flush()?;
        Ok(())
    }

    /// Notes what was lost up to here.
    pub fn losses(&mut self, losses: &[Loss]) -> Result<(), FileError> {
        self.flush()?;
        let mut payload = Vec::new();
        for loss in losses {
            put_bytes(&mut payload, loss.what.as_bytes());
            put(&mut payload, loss.count);
        }
        self.chunk(kind::LOSSES, &payload)
    }

    /// Names for addresses; `None` as process is the kernel.
    pub fn symbols(&mut self, symbols: &[(Option<u32>, u64, Symbol)]) -> Result<(), FileError> {
        self.flush()?;
        for some in symbols.chunks(4096) {
            let mut payload = Vec::new();
            for (pid, address, symbol) in some {
                put(&mut payload, pid.map_or(0, |pid| u64::from(pid) + 1));
                put(&mut payload, *address);
                put_bytes(&mut payload, symbol.module.as_bytes());
                match &symbol.name {
                    Some(name) => {
                        payload.push(1);
                        put_bytes(&mut payload, name.as_bytes());
                    }
                    None => payload.push(0),
                }
                put(&mut payload, symbol.offset);
                put(&mut payload, symbol.module_base);
            }
            self.chunk(kind::SYMBOLS, &payload)?;
        }
        Ok(())
    }

    /// What the kernel's types are.
    pub fn types(&mut self, answers: &[Answer]) -> Result<(), FileError> {
        self.flush()?;
        // A chunk for each: a structure with all it holds may be large.
        for answer in answers {
            let mut payload = Vec::new();
            answer.write(&mut payload);
            if payload.len() <= chunk::LARGEST {
                self.chunk(kind::TYPES, &payload)?;
            }
        }
        Ok(())
    }

    /// Sees to it that a tracer which is killed now leaves what it has recorded.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.flush()?;
        Ok(self.out.flush()?)
    }

    /// Ends the recording: the index, and a mark that it is whole.
    pub fn finish(mut self) -> Result<W, FileError> {
        self.flush()?;
        let place = self.position;
        let mut payload = Vec::new();
        put(&mut payload, self.index.len() as u64);
        for entry in &self.index {
            for value in [entry.place, entry.events, entry.earliest, entry.latest] {
                put(&mut payload, value);
            }
        }
        self.chunk(kind::INDEX, &payload)?;
        let mut payload = Vec::new();
        put(&mut payload, self.total);
        put(&mut payload, place);
        self.chunk(kind::END, &payload)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A string: its number in the chunk, and itself when it is new there.
fn text(out: &mut Vec<u8>, texts: &mut HashMap<Vec<u8>, u64>, bytes: &[u8]) {
    if let Some(number) = texts.get(bytes) {
        return put(out, *number);
    }
    let number = texts.len() as u64;
    texts.insert(bytes.to_vec(), number);
    put(out, number);
    put_bytes(out, bytes);
}
