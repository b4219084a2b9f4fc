//! A running program, as the consumer sees it: messages of the worker in, events out.

use crate::abi::{ErrData, ProbeName};
use crate::layout::{Dialect, MAX_AGGREGATIONS, Plan};
use crate::process::{Child, ending};
use crate::symbols::Names;
use crate::wire::{self, Message, RawElement, Rec};
use crate::worker::{GO, STOP};
use crate::{aggregates, leftovers};
use duotrace_core::aggregate::{AggFunc, Aggregation};
use duotrace_core::backend::{BackendError, DropKind, Event, FaultEvent, Session, Sink};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{ActionKind, AggId, AggregationDef, Clause, ClauseId, Program};
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::record::Symbols;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Probes that have fired, or were listed, by number; shared with the backend.
pub(crate) type Probes = Rc<RefCell<BTreeMap<u32, Probe>>>;

/// Clauses that are believed.
const MAX_CLAUSES: u32 = 65_536;
/// How long an ending worker is waited for: longer, and it finishes on its own.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long the library may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A probe as core knows it.
pub(crate) fn probe_of(name: ProbeName) -> Probe {
    let ProbeName { id, provider, module, function, name } = name;
    Probe { id: ProbeId(id), provider, module, function, name, args: None }
}

/// The worker with what it has sent and was not read yet.
#[derive(Debug)]
pub(crate) struct Link {
    pub child: Child,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame starts.
    at: usize,
    heard: Instant,
    /// Silence that means that the library hangs.
    limit: Duration,
    /// `Stopped` was read.
    pub stopped: bool,
    /// The worker died without a word.
    pub died: bool,
}

impl Link {
    pub fn new(child: Child, limit: Duration) -> Link {
        Link { child, buffer: Vec::new(), at: 0, heard: Instant::now(), limit, stopped: false, died: false }
    }

    /// The next message that is all there.
    fn parsed(&mut self) -> Result<Option<Message>, BackendError> {
        let rest = self.buffer.get(self.at..).unwrap_or(&[]);
        match wire::read(rest) {
            Ok(Some((message, len))) => {
                self.at += len;
                Ok(Some(message))
            }
            Ok(None) => {
                self.buffer.drain(..self.at.min(self.buffer.len()));
                self.at = 0;
                Ok(None)
            }
            Err(wire::Malformed) => Err(self.failed("libdtrace's process sent what makes no sense")),
        }
    }

    /// The next message, waiting until the deadline: `None` if there was none.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Message>, BackendError> {
        loop {
            if let Some(message) = self.parsed()? {
                self.stopped |= message == Message::Stopped;
                return Ok(Some(message));
            }
            if self.stopped {
                return Ok(None);
            }
            match self.child.read(&mut self.buffer, deadline) {
                Ok(Some(0)) if self.heard.elapsed() > self.limit => {
                    let text = format!("libdtrace does not answer (for {} s)", self.limit.as_secs());
                    return Err(self.failed(&text));
                }
                Ok(Some(0)) => return Ok(None),
                Ok(Some(_)) => self.heard = Instant::now(),
                Ok(None) => return Err(self.ended()),
                Err(error) => {
                    return Err(self.failed(&format!("cannot read from libdtrace's process: {error}")));
                }
            }
        }
    }

    /// The worker has closed its pipe without a word.
    fn ended(&mut self) -> BackendError {
        self.died = true;
        let status = self.child.wait(Duration::from_secs(2));
        let how = status.and_then(ending).map_or("it ended".to_string(), |how| format!("it ended by {how}"));
        self.failed(&format!("libdtrace's process failed: {how}"))
    }

    /// Gives the worker up.
    pub fn failed(&mut self, text: &str) -> BackendError {
        self.child.kill();
        // Its descriptors close as it goes, which takes the kernel a moment.
        for _ in 0..50 {
            if leftovers::of(self.child.pid()) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stopped = true;
        BackendError::new(text)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Closes the worker's control pipe; it cleans up by itself.
        let _ = self.child.wait(PATIENCE);
    }
}

