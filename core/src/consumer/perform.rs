//! Performs what records ask for, in order.

use super::queue::{Item, Queue, Record};
use super::{Consumer, decode};
use crate::aggregate::Aggregation;
use crate::backend::{BackendError, DropKind, FaultEvent, Session};
use crate::ir::{ActionKind, AggId, Clause, RecordLayout};
use crate::output::{self, Context, error};
use crate::probe::Probe;
use crate::record::Value;
use std::collections::HashMap;
use std::rc::Rc;

/// Speculative records until they are committed or discarded.
#[derive(Debug)]
pub(super) struct Speculations {
    /// By speculation id: the records and their data.
    kept: HashMap<i64, Vec<(Record, Vec<u8>)>>,
    used: HashMap<i64, u64>,
    limit: u64,
}

impl Speculations {
    pub fn new(limit: u64) -> Speculations {
        Speculations { kept: HashMap::new(), used: HashMap::new(), limit }
    }

    /// Keeps a record; `false` when the speculation is full.
    fn keep(&mut self, id: i64, record: &Record, data: &[u8]) -> bool {
        let used = self.used.entry(id).or_default();
        if *used + data.len() as u64 > self.limit {
            return false;
        }
        *used += data.len() as u64;
        self.kept.entry(id).or_default().push((record.clone(), data.to_vec()));
        true
    }

    fn take(&mut self, id: i64) -> Vec<(Record, Vec<u8>)> {
        self.used.remove(&id);
        self.kept.remove(&id).unwrap_or_default()
    }
}

/// Bytes of text that are handed on before all records of a delivery are done: as much as a cache holds.
const FLUSH: usize = 128 << 10;

