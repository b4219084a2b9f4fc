//! A program that runs over a recording.

use super::symbols::Recorded;
use super::timers::Timers;
use super::{Replay, Source, is_own, recorded};
use crate::event::Event;
use crate::file::{FileError, Item};
use crate::hash::Fast;
use crate::interp::{Config, Machine};
use duotrace_core::aggregate::{Aggregation, Key};
use duotrace_core::backend::{BackendError, DropKind, Event as Delivered, LoadError, Session, Sink};
use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::{ActionKind, AggId, ClauseId, Effect, Program, text};
use duotrace_core::options::{Options, opt};
use duotrace_core::probe::{Probe, ProbeId, is_glob};
use duotrace_core::record::Symbols;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Events between two looks of the consumer.
const BATCH: usize = 65_536;

/// Records' bytes between two looks of the consumer.
const BATCH_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Loaded,
    Running,
    /// The recording is at its end, or the script has called `exit()`.
    Over,
    Stopped,
}

pub(super) struct Running {
    program: Rc<Program>,
    machine: Machine,
    enabled: Vec<Enabled>,
    /// Where in `enabled` a probe's clauses are.
    places: HashMap<u32, usize, Fast>,
    /// The probe that fired last, and its place there.
    latest: Option<(u32, usize)>,
    /// Clauses that are for one process (`pid42`, `postgres42`): whatever it forks fires the same probes.
    only: Vec<Option<u32>>,
    probes: Rc<BTreeMap<u32, Probe>>,
    source: Source,
    event: Event,
    /// `event` has been read but has not fired yet.
    waiting: bool,
    count: u64,
    periods: BTreeMap<u32, u64>,
    timers: Timers,
    now: u64,
    begin: Option<ProbeId>,
    end: Option<ProbeId>,
    /// The recording has its own END.
    recorded_end: bool,
    /// Clauses whose records look at aggregations: the consumer must see them before anything else happens.
    sensitive: Vec<bool>,
    symbols: Recorded,
    state: State,
    /// Real time and the recording's at the start, when events wait for their time.
    pace: Option<(Instant, u64)>,
    realtime: bool,
    /// A process that stands for the recording: it "ends" with it.
    target: u32,
}

/// The clauses of a probe.
struct Enabled {
    clauses: Vec<ClauseId>,
    /// Are any of them for one process only?
    choosy: bool,
}

/// Watches what passes to the consumer.
struct Tap<'a> {
    sink: &'a mut dyn Sink,
    sensitive: &'a [bool],
    stop: bool,
    bytes: usize,
}

impl Sink for Tap<'_> {
    fn event(&mut self, event: Delivered<'_>) {
        if let Delivered::Record { clause, data, .. } = &event {
            self.stop |= self.sensitive.get(clause.0 as usize).copied().unwrap_or(false);
            self.bytes += data.len();
        }
        self.sink.event(event);
    }
}

/// The process that a provider's name ends in, if it is for one process.
fn process_of(provider: &str, target: u32) -> Option<u32> {
    let name = provider.trim_end_matches(|c: char| c.is_ascii_digit());
    let pid = provider.get(name.len()..)?.parse().ok()?;
    // Other providers' names may end in a digit that is no process (`ip6`).
    (!is_glob(name) && (name == "pid" || pid == target)).then_some(pid)
}

impl Running {
    pub fn new(replay: &Replay, program: &Program, options: &Options) -> Result<Running, LoadError> {
        let source = replay.source().map_err(|error| BackendError::new(error.to_string()))?;
        let mut clauses: HashMap<u32, Vec<ClauseId>> = HashMap::new();
        for (index, clause) in program.clauses.iter().enumerate() {
            for probe in clause.probes.iter().flat_map(|enabling| &enabling.probes) {
                let list = clauses.entry(probe.0).or_default();
                let id = ClauseId(index as u32);
                if list.last() != Some(&id) {
                    list.push(id);
                }
            }
        }
        let own = |name: &str| {
            let mut enabled = clauses.keys().filter_map(|id| replay.probes.get(id));
            enabled.find(|probe| is_own(probe, name)).map(|probe| probe.id)
        };
        let errors = own("ERROR").map(|id| (id, clauses.get(&id.0).cloned().unwrap_or_default()));
        let machine = replay.overview.machine;
        let schemas = &replay.overview.schemas;
        let config = Config {
            errors,
            nspec: options.number(opt::NSPEC).clamp(1, 256) as u32,
            scratch: options.number(opt::SCRATCHSIZE) as u32,
            big_endian: machine.big_endian,
            wall: machine.wall,
            own: replay.own,
            ..Config::default()
        };
        let sensitive = program
            .clauses
            .iter()
            .map(|clause| {
                clause.record.actions.iter().any(|action| {
                    use ActionKind::*;
                    let looks = matches!(
                        action.kind,
                        Printa { .. } | Clear { .. } | Trunc { .. } | Normalize { .. } | Denormalize { .. }
                    );
                    looks || matches!(action.kind, Exit | Setopt)
                })
            })
            .collect();
        let periods = replay.timers.iter().filter(|(id, _)| clauses.contains_key(id));
        let periods = periods.map(|(id, period)| (*id, *period)).collect();
        let (begin, end) = (own("BEGIN"), own("END"));
        let target = replay.meta("target").and_then(|pid| pid.parse().ok()).unwrap_or(0);
        let only = program.clauses.iter().map(|clause| match clause.probes.as_slice() {
            [enabling] => process_of(&enabling.desc.provider, target),
            _ => None,
        });
        let only: Vec<Option<u32>> = only.collect();
        let (mut enabled, mut places) = (Vec::new(), HashMap::default());
        for (probe, clauses) in clauses {
            places.insert(probe, enabled.len());
            let choosy = clauses.iter().any(|id| only.get(id.0 as usize).is_some_and(Option::is_some));
            enabled.push(Enabled { clauses, choosy });
        }
        Ok(Running {
            only,
            machine: Machine::new(program, config),
            program: Rc::new(program.clone()),
            // A window that begins later leaves the recording's own out.
            begin: begin.filter(|id| replay.window.from > 0 || recorded(schemas, "BEGIN") != Some(*id)),
            recorded_end: end.is_some() && recorded(schemas, "END") == end,
            end,
            enabled,
            places,
            latest: None,
            probes: Rc::clone(&replay.probes),
            source,
            event: Event::default(),
            waiting: false,
            count: 0,
            periods,
            timers: Timers::default(),
            now: 0,
            sensitive,
            symbols: Recorded(Rc::clone(&replay.overview)),
            state: State::Loaded,
            pace: None,
            realtime: replay.realtime,
            target,
        })
    }