/// A clause that has fired.
#[derive(Debug)]
struct Known {
    recs: Vec<Rec>,
    plan: Option<Plan>,
}

/// A session of libdtrace.
#[derive(Debug)]
pub struct DtraceSession {
    link: Link,
    dialect: Dialect,
    program: Program,
    clauses: HashMap<u32, Known>,
    probes: Probes,
    names: Names,
    /// Elements since the last totals, by variable.
    gathered: BTreeMap<u32, Aggregation>,
    /// Probes that each program matched.
    matches: Vec<u32>,
    pids: Vec<u32>,
    record: Vec<u8>,
    /// The worker has heard that it shall stop.
    stop_heard: bool,
    /// A problem with aggregations was told.
    complained: bool,
    /// Nothing was heard since the start.
    silent: bool,
    /// Compiles the same again.
    again: Option<Again>,
}

/// Makes another session of the same programs.
///
/// Oracle's 2.0.7 damages its heap when some programs start (speculations), and the C library ends the process for it,
/// more often than not unnoticed in dtrace(1), whose heap lies otherwise. No probe has fired by then, so a second
/// attempt loses nothing.
pub(crate) struct Again(pub Box<dyn FnOnce() -> Option<DtraceSession>>);

impl std::fmt::Debug for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Again")
    }
}

impl DtraceSession {
    pub(crate) fn new(
        link: Link,
        dialect: Dialect,
        matches: Vec<u32>,
        pids: Vec<u32>,
        probes: Probes,
    ) -> DtraceSession {
        DtraceSession {
            link,
            dialect,
            program: Program { strsize: dialect.strsize, ..Program::default() },
            clauses: HashMap::new(),
            probes,
            names: Names::default(),
            gathered: BTreeMap::new(),
            matches,
            pids,
            record: Vec::new(),
            stop_heard: false,
            complained: false,
            silent: true,
            again: None,
        }
    }

    /// The same with a second attempt, should the worker die while it starts.
    pub(crate) fn or_again(mut self, again: Again) -> DtraceSession {
        self.again = Some(again);
        self
    }

    /// After a failure of the worker: another worker in its place, started; or the failure.
    fn retry(&mut self, error: BackendError) -> Result<(), BackendError> {
        if !self.link.died || !self.silent {
            return Err(error);
        }
        let session = self.again.take().and_then(|Again(make)| make());
        *self = session.ok_or(error)?;
        self.link.child.tell(GO);
        Ok(())
    }

    /// How many probes each program matched, in the order of the programs.
    pub fn matches(&self) -> &[u32] {
        &self.matches
    }

    /// The processes of `-c` and `-p`, in their order; 0 where the library does not tell.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// Delivers one message. Is it one after which the consumer should look?
    fn deliver(&mut self, message: Message, sink: &mut dyn Sink) -> Result<bool, BackendError> {
        match message {
            Message::Clause { clause, recs } if clause < MAX_CLAUSES => {
                self.clauses.insert(clause, Known { recs, plan: None });
            }
            Message::Probe(name) => {
                self.probes.borrow_mut().insert(name.id, probe_of(name));
            }
            Message::Record { probe, clause, cpu, data, texts } => {
                return Ok(self.firing(ProbeId(probe), clause, cpu, &data, &texts, sink));
            }
            Message::Element(element) => self.gather(&element, sink),
            Message::Totals => self.totals(sink),
            Message::Name { pid, addr, text } => self.names.learn(pid, addr, &text),
            Message::Drop { kind, cpu, count } => {
                sink.event(Event::Drop { kind: drop_kind(kind), cpu, count });
            }
            Message::Fault(error) => self.fault(error, sink),
            Message::TargetExited { pid, reason } => {
                if !reason.is_empty() {
                    sink.event(Event::Warning(format!("pid {pid}: {reason}")));
                }
                sink.event(Event::TargetExited { pid, status: None });
                return Ok(true);
            }
            Message::Warning(text) => sink.event(Event::Warning(text)),
            Message::Failed { text, .. } => {
                let text = format!("processing aborted: {text}");
                return Err(self.link.failed(&text));
            }
            Message::Alive => self.stop_heard = true,
            Message::Stopped => return Ok(true),
            Message::Ready { .. } | Message::Clause { .. } => {}
        }
        Ok(false)
    }

