//! From a script's program to one that records, and from its records to events.

use super::rewrite::{Reads, Rewriter, Site, SiteKind, expr_clock, local};
use super::{DONE, STATUS, TRIED, assign, constant, expr, is, read};
use crate::event::{Event, ReadValue};
use crate::file::{Field as Carried, Schema};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::*;
use duotrace_core::probe::{Probe, ProbeId};
use std::collections::{BTreeMap, BTreeSet};

/// A program that records.
#[derive(Debug)]
pub struct Plan {
    /// To be loaded in the script's place; its first clauses are the script's.
    pub program: Program,
    /// What will be known of each probe's events.
    pub schemas: Vec<Schema>,
    /// What the script reads and the recording will not have.
    pub notes: Vec<String>,
    /// Number of the first clause that is the recorder's.
    pub(super) first: u32,
    recorders: Vec<Recorder>,
}

/// One recorder's clause: its fields in order.
#[derive(Debug)]
struct Recorder {
    values: Vec<What>,
    /// Offsets and types, by `values`.
    fields: Vec<Field>,
    /// What events of its probes carry in the file.
    carried: Vec<Carried>,
}

/// What a field of a recorder's record is.
#[derive(Clone, Copy, Debug)]
enum What {
    Tid,
    Number(Builtin),
    Text(Builtin),
    Arg(u32),
    Register(u32),
    Stack(bool),
    Status(Site),
    Address,
    Value,
}

const U32: Ty = Ty::Int { bytes: 4, signed: false };

/// The type of a built-in variable that is a number.
fn number_type(builtin: Builtin) -> Ty {
    match builtin {
        Builtin::Errno | Builtin::CpuChip => Ty::I32,
        Builtin::Timestamp
        | Builtin::Vtimestamp
        | Builtin::Caller
        | Builtin::Ucaller
        | Builtin::Curthread => Ty::U64,
        Builtin::Walltimestamp => Ty::I64,
        _ => U32,
    }
}

/// Makes a program that records what `program` reads. `probe` knows the probes it enables.
pub fn plan(program: &Program, probe: &dyn Fn(ProbeId) -> Option<Probe>) -> Plan {
    let mut out = program.clone();
    let mut notes = Vec::new();
    let exiting = local(&mut out.variables, "__exiting".into(), STATUS);
    let clocks: Vec<(Builtin, VarId)> = [Builtin::Timestamp, Builtin::Vtimestamp, Builtin::Walltimestamp]
        .into_iter()
        .map(|builtin| {
            let name = format!("__{builtin:?}").to_lowercase();
            (builtin, local(&mut out.variables, name, number_type(builtin)))
        })
        .collect();
    let is_error = |id: &ProbeId| probe(*id).is_some_and(|p| p.provider == "dtrace" && p.name == "ERROR");
    let mut reads: Vec<Reads> = Vec::new();
    let mut clauses = std::mem::take(&mut out.clauses);
    for clause in &mut clauses {
        // ERROR clauses run within the firing that failed and see its values; that firing is still to be recorded.
        if enabling_probes(clause).any(|id| is_error(&id)) {
            let mut of_error = Reads::default();
            clause.body = exit_later(std::mem::take(&mut clause.body), exiting, &mut of_error.exits);
            reads.push(of_error);
            continue;
        }
        let mut rewriter = Rewriter {
            variables: &mut out.variables,
            clocks: &clocks,
            exiting,
            interrupts: interrupts(clause, probe),
            reads: Reads::default(),
            layout: &clause.record,
            notes: &mut notes,
        };
        clause.predicate = clause.predicate.take().map(|predicate| rewriter.expr(predicate));
        clause.body = rewriter.body(std::mem::take(&mut clause.body));
        reads.push(rewriter.reads);
    }
    out.clauses = clauses;
    let sets = clause_sets(program, &is_error);
    // What an ERROR clause ends may be any clause's firing.
    let errors = program.clauses.iter().map(|clause| enabling_probes(clause).any(|id| is_error(&id)));
    let error_exits = errors.zip(&reads).any(|(error, reads)| error && reads.exits);
    guard_after_exit(&mut out, &reads, exiting, error_exits);
    let mut plan = Plan {
        schemas: Vec::new(),
        notes,
        first: out.clauses.len() as u32,
        recorders: Vec::new(),
        program: out,
    };
    for (set, probes) in sets {
        let mut merged = merge(set.iter().filter_map(|index| reads.get(*index)));
        merged.exits |= error_exits;
        // With the script's description it fires wherever the script's clause does, and at what appears later.
        let clause = set.first().and_then(|first| program.clauses.get(*first));
        let desc = clause.and_then(|clause| clause.probes.first()).map(|enabling| enabling.desc.clone());
        let probes_of = probes.iter().copied().collect();
        let enabling = Enabling { desc: desc.unwrap_or_default(), probes: probes_of, span: Span::default() };
        plan.add(vec![enabling], &merged, exiting, &clocks);
        let fields = carried(&merged);
        let known = probes.iter().filter_map(|id| probe(*id));
        plan.schemas.extend(known.map(|probe| Schema { probe, fields: fields.clone() }));
    }
    // Probes of clauses that have none yet: what the others read does not run there and is left empty.
    let later = |enabling: &&Enabling| enabling.desc.id.is_none() && !enabling.desc.provider.is_empty();
    let without = program.clauses.iter().filter(|c| c.probes.iter().all(|e| e.probes.is_empty()));
    let mut enablings: Vec<Enabling> = Vec::new();
    for enabling in without.flat_map(|clause| &clause.probes).filter(later) {
        if !enablings.iter().any(|known| known.desc == enabling.desc) {
            enablings.push(enabling.clone());
        }
    }
    if !enablings.is_empty() {
        plan.add(enablings, &merge(reads.iter()), exiting, &clocks);
    }
    plan.schemas.sort_by_key(|schema| schema.probe.id);
    plan.notes.sort();
    plan.notes.dedup();
    plan
}