    /// Reads on to the next event; what else there is goes to the consumer. `false` at the end.
    fn read(&mut self, sink: &mut dyn Sink) -> Result<bool, BackendError> {
        if self.source.next_event(&mut self.event) {
            self.count += 1;
            self.waiting = true;
            return Ok(true);
        }
        self.read_other(sink)
    }

    /// The same where something else comes first.
    #[cold]
    fn read_other(&mut self, sink: &mut dyn Sink) -> Result<bool, BackendError> {
        loop {
            let item = self.source.next(&mut self.event);
            let broken = |error: FileError| BackendError::new(format!("cannot read the recording: {error}"));
            match item.map_err(broken)? {
                Item::Event => {
                    self.count += 1;
                    self.waiting = true;
                    return Ok(true);
                }
                Item::Losses(losses) => {
                    for loss in losses {
                        let (kind, count) = (drop_kind(&loss.what), loss.count);
                        match kind {
                            Some(kind) => sink.event(Delivered::Drop { kind, cpu: 0, count }),
                            None => {
                                sink.event(Delivered::Warning(format!("recorded: {count} {}", loss.what)))
                            }
                        }
                    }
                }
                Item::Damage(what) => sink.event(Delivered::Warning(format!("recording: {what}"))),
                Item::End { .. } => return Ok(false),
                Item::Probes(_) | Item::Meta(_) | Item::Symbols(_) | Item::Types(_) | Item::Index(_) => {}
            }
        }
    }

    /// Fires the event that waits.
    fn fire(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.waiting = false;
        self.now = self.event.time;
        let probe = self.event.probe.0;
        let place = match self.latest {
            Some((latest, place)) if latest == probe => Some(place),
            _ => self.places.get(&probe).copied(),
        };
        let Some((place, enabled)) = place.and_then(|place| Some((place, self.enabled.get(place)?))) else {
            return Ok(());
        };
        self.latest = Some((probe, place));
        let mine: Vec<ClauseId>;
        let clauses = match enabled.choosy {
            false => enabled.clauses.as_slice(),
            true => {
                let pid = self.event.pid;
                let other = |id: &&ClauseId| {
                    let only = self.only.get(id.0 as usize).copied().flatten();
                    only.is_some_and(|only| only != pid && pid != 0)
                };
                mine = enabled.clauses.iter().filter(|id| !other(id)).copied().collect();
                &mine
            }
        };
        let probes = &self.probes;
        let names = |id: ProbeId| probes.get(&id.0).cloned();
        let fired = self.machine.fire(&self.program, clauses, &mut self.event, &names, sink);
        if self.machine.has_refrained() {
            self.tell_refrained(sink);
        }
        fired.map_err(|what| self.lacks(&what))
    }

    /// Says what the script asked for and did not get.
    #[cold]
    fn tell_refrained(&mut self, sink: &mut dyn Sink) {
        for refrained in self.machine.take_refrained() {
            let what = match refrained.effect {
                Effect::Raise => format!("raise({})", refrained.argument),
                other => format!("{other:?}()").to_lowercase(),
            };
            sink.event(Delivered::Warning(format!("{what} is not performed in a replay")));
        }
    }

    #[cold]
    fn lacks(&self, what: &str) -> BackendError {
        let probe = self.probes.get(&self.event.probe.0).map_or_else(String::new, |probe| {
            format!("{}:{}:{}:{}", probe.provider, probe.module, probe.function, probe.name)
        });
        let count = self.count;
        BackendError::new(format!("the recording lacks {what}, asked for at event {count} ({probe})"))
    }