    /// A record; is it an exit()?
    fn firing(
        &mut self,
        probe: ProbeId,
        clause: u32,
        cpu: u32,
        data: &[u8],
        texts: &[(u32, Vec<u8>)],
        sink: &mut dyn Sink,
    ) -> bool {
        let Some(known) = self.clauses.get_mut(&clause) else { return false };
        if known.plan.is_none() {
            let plan = Plan::new(&known.recs, data, self.dialect);
            adopt(&mut self.program, clause, &plan);
            known.plan = Some(plan);
            sink.event(Event::Program(Rc::new(self.program.clone())));
        }
        let Some(plan) = &known.plan else { return false };
        plan.encode(data, texts, &mut self.record);
        let record = &self.record;
        sink.event(Event::Record {
            probe,
            provider_pid: 0,
            clause: ClauseId(clause),
            cpu,
            timestamp: 0,
            data: record,
        });
        plan.layout.actions.iter().any(|action| action.kind == ActionKind::Exit)
    }

    fn gather(&mut self, element: &RawElement, sink: &mut dyn Sink) {
        let decoded = aggregates::decode(element, &self.dialect);
        let result = decoded.and_then(|decoded| {
            if !(1..=MAX_AGGREGATIONS).contains(&element.variable) {
                return Err(format!("aggregation @{} has number {}", element.name, element.variable));
            }
            let id = element.variable as u32 - 1;
            let def = AggregationDef {
                name: element.name.clone(),
                func: decoded.func,
                key: decoded.types.clone(),
                signed: true,
                span: Span::default(),
            };
            if define(&mut self.program, id, def) {
                sink.event(Event::Program(Rc::new(self.program.clone())));
            }
            let fresh = || Aggregation::new(id, element.name.clone(), decoded.func, decoded.key.len());
            aggregates::merge(self.gathered.entry(id).or_insert_with(fresh), decoded)
        });
        if let Err(problem) = result
            && !std::mem::replace(&mut self.complained, true)
        {
            sink.event(Event::Warning(format!("libdtrace's data makes no sense: {problem}")));
        }
    }

    /// Hands over what was gathered; aggregations without elements are empty.
    fn totals(&mut self, sink: &mut dyn Sink) {
        for (id, def) in self.program.aggregations.iter().enumerate() {
            let id = id as u32;
            let newer = self.gathered.remove(&id);
            let newer =
                newer.unwrap_or_else(|| Aggregation::new(id, def.name.clone(), def.func, def.key.len()));
            sink.event(Event::Totals { agg: AggId(id), newer: &newer });
        }
        self.gathered.clear();
    }

    fn fault(&mut self, error: ErrData, sink: &mut dyn Sink) {
        let ErrData { probe, cpu, action, offset, fault, addr, message } = error;
        let id = ProbeId(probe.id);
        self.probes.borrow_mut().entry(probe.id).or_insert_with(|| probe_of(probe));
        sink.event(Event::Fault(FaultEvent {
            probe: id,
            clause: ClauseId(enabling(&message).unwrap_or(0)),
            cpu,
            action: action as u32,
            offset: offset as u32,
            fault: fault as u32,
            address: addr,
        }));
    }
}

/// The enabling that a library's error message names, from 0: the callback is not told.
fn enabling(message: &str) -> Option<u32> {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok();
    if let Some((_, rest)) = message.split_once("enabled probe ID ") {
        return number(rest)?.checked_sub(1);
    }
    number(message.split_once("dt_clause_")?.1)
}