/// A body that marks the firing as the last one and lets it go on to the recorder's clause, which ends the run.
fn exit_later(body: Vec<Stmt>, exiting: VarId, exits: &mut bool) -> Vec<Stmt> {
    let mut later = |stmt| match stmt {
        Stmt::Effect { effect: Effect::ExitFlag, .. } => {
            *exits = true;
            Stmt::Expr(assign(exiting, constant(1, STATUS)))
        }
        Stmt::If { cond, then, otherwise } => Stmt::If {
            cond,
            then: exit_later(then, exiting, exits),
            otherwise: exit_later(otherwise, exiting, exits),
        },
        other => other,
    };
    body.into_iter().map(&mut later).collect()
}

/// Do any of a clause's probes fire by a timer, whatever the processor is doing? Then it may be within another firing.
fn interrupts(clause: &Clause, probe: &dyn Fn(ProbeId) -> Option<Probe>) -> bool {
    enabling_probes(clause).any(|id| probe(id).is_some_and(|probe| probe.provider == "profile"))
}

fn enabling_probes(clause: &Clause) -> impl Iterator<Item = ProbeId> {
    clause.probes.iter().flat_map(|enabling| &enabling.probes).copied()
}

/// Which clauses fire together, and at which probes.
fn clause_sets(
    program: &Program,
    is_error: &dyn Fn(&ProbeId) -> bool,
) -> BTreeMap<Vec<usize>, BTreeSet<ProbeId>> {
    let mut clauses_of: BTreeMap<ProbeId, Vec<usize>> = BTreeMap::new();
    for (index, clause) in program.clauses.iter().enumerate() {
        for id in enabling_probes(clause).filter(|id| !is_error(id)) {
            let list = clauses_of.entry(id).or_default();
            if list.last() != Some(&index) {
                list.push(index);
            }
        }
    }
    let mut sets: BTreeMap<Vec<usize>, BTreeSet<ProbeId>> = BTreeMap::new();
    for (id, list) in clauses_of {
        sets.entry(list).or_default().insert(id);
    }
    sets
}

