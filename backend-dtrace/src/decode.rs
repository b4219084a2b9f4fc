//! Messages of the worker to events: keeps what the messages have described so far.
//!
//! Nothing here is believed: a record of an unknown clause, a number out of bounds, data that ends early is left out or
//! read as zeros, and nonsense in aggregations is told once.

use crate::abi::{ErrData, ProbeName};
use crate::aggregates;
use crate::layout::{Dialect, MAX_AGGREGATIONS, Plan};
use crate::symbols::Names;
use crate::wire::{Message, RawElement, Rec};
use duotrace_core::aggregate::{AggFunc, Aggregation};
use duotrace_core::backend::{DropKind, Event, FaultEvent, Sink};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{ActionKind, AggId, AggregationDef, Clause, ClauseId, Program};
use duotrace_core::probe::{Probe, ProbeId};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Probes that have fired, or were listed, by number; shared with the backend.
pub(crate) type Probes = Rc<RefCell<BTreeMap<u32, Probe>>>;

/// Clauses that are believed.
const MAX_CLAUSES: u32 = 65_536;

/// A probe as core knows it.
pub(crate) fn probe_of(name: ProbeName) -> Probe {
    let ProbeName { id, provider, module, function, name } = name;
    Probe { id: ProbeId(id), provider, module, function, name, args: None }
}

/// A clause that has fired.
#[derive(Debug)]
struct Known {
    recs: Vec<Rec>,
    plan: Option<Plan>,
}

/// What the messages have told so far.
#[derive(Debug)]
pub(crate) struct Decoder {
    dialect: Dialect,
    program: Program,
    clauses: HashMap<u32, Known>,
    probes: Probes,
    pub names: Names,
    /// Elements since the last totals, by variable.
    gathered: BTreeMap<u32, Aggregation>,
    record: Vec<u8>,
    /// A problem with aggregations was told.
    complained: bool,
}

impl Decoder {
    pub fn new(dialect: Dialect, probes: Probes) -> Decoder {
        Decoder {
            dialect,
            program: Program { strsize: dialect.strsize, ..Program::default() },
            clauses: HashMap::new(),
            probes,
            names: Names::default(),
            gathered: BTreeMap::new(),
            record: Vec::new(),
            complained: false,
        }
    }

    /// Delivers one message. Is it one after which the consumer should look?
    pub fn deliver(&mut self, message: Message, sink: &mut dyn Sink) -> bool {
        match message {
            Message::Clause { clause, recs } if clause < MAX_CLAUSES => {
                self.clauses.insert(clause, Known { recs, plan: None });
            }
            Message::Probe(name) => {
                self.probes.borrow_mut().insert(name.id, probe_of(name));
            }
            Message::Record { probe, clause, cpu, data, texts } => {
                return self.firing(ProbeId(probe), clause, cpu, &data, &texts, sink);
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
                return true;
            }
            Message::Warning(text) => sink.event(Event::Warning(text)),
            // What concerns the worker is the session's.
            Message::Ready { .. }
            | Message::Failed { .. }
            | Message::Alive
            | Message::Library { .. }
            | Message::Stopped
            | Message::Clause { .. } => {}
        }
        false
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