/// `DTRACEDROP_*`.
fn drop_kind(kind: i32) -> DropKind {
    match kind {
        1 => DropKind::Aggregation(None),
        2..=4 => DropKind::Dynamic,
        5 => DropKind::Speculation,
        6 => DropKind::SpeculationBusy,
        7 => DropKind::SpeculationUnavailable,
        8 => DropKind::StackStringOverflow,
        _ => DropKind::Principal,
    }
}

/// Puts a clause's plan into the program.
fn adopt(program: &mut Program, clause: u32, plan: &Plan) {
    let empty = || Clause {
        probes: Vec::new(),
        predicate: None,
        body: Vec::new(),
        record: Default::default(),
        span: Span::default(),
    };
    if program.clauses.len() <= clause as usize {
        program.clauses.resize_with(clause as usize + 1, empty);
    }
    let base = program.formats.len() as u32;
    program.formats.extend(plan.formats.iter().cloned());
    let mut layout = plan.layout.clone();
    for action in &mut layout.actions {
        match &mut action.kind {
            ActionKind::Printf { format }
            | ActionKind::System { format }
            | ActionKind::Freopen { format } => {
                *format += base;
            }
            ActionKind::Printa { format: Some(format), .. } => *format += base,
            _ => {}
        }
    }
    if let Some(slot) = program.clauses.get_mut(clause as usize) {
        slot.record = layout;
    }
    for variable in &plan.variables {
        reserve(program, (*variable - 1) as u32);
    }
}

/// Makes room for an aggregation whose shape is not known yet.
fn reserve(program: &mut Program, id: u32) {
    let unknown = || AggregationDef {
        name: String::new(),
        func: AggFunc::Count,
        key: Vec::new(),
        signed: true,
        span: Span::default(),
    };
    if program.aggregations.len() <= id as usize {
        program.aggregations.resize_with(id as usize + 1, unknown);
    }
}

/// Notes an aggregation's shape. Is it news?
fn define(program: &mut Program, id: u32, def: AggregationDef) -> bool {
    reserve(program, id);
    let Some(slot) = program.aggregations.get_mut(id as usize) else { return false };
    if slot.name == def.name && slot.func == def.func && slot.key == def.key {
        return false;
    }
    *slot = def;
    true
}

impl Session for DtraceSession {
    fn start(&mut self, _sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.link.child.tell(GO);
        Ok(())
    }

    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        // What is there is delivered at once; only the first message is waited for.
        let mut wait = deadline;
        loop {
            let message = match self.link.next(wait) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => return self.retry(error),
            };
            self.silent = false;
            wait = Instant::now();
            if self.deliver(message, sink)? {
                break;
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, _agg: AggId, _into: &mut Aggregation) -> Result<(), BackendError> {
        // Totals come as events, in their place among the records.
        Ok(())
    }

    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.stop_heard = false;
        self.link.child.tell(STOP);
        let end = Instant::now() + STOP_LIMIT;
        while !self.link.stopped {
            match self.link.next(Instant::now() + Duration::from_millis(10))? {
                Some(message) => {
                    self.deliver(message, sink)?;
                }
                None if Instant::now() > end => return Err(self.link.failed("libdtrace does not stop")),
                // The signal may have come just before the wait that it was to interrupt.
                None if !self.stop_heard => self.link.child.wake(),
                None => {}
            }
        }
        Ok(())
    }

    fn enabled(&self, _clause: ClauseId) -> usize {
        // The library tells by program, see `matches`.
        0
    }

    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_enabling() {
        let sun = "error on enabled probe ID 3 (ID 1: dtrace:::BEGIN): invalid address (0x0)";
        assert_eq!(enabling(sun), Some(2));
        let oracle = "error in dt_clause_2 for probe ID 1 (dtrace:::BEGIN): invalid address";
        assert_eq!(enabling(oracle), Some(2));
        assert_eq!(enabling("what?"), None);
    }
}