/// After `exit()` no clause of the firing runs but the recorder's.
fn guard_after_exit(program: &mut Program, reads: &[Reads], exiting: VarId, mut exits: bool) {
    for (clause, reads) in program.clauses.iter_mut().zip(reads) {
        if exits {
            let going_on = is(exiting, STATUS, 0);
            clause.predicate = Some(match clause.predicate.take() {
                Some(predicate) => {
                    let both = ExprKind::Logical(LogicalOp::And, Box::new(going_on), Box::new(predicate));
                    expr(both, Ty::I32)
                }
                None => going_on,
            });
        }
        exits |= reads.exits;
    }
}

fn merge<'a>(all: impl Iterator<Item = &'a Reads>) -> Reads {
    let mut merged = Reads::default();
    for reads in all {
        merged.numbers.extend(&reads.numbers);
        merged.texts.extend(&reads.texts);
        merged.args.extend(&reads.args);
        merged.registers.extend(&reads.registers);
        for (into, from) in merged.stacks.iter_mut().zip(reads.stacks) {
            *into = (*into).max(from);
        }
        merged.sites.extend(&reads.sites);
        merged.exits |= reads.exits;
    }
    // Who and what it was is always worth knowing, for scripts that are edited later.
    merged.texts.insert(Builtin::Execname);
    merged.numbers.insert(Builtin::Uid);
    merged
}

/// The fields of events in the file.
fn carried(reads: &Reads) -> Vec<Carried> {
    let mut fields: Vec<Carried> = Vec::new();
    fields.extend(reads.numbers.iter().filter(|n| **n != Builtin::Timestamp).map(|n| Carried::Number(*n)));
    fields.extend(reads.texts.iter().map(|text| Carried::Text(*text)));
    fields.extend(reads.args.iter().map(|n| Carried::Arg(*n)));
    fields.extend(reads.registers.iter().map(|n| Carried::Register(*n)));
    for (user, frames) in reads.stacks.iter().enumerate() {
        fields.extend(frames.map(|_| Carried::Stack(user == 1)));
    }
    let has = |wanted: fn(&SiteKind) -> bool| reads.sites.iter().any(|site| wanted(&site.kind));
    // An answer that memory gives may be that it could not be read.
    if has(|kind| matches!(kind, SiteKind::Memory(..)))
        || reads.sites.iter().any(|site| site.address.is_some())
    {
        fields.push(Carried::Memory);
    }
    if has(|kind| matches!(kind, SiteKind::Answer(ty) if *ty != Ty::Str)) {
        fields.push(Carried::Answers);
    }
    if has(|kind| matches!(kind, SiteKind::Answer(Ty::Str))) {
        fields.push(Carried::TextAnswers);
    }
    if has(|kind| matches!(kind, SiteKind::Variable(_))) {
        fields.push(Carried::Reads);
    }
    fields
}

