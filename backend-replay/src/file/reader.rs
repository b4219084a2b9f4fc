//! Bytes to events. One chunk is in memory at a time; damage loses that chunk, a cut-off file its end,
//! and both are said.

use super::chunk::{self, Chunk, FILE_HEADER, Unpacker, kind};
use super::index::{self, Entry, Gate, Place};
use super::schema::{Field, Schema};
use super::types::{self, Answer};
use super::wire::Cursor;
use super::{FileError, Loss, Machine};
use crate::event::{Event, ReadValue};
use crate::hash::Fast;
use duotrace_core::ir::Space;
use duotrace_core::probe::ProbeId;
use duotrace_core::record::Symbol;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

/// Frames of a stack, pieces of memory, answers that an event may have.
const MOST: u64 = 1 << 16;

/// Probes, symbols, names about the recording, losses that a file may have: what bounds a reader's memory.
const MOST_PROBES: usize = 1 << 19;
const MOST_SYMBOLS: usize = 1 << 20;
const MOST_PAIRS: usize = 1 << 16;

/// Bytes of strings and memory that an event may have: one string of the chunk may be named again and again.
const MOST_BYTES: usize = 32 << 20;

/// Damages that are told one by one.
const MOST_DAMAGES: usize = 1000;

/// What comes next in a recording.
#[derive(Debug)]
pub enum Item {
    /// The event has been filled in.
    Event,
    /// Probes were declared.
    Probes(Vec<Schema>),
    Meta(Vec<(String, String)>),
    Losses(Vec<Loss>),
    Symbols(Vec<(Option<u32>, u64, Symbol)>),
    Types(Vec<Answer>),
    /// Where events are.
    Index(Vec<Entry>),
    /// Something is missing: what, in one line. Reading goes on.
    Damage(String),
    /// No more. `whole`: the recording was ended properly.
    End {
        whole: bool,
    },
}

/// Reads a recording from a stream.
#[derive(Debug)]
pub struct Reader<R: Read> {
    pub(super) input: R,
    machine: Machine,
    pub(super) position: u64,
    pub(super) gate: Gate,
    unpacker: Unpacker,
    payload: Vec<u8>,
    /// Where the next event of the chunk begins; none if at its end.
    at: usize,
    /// Why the rest of the chunk is lost, until that is told.
    wrong: Option<FileError>,
    time: u64,
    texts: Vec<Range<usize>>,
    /// What events of each probe carry: its place in `fields`.
    schemas: HashMap<u32, usize, Fast>,
    fields: Vec<Vec<Field>>,
    /// The probe of the event before, and its place: runs of one probe are common.
    latest: Option<(u32, usize)>,
    /// Probes so far, those declared anew included.
    declared: usize,
    /// Types and their parts so far.
    held: usize,
    whole: bool,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Reader<R>, FileError> {
        let machine = chunk::read_header(&mut input)?;
        Ok(Reader {
            input,
            machine,
            position: FILE_HEADER as u64,
            gate: Gate::default(),
            unpacker: Unpacker::new(),
            payload: Vec::new(),
            at: 0,
            wrong: None,
            time: 0,
            texts: Vec::new(),
            schemas: HashMap::default(),
            fields: Vec::new(),
            latest: None,
            declared: 0,
            held: 0,
            whole: false,
            ended: false,
        })
    }

    /// The machine that was traced.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The next event, if that is what comes next: the short way. Otherwise [`Reader::next`] tells what does.
    #[inline]
    pub fn next_event(&mut self, event: &mut Event) -> bool {
        while self.at < self.payload.len() {
            if let Err(error) = self.event(event) {
                // The checksum was right, so whoever wrote it was wrong; the next chunk may be better.
                self.at = self.payload.len();
                self.wrong = Some(error);
                return false;
            }
            match self.gate.place(event.time) {
                Place::Within => return true,
                Place::Outside => {}
                Place::Over => (self.at, self.ended, self.whole) = (self.payload.len(), true, true),
            }
        }
        false
    }

