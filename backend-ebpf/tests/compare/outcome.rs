//! What a run leaves, in a form that can be compared; and a run of the interpreter.

use crate::generate::Memory;
use duotrace_core::aggregate::Aggregation;
use duotrace_core::backend::{DropKind, Event as Happened, Sink};
use duotrace_core::ir::{AggId, Builtin, ClauseId, Program, Space, Ty};
use duotrace_core::probe::ProbeId;
use duotrace_ebpf::codegen::layout::drops;
use duotrace_replay::Event;
use duotrace_replay::interp::{Config, Machine};
use std::collections::BTreeMap;

/// An event that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    Record { clause: u32, probe: u32, values: Vec<String> },
    Fault { clause: u32, probe: u32, action: u32, fault: u32, address: u64 },
}

impl Delivered {
    /// A record's fields, of the actions that were reached.
    pub fn record(program: &Program, clause: ClauseId, probe: u32, data: &[u8]) -> Delivered {
        let layout = &program.clauses[clause.0 as usize].record;
        let word = |at: usize| u64::from_ne_bytes(data[at..at + 8].try_into().expect("eight bytes"));
        let mut values = Vec::new();
        for (number, action) in layout.actions.iter().enumerate() {
            if layout.present && word(number / 64 * 8) >> (number % 64) & 1 == 0 {
                continue;
            }
            for field in &layout.fields[action.fields.start as usize..action.fields.end as usize] {
                let at = field.offset as usize;
                let shown = match field.ty {
                    Ty::Int { bytes, .. } => format!("{:02x?}", &data[at..at + usize::from(bytes)]),
                    Ty::Str if word(at) == u64::MAX => "NULL".to_string(),
                    Ty::Str => {
                        let length = word(at) as usize;
                        String::from_utf8_lossy(&data[at + 8..at + 8 + length]).into_owned()
                    }
                    Ty::Bytes(size) => format!("{:02x?}", &data[at..at + size as usize]),
                    ty => panic!("{ty:?}"),
                };
                values.push(format!("{number}: {shown}"));
            }
        }
        Delivered::Record { clause: clause.0, probe, values }
    }
}

/// Everything that a run leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub delivered: Vec<Delivered>,
    pub aggregations: Vec<Vec<String>>,
    pub drops: BTreeMap<u32, u64>,
}

/// An aggregation's elements, sorted.
pub fn show(aggregation: &Aggregation) -> Vec<String> {
    let mut rows: Vec<String> =
        aggregation.cells().map(|(key, cell)| format!("{key:?} = {:?}", cell.words)).collect();
    rows.sort();
    rows
}

struct Collect<'a> {
    program: &'a Program,
    outcome: Outcome,
}

impl Sink for Collect<'_> {
    fn event(&mut self, event: Happened<'_>) {
        match event {
            Happened::Record { probe, clause, data, .. } => {
                self.outcome.delivered.push(Delivered::record(self.program, clause, probe.0, data));
            }
            Happened::Fault(fault) => self.outcome.delivered.push(Delivered::Fault {
                clause: fault.clause.0,
                probe: fault.probe.0,
                action: fault.action,
                fault: fault.fault,
                address: fault.address,
            }),
            Happened::Drop { kind, count, .. } => {
                let kind = match kind {
                    DropKind::Dynamic => drops::DYNAMIC,
                    DropKind::SpeculationUnavailable => drops::SPECULATION_UNAVAILABLE,
                    _ => drops::PRINCIPAL,
                };
                *self.outcome.drops.entry(kind).or_default() += count;
            }
            _ => {}
        }
    }
}

/// The process that programs run in, as they see it.
pub struct Process {
    pub memory: Memory,
    pub contents: Vec<u8>,
    pub comm: Vec<u8>,
}

/// Runs a program in the interpreter.
pub fn interpret(program: &Program, errors: usize, process: &Process, firings: &[Vec<u64>]) -> Outcome {
    let normal = (program.clauses.len() - errors) as u32;
    let clauses: Vec<ClauseId> = (0..normal).map(ClauseId).collect();
    let error_clauses = (normal..program.clauses.len() as u32).map(ClauseId).collect();
    let limits = crate::kernel::limits();
    let config = Config {
        scratch: limits.scratchsize,
        nspec: limits.nspec,
        errors: (errors > 0).then_some((ProbeId(3), error_clauses)),
        ..Config::default()
    };
    let mut machine = Machine::new(program, config);
    let mut collect = Collect { program, outcome: Outcome::default() };
    for kind in [drops::PRINCIPAL, drops::DYNAMIC, drops::NESTED, drops::SPECULATION_UNAVAILABLE] {
        collect.outcome.drops.insert(kind, 0);
    }
    for args in firings {
        let mut event = Event::complete(ProbeId(1));
        (event.pid, event.tid) = (std::process::id(), 1);
        for (index, value) in args.iter().enumerate().take(4) {
            event.set_arg(index as u32, *value);
        }
        event.set_text(Builtin::Execname, &process.comm);
        event.add_memory(Space::User, process.memory.address, Some(&process.contents));
        let result = machine.fire(program, &clauses, &mut event, &crate::kernel::probe, &mut collect);
        result.expect("nothing is missing");
    }
    let mut outcome = collect.outcome;
    for (id, def) in program.aggregations.iter().enumerate() {
        let mut merged = Aggregation::new(id as u32, "a", def.func, def.key.len());
        machine.snapshot(program, AggId(id as u32), &mut merged).expect("fits");
        outcome.aggregations.push(show(&merged));
    }
    outcome
}