impl Plan {
    /// Adds the clause that records what a set of clauses has read at these probes.
    fn add(&mut self, probes: Vec<Enabling>, reads: &Reads, exiting: VarId, clocks: &[(Builtin, VarId)]) {
        let mut fields: Vec<(What, Ty, Expr)> = Vec::new();
        let builtin = |builtin, ty| expr(ExprKind::Builtin(builtin), ty);
        let clock = |which: Builtin| {
            let ty = number_type(which);
            let var = clocks.iter().find(|(builtin, _)| *builtin == which);
            var.map_or_else(|| builtin(which, ty), |(_, var)| expr_clock(*var, which, ty))
        };
        let now = Builtin::Timestamp;
        // Otherwise the record's own time does: reading the clock is dear.
        if reads.numbers.contains(&now) {
            fields.push((What::Number(now), Ty::U64, clock(now)));
        }
        fields.push((What::Tid, U32, builtin(Builtin::Tid, U32)));
        for number in reads.numbers.iter().filter(|number| **number != now) {
            let ty = number_type(*number);
            let timed = matches!(number, Builtin::Vtimestamp | Builtin::Walltimestamp);
            let value = if timed { clock(*number) } else { builtin(*number, ty) };
            fields.push((What::Number(*number), ty, value));
        }
        for text in &reads.texts {
            fields.push((What::Text(*text), Ty::Str, builtin(*text, Ty::Str)));
        }
        for n in &reads.args {
            fields.push((What::Arg(*n), Ty::I64, expr(ExprKind::Arg(*n), Ty::I64)));
        }
        for n in &reads.registers {
            let index = Box::new(constant(i64::from(*n), Ty::I32));
            fields.push((What::Register(*n), Ty::U64, expr(ExprKind::Ureg(index), Ty::U64)));
        }
        for (user, frames) in reads.stacks.iter().enumerate() {
            if let Some(frames) = *frames {
                let ty = Ty::Stack(StackSpec { user: user == 1, frames, strsize: 0 });
                fields.push((What::Stack(user == 1), ty, expr(ExprKind::Const(0), ty)));
            }
        }
        for site in &reads.sites {
            fields.push((What::Status(*site), STATUS, read(site.status, STATUS)));
            if let Some(address) = site.address {
                fields.push((What::Address, Ty::U64, read(address, Ty::U64)));
            }
            let ty = match site.kind {
                SiteKind::Memory(_, ty) | SiteKind::Answer(ty) | SiteKind::Variable(ty) => ty,
                SiteKind::Symbol(_) => Ty::U64,
            };
            fields.push((What::Value, ty, read(site.value, ty)));
        }
        let span = Span::default();
        let mut record = RecordLayout::default();
        let mut values = Vec::new();
        let mut whats = Vec::new();
        for (what, ty, value) in fields {
            let (size, align) = field_size(ty, self.program.strsize);
            let offset = record.size.next_multiple_of(align);
            record.fields.push(Field { offset, ty });
            record.size = offset + size;
            values.push(value);
            whats.push(what);
        }
        record.size = record.size.next_multiple_of(8);
        let all = 0..record.fields.len() as u32;
        record.actions.push(ActionDef { kind: ActionKind::Trace, fields: all, span });
        let mut body = vec![Stmt::Record { action: 0, values, span }];
        if reads.exits {
            let exit = Stmt::Effect { effect: Effect::ExitFlag, args: Vec::new(), span };
            body.push(Stmt::If { cond: is(exiting, STATUS, 1), then: vec![exit], otherwise: Vec::new() });
        }
        self.recorders.push(Recorder {
            values: whats,
            fields: record.fields.clone(),
            carried: carried(reads),
        });
        self.program.clauses.push(Clause { probes, predicate: None, body, record, span });
    }

    /// What is known of a probe that appeared while the recorder ran.
    pub(super) fn late(&self, clause: ClauseId, probe: Probe) -> Option<Schema> {
        let recorder = self.recorders.get(clause.0.checked_sub(self.first)? as usize)?;
        Some(Schema { probe, fields: recorder.carried.clone() })
    }