    /// The next thing. After an error or [`Item::End`] there is nothing more.
    pub fn next(&mut self, event: &mut Event) -> Result<Item, FileError> {
        loop {
            if self.wrong.is_none() && self.next_event(event) {
                return Ok(Item::Event);
            }
            if let Some(error) = self.wrong.take() {
                return Ok(Item::Damage(format!("events are lost: {error}")));
            }
            if self.ended {
                return Ok(Item::End { whole: self.whole });
            }
            if let Some(item) = self.chunk()? {
                return Ok(item);
            }
        }
    }

    fn chunk(&mut self) -> Result<Option<Item>, FileError> {
        let start = self.position;
        let read = chunk::read(&mut self.input, start, &mut self.unpacker, &mut self.payload);
        self.at = self.payload.len();
        let (chunk, taken) = match read {
            Ok(read) => read,
            Err(FileError::Bad(what)) => {
                self.ended = true;
                self.whole = false;
                return Ok(Some(Item::Damage(format!("{what}: what follows is lost"))));
            }
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        };
        self.position += taken;
        let kind = match chunk {
            Chunk::Whole(kind) => kind,
            Chunk::Damaged(kind) => {
                self.payload.clear();
                self.at = 0;
                let what = if kind == kind::EVENTS { "events" } else { "a part of it" };
                return Ok(Some(Item::Damage(format!("the chunk at byte {start} is damaged: {what} lost"))));
            }
            Chunk::End => {
                self.ended = true;
                let cut = "the recording was not ended: it may lack its last events";
                return Ok((!self.whole).then(|| Item::Damage(cut.into())));
            }
            Chunk::Cut(bytes) => {
                self.ended = true;
                self.payload.clear();
                self.at = 0;
                return Ok(Some(Item::Damage(format!(
                    "the file ends within a chunk: its last {bytes} bytes, and what followed, are lost"
                ))));
            }
        };
        Ok(self.payload_of(kind, start))
    }

    fn payload_of(&mut self, kind: u8, start: u64) -> Option<Item> {
        if kind == kind::EVENTS {
            self.texts.clear();
            let mut cursor = Cursor::new(&self.payload, 0);
            let Ok(time) = cursor.number() else {
                self.at = self.payload.len();
                return Some(Item::Damage(format!("the chunk at byte {start} has no events")));
            };
            (self.time, self.at) = (time, cursor.at);
            return None;
        }
        let payload = std::mem::take(&mut self.payload);
        self.at = 0;
        let mut cursor = Cursor::new(&payload, 0);
        let item = match kind {
            kind::META => pairs(&mut cursor).map(Item::Meta),
            kind::PROBES => self.probes(&mut cursor).map(Item::Probes),
            kind::LOSSES => losses(&mut cursor).map(Item::Losses),
            kind::SYMBOLS => symbols(&mut cursor).map(Item::Symbols),
            kind::TYPES => types::read(&mut cursor, &mut self.held).map(Item::Types),
            kind::INDEX => index::read(&mut cursor).map(Item::Index),
            kind::END => {
                self.whole = true;
                return None;
            }
            // What later versions add.
            _ => return None,
        };
        Some(item.unwrap_or_else(|error| Item::Damage(format!("the chunk at byte {start}: {error}"))))
    }

