//! The backend that runs programs over a recording: its probes are the recording's,
//! its clock is the events' times.
//!
//! `timers` are the tick and profile probes of virtual time, `symbols` the names
//! that the recording has, `types` the kernel's types that it has, `running` the session.

mod running;
mod symbols;
mod timers;
mod types;

#[cfg(test)]
mod tests;

use crate::event::Event;
use crate::file::{FileError, Item, Machine, Overview, Reader, Schema, Window, skim};
use crate::synthetic;
use duotrace_core::backend::{
    Backend, BackendError, LibraryPart, LoadError, ProbeMatch, Session, TypeSource,
};
use duotrace_core::ir::Program;
use duotrace_core::options::Options;
use duotrace_core::probe::{Probe, ProbeDesc, ProbeId, is_glob};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where events come from.
#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    /// A recording in memory.
    Bytes(Rc<[u8]>),
    /// Written by hand.
    Text(Rc<Vec<Event>>),
}

/// A recording as a system that can be traced.
#[derive(Debug)]
pub struct Replay {
    origin: Origin,
    overview: Rc<Overview>,
    probes: Rc<BTreeMap<u32, Probe>>,
    /// Probes of virtual time: their period in ns.
    timers: BTreeMap<u32, u64>,
    /// Wait between events as long as it took when they were recorded.
    realtime: bool,
    window: Window,
    types: types::RecordedTypes,
    /// Will the program be the one that was recorded?
    own: bool,
}

impl Replay {
    /// Opens a recording and reads what is known about it; events are read when a program runs.
    pub fn open(path: &Path) -> Result<Replay, FileError> {
        let mut input = BufReader::new(File::open(path)?);
        let overview = skim(&mut input)?;
        Ok(Replay::new(Origin::File(path.to_path_buf()), overview))
    }

    /// The same of a recording in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Replay, FileError> {
        let overview = skim(Cursor::new(&bytes))?;
        Ok(Replay::new(Origin::Bytes(bytes.into()), overview))
    }

    /// Events in their text form; see [`synthetic`]. The error names a line.
    pub fn from_text(text: &str) -> Result<Replay, String> {
        let (schemas, events) = synthetic::parse(text)?;
        let machine = Machine { big_endian: false, pointer: 8, wall: 0 };
        let first = events.first().map(|event| event.time);
        let overview = Overview { schemas, first, ..Overview::new(machine) };
        Ok(Replay::new(Origin::Text(Rc::new(events)), overview))
    }

    fn new(origin: Origin, overview: Overview) -> Replay {
        let probes =
            overview.schemas.iter().map(|schema| (schema.probe.id.0, schema.probe.clone())).collect();
        let types = types::RecordedTypes(overview.types.clone());
        let (overview, probes) = (Rc::new(overview), Rc::new(probes));
        Replay {
            origin,
            overview,
            probes,
            timers: BTreeMap::new(),
            realtime: false,
            window: Window::default(),
            types,
            own: false,
        }
    }

    /// Wait between events as long as it took when they were recorded?
    pub fn set_realtime(&mut self, realtime: bool) {
        self.realtime = realtime;
    }

    /// Run over a part of the recording only. `BEGIN` and `END` still fire, where they lie outside as probes of the
    /// replay's own.
    pub fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Is the program that will be loaded the one that was recorded, to the letter?
    pub fn set_own_program(&mut self, own: bool) {
        self.own = own;
    }

    /// What the recording says about itself: `script`, `target`, ...
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.overview.meta.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What is missing of the recording, in words.
    pub fn damage(&self) -> &[String] {
        &self.overview.damage
    }

    /// What is known of the recording.
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    fn add(&mut self, names: [&str; 4]) -> ProbeId {
        let id = ProbeId(self.probes.last_key_value().map_or(0, |(id, _)| *id).saturating_add(1));
        let [provider, module, function, name] = names.map(str::to_string);
        let probe = Probe { id, provider, module, function, name, args: None };
        Rc::make_mut(&mut self.probes).insert(id.0, probe);
        id
    }

    fn matching(&self, desc: &ProbeDesc) -> Vec<ProbeId> {
        let key = format!("alias:{}:{}", desc.provider, desc.module);
        let module = self.meta(&key).unwrap_or(&desc.module);
        let aliased = ProbeDesc { module: module.to_string(), ..desc.clone() };
        let fits = |probe: &&Probe| match desc.id {
            Some(id) => probe.id.0 == id,
            None => aliased.matches(&probe.provider, &probe.module, &probe.function, &probe.name),
        };
        self.probes.values().filter(fits).map(|probe| probe.id).collect()
    }

    /// The session's source of events, from the first one on.
    fn source(&self) -> Result<Source, FileError> {
        Ok(match &self.origin {
            Origin::File(path) => {
                self.reader(Input::File(BufReader::with_capacity(1 << 20, File::open(path)?)))?
            }
            Origin::Bytes(bytes) => self.reader(Input::Bytes(Cursor::new(Rc::clone(bytes))))?,
            Origin::Text(events) => {
                let window = self.window.of(self.overview.first.unwrap_or(0));
                let within = |event: &&Event| (window.from..=window.until).contains(&event.time);
                Source::Text(events.iter().filter(within).cloned().collect(), 0)
            }
        })
    }

    fn reader(&self, input: Input) -> Result<Source, FileError> {
        let mut reader = Reader::new(input)?;
        reader.enter(&self.overview, self.window)?;
        Ok(Source::File(Box::new(reader)))
    }
}

