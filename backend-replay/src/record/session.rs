//! A session that also writes what its program reads to a file.

use super::plan::Plan;
use crate::event::Event;
use crate::file::{Answer, FileError, Loss, Machine, Writer};
use crate::hash::Fast;
use duotrace_core::aggregate::Aggregation;
use duotrace_core::backend::{BackendError, Event as Delivered, Session, Sink};
use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::{AggId, ClauseId, SymbolKind};
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::record::{Symbol, Symbols};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::{Duration, Instant};

/// Addresses that get names at most.
const MOST_SYMBOLS: usize = 1 << 20;

/// How much a tracer that is killed loses at most.
const SYNC: Duration = Duration::from_secs(1);

/// How a recording went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub events: u64,
    /// Events that could not be written: of probes that nobody knows.
    pub unknown: u64,
    /// Records that the kernel lost.
    pub lost: u64,
}

/// A session of a program that [`super::plan`] has made, and the file it fills.
pub struct Recording<'a, W: Write> {
    /// Knows the probes, also those that appear while it runs.
    names: &'a dyn Fn(ProbeId) -> Option<Probe>,
    /// The recorder of each probe, once one has fired: where two do, both saw the same firing.
    declared: HashMap<ProbeId, Option<ClauseId>, Fast>,
    inner: Box<dyn Session>,
    plan: Plan,
    writer: Option<Writer<W>>,
    event: Event,
    addresses: Addresses,
    losses: BTreeMap<String, u64>,
    summary: Summary,
    failed: Option<FileError>,
    synced: Instant,
}

/// Addresses that are shown by name: process (`None`: the kernel) and address.
#[derive(Default)]
struct Addresses {
    names: HashMap<(Option<u32>, u64), Option<Symbol>>,
    /// Those that nobody has looked for yet.
    fresh: Vec<(Option<u32>, u64)>,
}

impl Addresses {
    fn note(&mut self, pid: Option<u32>, address: u64) {
        if self.names.len() < MOST_SYMBOLS
            && let Entry::Vacant(entry) = self.names.entry((pid, address))
        {
            entry.insert(None);
            self.fresh.push((pid, address));
        }
    }
}

/// Takes the recorder's records out of the stream.
struct Tap<'a, W: Write> {
    names: &'a dyn Fn(ProbeId) -> Option<Probe>,
    declared: &'a mut HashMap<ProbeId, Option<ClauseId>, Fast>,
    plan: &'a Plan,
    writer: &'a mut Option<Writer<W>>,
    event: &'a mut Event,
    addresses: &'a mut Addresses,
    losses: &'a mut BTreeMap<String, u64>,
    summary: &'a mut Summary,
    failed: &'a mut Option<FileError>,
    sink: &'a mut dyn Sink,
}

impl<W: Write> Sink for Tap<'_, W> {
    fn event(&mut self, event: Delivered<'_>) {
        match &event {
            Delivered::Record { probe, provider_pid, clause, cpu, timestamp, data }
                if clause.0 >= self.plan.first =>
            {
                self.event.clear();
                (self.event.probe, self.event.cpu, self.event.pid) = (*probe, *cpu, *provider_pid);
                self.event.time = *timestamp;
                let pid = *provider_pid;
                let addresses = &mut *self.addresses;
                let mut symbol = |kind, address| {
                    let user = !matches!(kind, SymbolKind::Sym | SymbolKind::Mod | SymbolKind::Func);
                    addresses.note(user.then_some(pid), address);
                };
                if self.plan.event(*clause, data, self.event, &mut symbol).is_none() {
                    self.summary.unknown += 1;
                    return;
                }
                for user in [false, true] {
                    for frame in self.event.stack(user).unwrap_or(&[]) {
                        self.addresses.note(user.then_some(pid), *frame);
                    }
                }
                let Some(writer) = self.writer else { return };
                let written = declare(writer, self.plan, self.declared, self.names, *probe, *clause);
                let written = written.and_then(|known| match known {
                    true => writer.event(self.event),
                    false => {
                        self.summary.unknown += 1;
                        Ok(())
                    }
                });
                if let Err(error) = written {
                    *self.failed = Some(error);
                    *self.writer = None;
                }
            }
            Delivered::Drop { kind, count, .. } => {
                *self.losses.entry(format!("{kind:?}")).or_default() += count;
                self.summary.lost += count;
                self.sink.event(event);
            }
            _ => self.sink.event(event),
        }
    }
}

/// Sees to it that the file knows a probe; `false` where nobody does, or where this firing is in the file already.
fn declare<W: Write>(
    writer: &mut Writer<W>,
    plan: &Plan,
    declared: &mut HashMap<ProbeId, Option<ClauseId>, Fast>,
    names: &dyn Fn(ProbeId) -> Option<Probe>,
    probe: ProbeId,
    clause: ClauseId,
) -> Result<bool, FileError> {
    if let Some(recorder) = declared.get_mut(&probe) {
        return Ok(*recorder.get_or_insert(clause) == clause);
    }
    let Some(schema) = names(probe).and_then(|known| plan.late(clause, known)) else { return Ok(false) };
    writer.probes(&[schema])?;
    declared.insert(probe, Some(clause));
    Ok(true)
}