    /// Fires a probe that was not recorded: of virtual time, BEGIN, END.
    fn fire_own(&mut self, probe: ProbeId, time: u64, sink: &mut dyn Sink) -> Result<(), BackendError> {
        let mut event = Event::complete(probe);
        event.time = time;
        let before = std::mem::replace(&mut self.event, event);
        let waiting = self.waiting;
        let result = self.fire(sink);
        self.event = before;
        self.waiting = waiting;
        self.now = time;
        result
    }

    /// One step: a timer or an event. `false` when the recording is at its end.
    fn step(&mut self, sink: &mut dyn Sink) -> Result<bool, BackendError> {
        if !self.waiting && !self.read(sink)? {
            return Ok(false);
        }
        if let Some((time, probe)) = self.timers.due(self.event.time) {
            let left_out = self.timers.left_out();
            if left_out > 0 {
                let what = "times a timer did not fire where the recording's clock jumps";
                sink.event(Delivered::Warning(format!("recording: {left_out} {what}")));
            }
            self.fire_own(ProbeId(probe), time, sink)?;
            return Ok(true);
        }
        if self.recorded_end && self.end == Some(self.event.probe) {
            // END fires when the session stops.
            return Ok(false);
        }
        self.fire(sink)?;
        Ok(true)
    }

    /// Is the next event still to come, in real time?
    fn too_early(&self) -> Option<Duration> {
        let (start, first) = self.pace?;
        let next = Duration::from_nanos(self.event.time.saturating_sub(first));
        next.checked_sub(start.elapsed()).filter(|_| self.waiting)
    }
}

/// The kind of loss that a recording names, in dtrace's words.
fn drop_kind(what: &str) -> Option<DropKind> {
    use DropKind::*;
    let all = [Principal, Dynamic, Speculation, SpeculationUnavailable, SpeculationBusy, Nested];
    all.into_iter().find(|kind| format!("{kind:?}") == what)
}

impl Session for Running {
    fn start(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.state = State::Running;
        let more = self.read(sink)?;
        self.now = if more { self.event.time } else { 0 };
        self.timers = Timers::start(self.now, self.periods.iter().map(|(id, period)| (*id, *period)));
        if self.realtime {
            self.pace = Some((Instant::now(), self.now));
        }
        if let Some(begin) = self.begin {
            self.fire_own(begin, self.now, sink)?;
        }
        Ok(())
    }

    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        if self.state != State::Running {
            return Ok(());
        }
        let sensitive = std::mem::take(&mut self.sensitive);
        let mut tap = Tap { sink, sensitive: &sensitive, stop: false, bytes: 0 };
        let mut result = Ok(());
        for _ in 0..BATCH {
            if let Some(wait) = self.too_early() {
                let left = deadline.saturating_duration_since(Instant::now());
                std::thread::sleep(wait.min(left));
                if wait > left {
                    break;
                }
            }
            if self.machine.exiting() {
                self.state = State::Over;
                break;
            }
            match self.step(&mut tap) {
                Ok(true) => {}
                Ok(false) => {
                    self.state = State::Over;
                    // Nothing more will come: the run ends as when a traced process has gone.
                    tap.event(Delivered::TargetExited { pid: self.target, status: None });
                    break;
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            if tap.stop || tap.bytes > BATCH_BYTES {
                break;
            }
        }
        self.sensitive = sensitive;
        result
    }

    fn snapshot(&mut self, agg: AggId, into: &mut Aggregation) -> Result<(), BackendError> {
        let Some(def) = self.program.aggregations.get(agg.0 as usize) else { return Ok(()) };
        let mut fresh = Aggregation::new(into.id(), into.name(), def.func, def.key.len());
        let failed = |error: duotrace_core::aggregate::AggError| BackendError::new(error.to_string());
        self.machine.snapshot(&self.program, agg, &mut fresh).map_err(failed)?;
        for (key, cell) in fresh.cells() {
            let key: Key = key.iter().map(|part| part.clone().canonical(&self.symbols)).collect();
            into.merge_partial(key, &cell.words).map_err(failed)?;
        }
        Ok(())
    }

    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        if self.state == State::Stopped {
            return Ok(());
        }
        self.state = State::Stopped;
        let Some(end) = self.end else { return Ok(()) };
        if self.recorded_end {
            // The recording's END, with what it could read.
            while self.waiting || self.read(sink)? {
                if self.event.probe == end {
                    return self.fire(sink);
                }
                self.waiting = false;
            }
        }
        self.fire_own(end, self.now, sink)
    }

    fn enabled(&self, clause: ClauseId) -> usize {
        let clause = self.program.clauses.get(clause.0 as usize);
        clause.map_or(0, |clause| clause.probes.iter().map(|enabling| enabling.probes.len()).sum())
    }

    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.symbols
    }

    fn listing(&self, sources: &SourceMap) -> Option<String> {
        Some(text::print(&self.program, sources))
    }
}