/// Where a recording's bytes come from.
#[derive(Debug)]
enum Input {
    File(BufReader<File>),
    Bytes(Cursor<Rc<[u8]>>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Input::File(file) => file.read(buffer),
            Input::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match self {
            Input::File(file) => file.seek(to),
            Input::Bytes(bytes) => bytes.seek(to),
        }
    }
}

/// Delivers a recording piece by piece.
#[derive(Debug)]
enum Source {
    File(Box<Reader<Input>>),
    Text(Vec<Event>, usize),
}

impl Source {
    /// The next event, if that is what comes next.
    #[inline]
    fn next_event(&mut self, event: &mut Event) -> bool {
        match self {
            Source::File(reader) => reader.next_event(event),
            Source::Text(..) => false,
        }
    }

    fn next(&mut self, event: &mut Event) -> Result<Item, FileError> {
        match self {
            Source::File(reader) => reader.next(event),
            Source::Text(events, at) => match events.get(*at) {
                Some(next) => {
                    *at += 1;
                    event.clone_from(next);
                    Ok(Item::Event)
                }
                None => Ok(Item::End { whole: true }),
            },
        }
    }
}

/// The name that parts of the recording backend's D library have in a recording: the words that call for the part, a
/// line break, its text.
pub const LIBRARY: &str = "library";

impl Backend for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError> {
        let mut probes = self.matching(desc);
        if probes.is_empty() && desc.id.is_none() {
            // These exist without having been recorded.
            for name in ["BEGIN", "END", "ERROR"] {
                if desc.name == name && desc.matches("dtrace", "", "", name) {
                    probes.push(self.add(["dtrace", "", "", name]));
                }
            }
            if !is_glob(&desc.name)
                && desc.matches("profile", "", "", &desc.name)
                && let Some(period) = timers::period(&desc.name)
            {
                let id = self.add(["profile", "", "", &desc.name]);
                self.timers.insert(id.0, period);
                probes.push(id);
            }
        }
        let mut notes = Vec::new();
        if probes.is_empty() {
            notes.push(format!("the recording has {} probes, none of them matches", self.probes.len()));
        }
        Ok(ProbeMatch { probes, notes, ..ProbeMatch::default() })
    }

    fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.probes.get(&id.0)
    }

    fn type_source(&mut self) -> Option<&mut dyn TypeSource> {
        (!self.types.0.is_empty()).then_some(&mut self.types as &mut dyn TypeSource)
    }

    fn library(&self) -> Vec<LibraryPart<'_>> {
        let parts = self.overview.meta.iter().filter(|(key, _)| key == LIBRARY);
        let parts = parts.filter_map(|(_, value)| value.split_once('\n'));
        parts.map(|(words, text)| LibraryPart { words, text }).collect()
    }

    fn load(&mut self, program: &Program, options: &Options) -> Result<Box<dyn Session>, LoadError> {
        Ok(Box::new(running::Running::new(self, program, options)?))
    }
}

/// Is a probe one of the three that the tracer itself has?
fn is_own(probe: &Probe, name: &str) -> bool {
    probe.provider == "dtrace" && probe.name == name
}

/// The probes of schemas that carry a name of the tracer.
fn recorded(schemas: &[Schema], name: &str) -> Option<ProbeId> {
    schemas.iter().find(|schema| is_own(&schema.probe, name)).map(|schema| schema.probe.id)
}