impl<'a, W: Write> Recording<'a, W> {
    /// `inner` has loaded the plan's program. `meta` is what the file says about itself, `types` what the compiler was
    /// told of the kernel's types.
    pub fn new(
        inner: Box<dyn Session>,
        plan: Plan,
        out: W,
        machine: Machine,
        meta: &[(&str, &str)],
        types: &[Answer],
        names: &'a dyn Fn(ProbeId) -> Option<Probe>,
    ) -> Result<Recording<'a, W>, FileError> {
        let mut writer = Writer::new(out, machine)?;
        writer.meta(meta)?;
        writer.types(types)?;
        writer.probes(&plan.schemas)?;
        writer.sync()?;
        Ok(Recording {
            names,
            declared: plan.schemas.iter().map(|schema| (schema.probe.id, None)).collect(),
            inner,
            plan,
            writer: Some(writer),
            event: Event::default(),
            addresses: Addresses::default(),
            losses: BTreeMap::new(),
            summary: Summary::default(),
            failed: None,
            synced: Instant::now(),
        })
    }

    /// How it went so far.
    pub fn summary(&self) -> Summary {
        let events = self.writer.as_ref().map_or(self.summary.events, Writer::events);
        Summary { events, ..self.summary.clone() }
    }

    /// Lets the inner session deliver through the tap.
    fn through(
        &mut self,
        sink: &mut dyn Sink,
        act: impl FnOnce(&mut dyn Session, &mut dyn Sink) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let mut tap = Tap {
            names: self.names,
            declared: &mut self.declared,
            plan: &self.plan,
            writer: &mut self.writer,
            event: &mut self.event,
            addresses: &mut self.addresses,
            losses: &mut self.losses,
            summary: &mut self.summary,
            failed: &mut self.failed,
            sink,
        };
        act(self.inner.as_mut(), &mut tap)?;
        self.name_addresses();
        if let Some(writer) = self.writer.as_mut().filter(|_| self.synced.elapsed() >= SYNC) {
            self.synced = Instant::now();
            if let Err(error) = writer.sync() {
                (self.failed, self.writer) = (Some(error), None);
            }
        }
        match self.failed.take() {
            Some(error) => Err(BackendError::new(format!("cannot write the recording: {error}"))),
            None => Ok(()),
        }
    }

    /// Names for addresses that are new, as long as their processes live.
    fn name_addresses(&mut self) {
        let symbols = self.inner.symbols();
        for (pid, address) in self.addresses.fresh.drain(..) {
            let found = match pid {
                Some(pid) => symbols.user(pid, address),
                None => symbols.kernel(address),
            };
            let found = found.filter(|symbol| !symbol.module.is_empty());
            self.addresses.names.insert((pid, address), found);
        }
    }

    fn finish(&mut self) -> Result<(), FileError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let losses: Vec<Loss> =
            self.losses.iter().map(|(what, count)| Loss { what: what.clone(), count: *count }).collect();
        if !losses.is_empty() {
            writer.losses(&losses)?;
        }
        let named = self.addresses.names.drain();
        let mut named: Vec<(Option<u32>, u64, Symbol)> =
            named.filter_map(|((pid, address), symbol)| Some((pid, address, symbol?))).collect();
        named.sort_by_key(|(pid, address, _)| (*pid, *address));
        writer.symbols(&named)?;
        self.summary.events = writer.events();
        writer.finish()?;
        Ok(())
    }
}

impl<W: Write> Drop for Recording<'_, W> {
    /// A run that was broken off still leaves a whole file, as far as that goes.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl<W: Write> Session for Recording<'_, W> {
    fn start(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.through(sink, |session, sink| session.start(sink))
    }

    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.through(sink, |session, sink| session.poll(deadline, sink))
    }

    fn snapshot(&mut self, agg: AggId, into: &mut Aggregation) -> Result<(), BackendError> {
        self.inner.snapshot(agg, into)
    }

    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.through(sink, |session, sink| session.stop(sink))?;
        self.finish().map_err(|error| BackendError::new(format!("cannot write the recording: {error}")))
    }

    fn enabled(&self, clause: ClauseId) -> usize {
        self.inner.enabled(clause)
    }

    fn symbols(&mut self) -> &mut dyn Symbols {
        self.inner.symbols()
    }

    fn explain(&self) -> Option<String> {
        self.inner.explain()
    }

    fn listing(&self, sources: &SourceMap) -> Option<String> {
        self.inner.listing(sources)
    }
}