    fn probes(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<Schema>, FileError> {
        let mut schemas = Vec::new();
        while !cursor.is_empty() {
            let schema = Schema::read(cursor)?;
            self.declared += 1;
            if self.declared > MOST_PROBES {
                return cursor.bad("too many probes");
            }
            schemas.push(schema);
        }
        self.declare(&schemas);
        Ok(schemas)
    }

    /// Notes what events of these probes carry.
    pub(super) fn declare(&mut self, schemas: &[Schema]) {
        self.latest = None;
        for schema in schemas {
            self.schemas.insert(schema.probe.id.0, self.fields.len());
            self.fields.push(schema.fields.clone());
        }
    }

    #[inline]
    fn event(&mut self, event: &mut Event) -> Result<(), FileError> {
        event.clear();
        let mut cursor = Cursor::new(&self.payload, self.at);
        let probe = cursor.small()?;
        self.time = self.time.wrapping_add_signed(cursor.signed()?);
        (event.probe, event.time) = (ProbeId(probe), self.time);
        (event.cpu, event.pid, event.tid) = (cursor.small()?, cursor.small()?, cursor.small()?);
        let place = match self.latest {
            Some((latest, place)) if latest == probe => Some(place),
            _ => self.schemas.get(&probe).copied(),
        };
        let Some((place, fields)) = place.and_then(|place| Some((place, self.fields.get(place)?))) else {
            return cursor.bad("an event of an unknown probe");
        };
        self.latest = Some((probe, place));
        for field in fields {
            match *field {
                Field::Number(builtin) => event.set_number(builtin, cursor.number()?),
                Field::Text(builtin) => {
                    let text = text(&mut cursor, &mut self.texts, &self.payload)?;
                    event.set_text(builtin, text);
                    if event.bytes() > MOST_BYTES {
                        return cursor.bad("an event is too large");
                    }
                }
                Field::Unknown(true) => {
                    text(&mut cursor, &mut self.texts, &self.payload)?;
                }
                Field::Unknown(false) => {
                    cursor.number()?;
                }
                Field::Arg(n) => event.set_arg(n, cursor.signed()? as u64),
                Field::Register(n) => event.set_register(n, cursor.number()?),
                Field::Stack(user) => {
                    let count = few(&mut cursor)?;
                    let frames = event.new_stack(user);
                    let mut frame = 0u64;
                    for _ in 0..count {
                        frame = frame.wrapping_add_signed(cursor.signed()?);
                        frames.push(frame);
                    }
                }
                Field::Memory => {
                    for _ in 0..few(&mut cursor)? {
                        let flags = cursor.byte()?;
                        let space = if flags & 1 == 0 { Space::Any } else { Space::User };
                        let address = cursor.number()?;
                        let bytes = match flags & 2 {
                            0 => None,
                            _ => Some(text(&mut cursor, &mut self.texts, &self.payload)?),
                        };
                        event.add_memory(space, address, bytes);
                        if event.bytes() > MOST_BYTES {
                            return cursor.bad("an event is too large");
                        }
                    }
                }
                Field::Reads => {
                    for _ in 0..few(&mut cursor)? {
                        let value = match cursor.byte()? {
                            0 => ReadValue::Number(cursor.number()?),
                            1 => ReadValue::Text(Some(text(&mut cursor, &mut self.texts, &self.payload)?)),
                            _ => ReadValue::Text(None),
                        };
                        event.push_read(value);
                        if event.bytes() > MOST_BYTES {
                            return cursor.bad("an event is too large");
                        }
                    }
                }
                Field::TextAnswers => {
                    for _ in 0..few(&mut cursor)? {
                        let answer = match cursor.byte()? {
                            0 => None,
                            _ => Some(text(&mut cursor, &mut self.texts, &self.payload)?),
                        };
                        event.push_text_answer(answer);
                        if event.bytes() > MOST_BYTES {
                            return cursor.bad("an event is too large");
                        }
                    }
                }
                Field::Answers => {
                    for _ in 0..few(&mut cursor)? {
                        event.push_answer(cursor.number()?);
                    }
                }
            }
        }
        self.at = cursor.at;
        Ok(())
    }
}

fn few(cursor: &mut Cursor<'_>) -> Result<u64, FileError> {
    let count = cursor.number()?;
    if count > MOST { cursor.bad("too many of something") } else { Ok(count) }
}

/// A string of the chunk, new or met before.
#[inline(always)]
fn text<'a>(
    cursor: &mut Cursor<'_>,
    texts: &mut Vec<Range<usize>>,
    payload: &'a [u8],
) -> Result<&'a [u8], FileError> {
    let number = cursor.number()? as usize;
    let range = match texts.get(number) {
        Some(range) => range.clone(),
        None => new_text(cursor, texts, number)?,
    };
    Ok(payload.get(range).unwrap_or(&[]))
}

#[cold]
fn new_text(
    cursor: &mut Cursor<'_>,
    texts: &mut Vec<Range<usize>>,
    number: usize,
) -> Result<Range<usize>, FileError> {
    if number != texts.len() {
        return cursor.bad("a string that was not there before");
    }
    let range = cursor.range()?;
    texts.push(range.clone());
    Ok(range)
}