impl Consumer<'_> {
    /// Everything that was delivered, in order.
    pub(super) fn consume(
        &mut self,
        session: &mut dyn Session,
        queue: &mut Queue,
    ) -> Result<(), BackendError> {
        if self.needs_snapshot(queue) {
            self.snapshot(session)?;
        }
        for item in &queue.items {
            if self.closed {
                break;
            }
            match item {
                Item::Record(record) => {
                    let data = queue.bytes.get(record.data.clone()).unwrap_or(&[]);
                    self.record(session, record, data);
                    if self.out.len() > FLUSH {
                        self.flush();
                    }
                }
                Item::Drop { kind, cpu, count } => self.dropped(*kind, *cpu, *count),
                Item::Fault(fault) => self.fault(fault),
                Item::TargetExited { pid, status } => self.target_exited(*pid, *status),
                Item::Warning(text) if self.json => self.warning_line(text),
                Item::Warning(text) => {
                    self.flush();
                    self.host.warn(text);
                }
                Item::Program(program) => {
                    self.program = Rc::clone(program);
                    self.add_aggregations();
                }
                Item::Totals(id, newer) => self.totals(*id, newer),
            }
        }
        queue.clear();
        self.flush();
        Ok(())
    }

    /// Does any record in the queue look at an aggregation? Of most scripts none ever does.
    fn needs_snapshot(&self, queue: &Queue) -> bool {
        let looks = |clause: &Clause| {
            clause.record.actions.iter().any(|action| {
                matches!(
                    action.kind,
                    ActionKind::Printa { .. }
                        | ActionKind::Clear { .. }
                        | ActionKind::Trunc { .. }
                        | ActionKind::Normalize { .. }
                        | ActionKind::Denormalize { .. }
                )
            })
        };
        self.program.clauses.iter().any(looks)
            && queue.items.iter().any(|item| match item {
                Item::Record(record) => self.clause(record).is_some_and(looks),
                _ => false,
            })
    }

    fn clause(&self, record: &Record) -> Option<&Clause> {
        self.program.clauses.get(record.clause.0 as usize)
    }

    /// One record: its columns, then its actions.
    fn record(&mut self, session: &mut dyn Session, record: &Record, data: &[u8]) {
        let program = Rc::clone(&self.program);
        let Some(clause) = program.clauses.get(record.clause.0 as usize) else { return };
        let layout = &clause.record;
        let number = |action: usize| {
            let first = layout.actions[action].fields.start as usize;
            layout.fields.get(first).and_then(|f| decode::field(data, f).as_int()).unwrap_or(0)
        };
        if let Some(at) = layout.actions.iter().position(|a| a.kind == ActionKind::Speculate) {
            let id = number(at);
            if id != 0 && !self.speculations.keep(id, record, data) {
                self.dropped(DropKind::Speculation, record.cpu, 1);
            }
            return;
        }
        self.perform(session, record, data, layout);
        for (at, action) in layout.actions.iter().enumerate() {
            match action.kind {
                ActionKind::Commit => {
                    for (record, data) in self.speculations.take(number(at)) {
                        let Some(clause) = program.clauses.get(record.clause.0 as usize) else { continue };
                        self.perform(session, &record, &data, &clause.record);
                    }
                }
                ActionKind::Discard => {
                    self.speculations.take(number(at));
                }
                _ => {}
            }
        }
    }

    /// The columns and actions of one record.
    fn perform(&mut self, session: &mut dyn Session, record: &Record, data: &[u8], layout: &RecordLayout) {
        // commit() and discard() show what was speculated, or nothing.
        let shows = |kind: &ActionKind| !matches!(kind, ActionKind::Commit | ActionKind::Discard);
        let silent = !layout.actions.is_empty() && !layout.actions.iter().any(|action| shows(&action.kind));
        if self.json {
            if !silent {
                self.record_line(session, record, data, layout);
            }
            return;
        }
        let columns = !silent && self.prefix(record);
        // Their memory serves all records.
        let mut values = std::mem::take(&mut self.values);
        for (index, action) in layout.actions.iter().enumerate() {
            if layout.present && !decode::present(data, index) {
                continue;
            }
            let fields =
                layout.fields.get(action.fields.start as usize..action.fields.end as usize).unwrap_or(&[]);
            values.clear();
            values.extend(fields.iter().map(|field| decode::field(data, field)));
            self.action(session, &action.kind, &values, record);
        }
        self.values = values;
        if columns {
            self.out.push(b'\n');
        }
    }

    /// Heading and columns before a record's data. Was anything written?
    fn prefix(&mut self, record: &Record) -> bool {
        let flowindent = self.settings.flow_indent;
        if self.settings.quiet && !flowindent {
            return false;
        }
        let numbers = self.host.shows_numbers();
        let shown_cpu = numbers.then_some(record.cpu);
        if !self.heading {
            output::record::heading(&mut self.out, self.settings.quiet, flowindent, numbers);
            self.heading = true;
        }
        if self.last.as_ref().is_none_or(|(id, _)| *id != record.probe) {
            self.last = (self.probe)(record.probe).map(|probe| (record.probe, probe));
        }
        let probe = self.last.as_ref().map(|(_, probe)| probe);
        let empty = "";
        let shown = output::record::Probe {
            id: record.probe.0,
            provider: probe.map_or(empty, |p| p.provider.as_str()),
            function: probe.map_or(empty, |p| p.function.as_str()),
            name: probe.map_or(empty, |p| p.name.as_str()),
        };
        if flowindent {
            let cpu = record.cpu as usize;
            if self.flow.len() <= cpu && cpu < 65536 {
                self.flow.resize_with(cpu + 1, Default::default);
            }
            if let Some(state) = self.flow.get_mut(cpu) {
                output::record::flow_prefix(&mut self.out, state, shown_cpu, &shown, record.clause.0);
            }
        } else {
            output::record::prefix(&mut self.out, shown_cpu, &shown);
        }
        true
    }

    pub(super) fn action(
        &mut self,
        session: &mut dyn Session,
        kind: &ActionKind,
        values: &[Value],
        record: &Record,
    ) {
        match kind {
            ActionKind::Exit => {
                // The last one counts: END may have the last word.
                self.exit = values.first().and_then(Value::as_int).map(|v| v as i32).or(self.exit);
            }
            ActionKind::Clear { agg } => self.aggregation(*agg, Aggregation::clear),
            ActionKind::Trunc { agg } => {
                let count = values.first().and_then(Value::as_int);
                self.aggregation(*agg, |a| a.trunc(count));
            }
            ActionKind::Normalize { agg } => {
                let factor = values.first().and_then(Value::as_int).unwrap_or(0) as u64;
                let mut failed = false;
                self.aggregation(*agg, |a| failed = a.normalize(factor).is_err());
                if failed {
                    self.library_fault(record, "normalize() factor cannot be zero");
                }
            }
            ActionKind::Denormalize { agg } => self.aggregation(*agg, Aggregation::denormalize),
            ActionKind::System { format } => {
                let command = self.formatted(session, *format, values);
                self.flush();
                self.host.system(&command);
            }
            ActionKind::Freopen { format } => {
                let path = self.formatted(session, *format, values);
                self.flush();
                let path = if path.is_empty() { None } else { Some(path.as_slice()) };
                if let Err(reason) = self.host.freopen(path) {
                    let name = String::from_utf8_lossy(path.unwrap_or(b"")).into_owned();
                    self.library_fault(record, &format!("couldn't freopen() output to {name}: {reason}"));
                }
            }
            ActionKind::Ftruncate => {
                self.flush();
                self.host.ftruncate();
            }
            ActionKind::Setopt => self.setopt(values, record),
            ActionKind::Printa { format, aggs } => {
                let context = Context {
                    settings: &self.settings,
                    environment: self.host.environment(),
                    symbols: session.symbols(),
                };
                let program = Rc::clone(&self.program);
                let format = format.and_then(|f| program.formats.get(f as usize));
                let all: Vec<&Aggregation> =
                    aggs.iter().filter_map(|id| self.aggregations.get(id.0 as usize)).collect();
                output::printa::printa(&mut self.out, &context, format, &all);
                for id in aggs {
                    self.aggregation(*id, Aggregation::set_printed);
                }
            }
            ActionKind::Speculate | ActionKind::Commit | ActionKind::Discard | ActionKind::Default => {}
            _ => self.text(session, kind, values),
        }
    }

    /// Actions that only append text.
    fn text(&mut self, session: &mut dyn Session, kind: &ActionKind, values: &[Value]) {
        let context = Context {
            settings: &self.settings,
            environment: self.host.environment(),
            symbols: session.symbols(),
        };
        let out = &mut self.out;
        match (kind, values) {
            (ActionKind::Printf { format }, _) => {
                if let Some(format) = self.program.formats.get(*format as usize) {
                    format.write(out, &context, values);
                }
            }
            (ActionKind::Tracemem { .. }, [Value::Bytes(bytes), rest @ ..]) => {
                output::trace::tracemem(out, bytes, rest.first().and_then(Value::as_int));
            }
            (ActionKind::Print { type_name, text }, [value, Value::Int { raw, .. }]) => {
                output::print::target(&mut self.out, *raw, type_name, text, value);
            }
            (ActionKind::Print { type_name, text }, [value]) => {
                output::print::print(out, type_name, text, value);
            }
            (_, values) => {
                for value in values {
                    output::trace::trace(out, &context, value);
                }
            }
        }
    }

    /// Takes over an aggregation from a backend that hands over totals; one whose shape was not known yet is new.
    fn totals(&mut self, id: AggId, newer: &Aggregation) {
        self.aggregation(id, |old| {
            if old.func() == newer.func() && old.arity() == newer.arity() {
                old.replace_from(newer.clone());
                return;
            }
            let printed = old.printed();
            *old = newer.clone();
            if printed {
                old.set_printed();
            }
        });
    }

    pub(super) fn aggregation(&mut self, id: AggId, f: impl FnOnce(&mut Aggregation)) {
        if let Some(aggregation) = self.aggregations.get_mut(id.0 as usize) {
            f(aggregation);
        }
    }

    fn formatted(&mut self, session: &mut dyn Session, format: u32, values: &[Value]) -> Vec<u8> {
        let context = Context {
            settings: &self.settings,
            environment: self.host.environment(),
            symbols: session.symbols(),
        };
        let mut text = Vec::new();
        if let Some(format) = self.program.formats.get(format as usize) {
            format.write(&mut text, &context, values);
        }
        text
    }

    /// setopt() at run time: what shapes the output changes from here on.
    fn setopt(&mut self, values: &[Value], record: &Record) {
        let texts: Vec<String> = values
            .iter()
            .filter_map(Value::as_text)
            .map(|t| String::from_utf8_lossy(t).into_owned())
            .collect();
        let Some(name) = texts.first() else { return };
        let value = texts.get(1).map(String::as_str);
        match self.options.set(name, value) {
            Ok(()) => self.settings = super::settings(&self.options, self.settings.target),
            Err(error) => {
                let shown = value.map_or(String::new(), |v| format!(" to \"{v}\""));
                self.library_fault(record, &format!("couldn't set option \"{name}\"{shown}: {error}"));
            }
        }
    }

    fn library_fault(&mut self, record: &Record, reason: &str) {
        self.flush();
        let name = (self.probe)(record.probe).as_ref().map_or(String::new(), full_name);
        let text = error::library_fault(record.clause.0 + 1, record.probe.0, &name, reason);
        if self.json {
            self.error_line(record.probe, record.clause.0, None, &text);
            return;
        }
        self.host.warn(&text);
    }

    fn dropped(&mut self, kind: DropKind, cpu: u32, count: u64) {
        self.flush();
        let shown = match kind {
            DropKind::Principal => error::DropKind::Principal,
            DropKind::Aggregation(_) => error::DropKind::Aggregation,
            DropKind::Dynamic => error::DropKind::Dynamic,
            DropKind::Speculation => error::DropKind::Speculative,
            DropKind::SpeculationUnavailable => error::DropKind::SpeculationUnavailable,
            DropKind::SpeculationBusy => error::DropKind::SpeculationBusy,
            DropKind::Nested => error::DropKind::Nested,
            DropKind::StackStringOverflow => error::DropKind::StackStringOverflow,
        };
        let message = error::drop(&self.settings, shown, count, Some(cpu));
        match self.json {
            true => self.drop_line(kind, cpu, count, &message),
            false => self.host.warn(&message),
        }
    }

    fn fault(&mut self, event: &FaultEvent) {
        self.flush();
        let name = (self.probe)(event.probe).as_ref().map_or(String::new(), full_name);
        let report = error::FaultReport {
            enabling: event.clause.0 + 1,
            probe: event.probe.0,
            probe_name: &name,
            fault: error::Fault::from_number(event.fault),
            value: event.address,
            action: event.action,
            offset: Some(event.offset as u64),
        };
        let message = error::fault(&report);
        match self.json {
            true => {
                self.error_line(event.probe, event.clause.0, Some((event.fault, event.address)), &message)
            }
            false => self.host.warn(&message),
        }
    }

    fn target_exited(&mut self, pid: u32, status: Option<i32>) {
        self.targets_left = self.targets_left.saturating_sub(1);
        self.target_status = self.target_status.or(status);
        if self.json {
            self.target_line(pid, status);
            return;
        }
        if self.settings.quiet {
            return;
        }
        self.flush();
        // A wait status: the low seven bits are the signal that ended the process.
        match status.map(|s| s & 0x7f).filter(|signal| *signal != 0) {
            Some(signal) => self.host.warn(&format!("pid {pid} terminated by signal {signal}")),
            None => match status.map(|s| s >> 8 & 0xff).filter(|code| *code != 0) {
                Some(code) => self.host.warn(&format!("pid {pid} exited with status {code}")),
                None => self.host.warn(&format!("pid {pid} has exited")),
            },
        }
    }
}

/// `provider:module:function:name`.
fn full_name(probe: &Probe) -> String {
    format!("{}:{}:{}:{}", probe.provider, probe.module, probe.function, probe.name)
}