    /// Makes an event of a recorder's record; `symbol` hears of addresses that are shown by name.
    pub(super) fn event(
        &self,
        clause: ClauseId,
        data: &[u8],
        event: &mut Event,
        symbol: &mut dyn FnMut(SymbolKind, u64),
    ) -> Option<()> {
        let recorder = self.recorders.get(clause.0.checked_sub(self.first)? as usize)?;
        let mut site: Option<Site> = None;
        let (mut status, mut address) = (0, 0);
        for (what, field) in recorder.values.iter().zip(&recorder.fields) {
            let at = field.offset as usize;
            match what {
                What::Tid => event.tid = number(data, at, field.ty)? as u32,
                What::Number(Builtin::Timestamp) => event.time = number(data, at, field.ty)?,
                What::Number(builtin) => event.set_number(*builtin, number(data, at, field.ty)?),
                What::Text(builtin) => event.set_text(*builtin, text(data, at)?),
                What::Arg(n) => event.set_arg(*n, number(data, at, field.ty)?),
                What::Register(n) => event.set_register(*n, number(data, at, field.ty)?),
                What::Stack(user) => {
                    let count = number(data, at, Ty::U64)? as usize;
                    let first = at + if *user { 16 } else { 8 };
                    let Ty::Stack(spec) = field.ty else { return None };
                    let frames = event.new_stack(*user);
                    for n in 0..count.min(spec.frames as usize) {
                        frames.push(number(data, first + n * 8, Ty::U64)?);
                    }
                }
                What::Status(of) => {
                    site = Some(*of);
                    status = number(data, at, field.ty)? as i64;
                }
                What::Address => address = number(data, at, field.ty)?,
                What::Value => match (site?.kind, status) {
                    (SiteKind::Memory(space, _), TRIED) => event.add_memory(space, address, None),
                    (SiteKind::Memory(space, ty), DONE) => {
                        match ty {
                            Ty::Str => {
                                // The NUL was there, or the string was cut: both read back as the same string.
                                event.add_string(space, address, text(data, at)?);
                            }
                            ty => {
                                let size = match ty {
                                    Ty::Int { bytes, .. } => usize::from(bytes),
                                    Ty::Bytes(size) => size as usize,
                                    _ => 8,
                                };
                                event.add_memory(space, address, Some(data.get(at..at + size)?));
                            }
                        }
                    }
                    (SiteKind::Answer(_), TRIED) => event.add_memory(Space::Any, address, None),
                    (SiteKind::Answer(Ty::Str), DONE) => {
                        let null = number(data, at, Ty::U64)? == u64::MAX;
                        event.push_text_answer(if null { None } else { Some(text(data, at)?) });
                    }
                    (SiteKind::Answer(ty), DONE) => event.push_answer(number(data, at, ty)?),
                    (SiteKind::Variable(Ty::Str), DONE) => {
                        let null = number(data, at, Ty::U64)? == u64::MAX;
                        let value = if null { None } else { Some(text(data, at)?) };
                        event.push_read(ReadValue::Text(value));
                    }
                    (SiteKind::Variable(ty), DONE) => {
                        event.push_read(ReadValue::Number(number(data, at, ty)?));
                    }
                    (SiteKind::Symbol(kind), DONE) => symbol(kind, number(data, at, Ty::U64)?),
                    _ => {}
                },
            }
        }
        Some(())
    }
}

/// Size and alignment of a record's field, as `ir::Field` has them.
fn field_size(ty: Ty, strsize: u32) -> (u32, u32) {
    match ty {
        Ty::Int { bytes, .. } => (u32::from(bytes), u32::from(bytes)),
        Ty::Str => (8 + strsize.next_multiple_of(8), 8),
        Ty::Bytes(size) => (size.next_multiple_of(8), 8),
        Ty::Stack(spec) => (8 + if spec.user { 8 } else { 0 } + spec.frames.saturating_mul(8), 8),
        Ty::Symbol(_) => (16, 8),
        Ty::Void => (0, 1),
    }
}

/// A number in a record, extended.
fn number(data: &[u8], at: usize, ty: Ty) -> Option<u64> {
    let word = |n: usize| data.get(at..at + n);
    Some(match ty {
        Ty::Int { bytes: 1, signed } => {
            let byte = *data.get(at)?;
            if signed { byte as i8 as i64 as u64 } else { u64::from(byte) }
        }
        Ty::Int { bytes: 2, signed } => {
            let value = u16::from_ne_bytes(word(2)?.try_into().ok()?);
            if signed { value as i16 as i64 as u64 } else { u64::from(value) }
        }
        Ty::Int { bytes: 4, signed } => {
            let value = u32::from_ne_bytes(word(4)?.try_into().ok()?);
            if signed { value as i32 as i64 as u64 } else { u64::from(value) }
        }
        _ => u64::from_ne_bytes(word(8)?.try_into().ok()?),
    })
}

/// A string in a record; NULL is empty.
fn text(data: &[u8], at: usize) -> Option<&[u8]> {
    let length = number(data, at, Ty::U64)?;
    if length == u64::MAX {
        return Some(&[]);
    }
    data.get(at + 8..at.checked_add(8)?.checked_add(usize::try_from(length).ok()?)?)
}