fn pairs(cursor: &mut Cursor<'_>) -> Result<Vec<(String, String)>, FileError> {
    let mut pairs = Vec::new();
    while !cursor.is_empty() {
        pairs.push((cursor.text()?, cursor.text()?));
        if pairs.len() > MOST_PAIRS {
            return cursor.bad("too many names");
        }
    }
    Ok(pairs)
}

fn losses(cursor: &mut Cursor<'_>) -> Result<Vec<Loss>, FileError> {
    let mut losses = Vec::new();
    while !cursor.is_empty() {
        losses.push(Loss { what: cursor.text()?, count: cursor.number()? });
        if losses.len() > MOST_PAIRS {
            return cursor.bad("too many losses");
        }
    }
    Ok(losses)
}

fn symbols(cursor: &mut Cursor<'_>) -> Result<Vec<(Option<u32>, u64, Symbol)>, FileError> {
    let mut symbols = Vec::new();
    while !cursor.is_empty() {
        let pid = cursor.number()?.checked_sub(1).map(|pid| pid as u32);
        let (address, module) = (cursor.number()?, cursor.text()?);
        let name = if cursor.byte()? == 0 { None } else { Some(cursor.text()?) };
        let (offset, module_base) = (cursor.number()?, cursor.number()?);
        symbols.push((pid, address, Symbol { module, name, offset, module_base }));
        if symbols.len() > MOST_SYMBOLS {
            return cursor.bad("too many symbols");
        }
    }
    Ok(symbols)
}

/// What is known of a recording without reading its events.
#[derive(Clone, Debug)]
pub struct Overview {
    pub machine: Machine,
    pub schemas: Vec<Schema>,
    pub meta: Vec<(String, String)>,
    /// By process (`None`: the kernel) and address.
    pub symbols: HashMap<(Option<u32>, u64), Symbol>,
    pub losses: Vec<Loss>,
    /// Time of the first event.
    pub first: Option<u64>,
    pub index: Vec<Entry>,
    pub types: Vec<Answer>,
    /// What is missing, one line each.
    pub damage: Vec<String>,
    /// Was the recording ended properly?
    pub whole: bool,
}

impl Overview {
    /// An empty recording of a machine.
    pub fn new(machine: Machine) -> Overview {
        Overview {
            machine,
            schemas: Vec::new(),
            meta: Vec::new(),
            symbols: HashMap::new(),
            losses: Vec::new(),
            first: None,
            index: Vec::new(),
            types: Vec::new(),
            damage: Vec::new(),
            whole: false,
        }
    }
}

impl Overview {
    fn tell(&mut self, damage: String) {
        if self.damage.len() < MOST_DAMAGES {
            self.damage.push(damage);
        }
    }
}

/// Reads everything but the events, which are passed over.
pub fn skim<R: Read + std::io::Seek>(input: R) -> Result<Overview, FileError> {
    let mut reader = Reader::new(input)?;
    let mut overview = Overview::new(reader.machine);
    let mut event = Event::default();
    loop {
        if overview.first.is_some()
            && let Some(taken) = chunk::pass_over(&mut reader.input, kind::EVENTS)?
        {
            reader.position += taken;
            continue;
        }
        match reader.next(&mut event)? {
            Item::Event => {
                overview.first.get_or_insert(event.time);
                reader.at = reader.payload.len();
            }
            Item::Index(index) => overview.index = index,
            Item::Types(types) => overview.types.extend(types),
            Item::Probes(schemas) => overview.schemas.extend(schemas),
            Item::Meta(meta) if overview.meta.len() < MOST_PAIRS => overview.meta.extend(meta),
            Item::Losses(losses) if overview.losses.len() < MOST_PAIRS => overview.losses.extend(losses),
            Item::Meta(_) | Item::Losses(_) => overview.tell("too many names or losses".into()),
            Item::Symbols(symbols) => {
                let named = symbols.into_iter().map(|(pid, address, symbol)| ((pid, address), symbol));
                if overview.symbols.len() < MOST_SYMBOLS {
                    overview.symbols.extend(named);
                } else {
                    overview.tell("too many symbols".into());
                }
            }
            Item::Damage(what) => overview.tell(what),
            Item::End { whole } => {
                overview.whole = whole;
                return Ok(overview);
            }
        }
    }
}
