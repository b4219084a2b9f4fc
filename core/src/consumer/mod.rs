//! Drives a session: events in, text out.
//!
//! A session delivers events while it is polled; the consumer keeps them
//! ([`queue`]), brings aggregations up to date, then performs the records'
//! actions in order ([`perform`]). Everything that touches the system goes
//! through [`Host`] and [`Control`], which the CLI and the tests implement.

mod decode;
mod json;
mod perform;
mod queue;
#[cfg(test)]
mod tests;

use crate::aggregate::Aggregation;
use crate::backend::{BackendError, Session};
use crate::ir::{AggId, Program};
use crate::options::{Options, opt};
use crate::output::{self, Encoding, Environment, Settings};
use crate::probe::{Probe, ProbeId};
use crate::record::Value;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a run needs of the system.
pub trait Host {
    /// Appends to the present output. `Err` when nobody reads it any more.
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed>;
    /// Hands everything written on.
    fn flush(&mut self) -> Result<(), OutputClosed>;
    /// One line for the user (stderr), without the `dtrace: ` prefix.
    fn warn(&mut self, line: &str);
    /// `system()`; the output has been flushed.
    fn system(&mut self, command: &[u8]);
    /// `freopen()`: further output goes to the file; `None` restores the original. The error is a reason.
    fn freopen(&mut self, path: Option<&[u8]>) -> Result<(), String>;
    /// `ftruncate()`.
    fn ftruncate(&mut self);
    /// Local time, names of ports.
    fn environment(&self) -> &dyn Environment;
    /// Are the columns CPU and ID shown before a record's data?
    fn shows_numbers(&self) -> bool {
        true
    }
}

/// The output's reader has gone (EPIPE): leave quietly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputClosed;

/// Does the user want to stop?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    No,
    /// First signal: END runs, everything is printed.
    Gracefully,
    /// Second signal: leave.
    AtOnce,
}

/// Asked between polls.
pub trait Control {
    fn stop(&mut self) -> Stop;
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Argument of exit(), else 0.
    pub status: i32,
    /// Wait status of the `-c` command, when it ended.
    pub target_status: Option<i32>,
}

/// How long a poll lasts at most, so that signals are noticed.
const POLL_LIMIT: Duration = Duration::from_millis(100);

/// Settings of the output from options.
pub fn settings(options: &Options, target: Option<u32>) -> Settings {
    Settings {
        quiet: options.flag(opt::QUIET),
        flow_indent: options.flag(opt::FLOWINDENT),
        raw_bytes: options.flag(opt::RAWBYTES),
        strsize: options.number(opt::STRSIZE) as usize,
        stack_indent: options.number(opt::STACKINDENT) as usize,
        target,
        drop_tags: options.flag(opt::DROPTAGS),
        agg_zoom: options.flag(opt::AGGZOOM),
        agg_pack: options.flag(opt::AGGPACK),
        agg_hist: options.flag(opt::AGGHIST),
        encoding: if options.text(opt::ENCODING) == Some("utf8") { Encoding::Utf8 } else { Encoding::Ascii },
        order: crate::aggregate::SortOrder {
            by_key: options.flag(opt::AGGSORTKEY),
            key_position: options.number(opt::AGGSORTKEYPOS) as usize,
            position: options.number(opt::AGGSORTPOS) as usize,
            reverse: options.flag(opt::AGGSORTREV),
        },
    }
}

/// The state of a run.
pub(crate) struct Consumer<'a> {
    program: Rc<Program>,
    probe: &'a dyn Fn(ProbeId) -> Option<Probe>,
    options: Options,
    settings: Settings,
    host: &'a mut dyn Host,
    aggregations: Vec<Aggregation>,
    /// Text that has not been handed to the host yet.
    out: Vec<u8>,
    /// Room for the values of an action.
    values: Vec<Value>,
    /// The probe of the last columns: the next record is often its, too.
    last: Option<(ProbeId, Probe)>,
    heading: bool,
    flow: Vec<output::record::FlowState>,
    speculations: perform::Speculations,
    exit: Option<i32>,
    targets_left: usize,
    target_status: Option<i32>,
    closed: bool,
    /// `oformat=json`: lines of objects in place of text.
    json: bool,
}

/// Runs a loaded program to its end.
///
/// `targets` is the number of processes that were created or grabbed: when all
/// of them have ended, so does the run. Errors are the session's.
pub fn run(
    program: &Program,
    session: &mut dyn Session,
    probe: &dyn Fn(ProbeId) -> Option<Probe>,
    options: &Options,
    targets: &[u32],
    host: &mut dyn Host,
    control: &mut dyn Control,
) -> Result<Finished, BackendError> {
    let mut consumer = Consumer {
        program: Rc::new(program.clone()),
        probe,
        options: options.clone(),
        settings: settings(options, targets.first().copied()),
        host,
        aggregations: Vec::new(),
        out: Vec::new(),
        values: Vec::new(),
        last: None,
        heading: false,
        flow: Vec::new(),
        speculations: perform::Speculations::new(options.number(opt::SPECSIZE)),
        exit: None,
        targets_left: targets.len(),
        target_status: None,
        closed: false,
        json: options.text(opt::OFORMAT) == Some("json"),
    };
    consumer.add_aggregations();
    consumer.drive(session, control, !targets.is_empty())
}

impl Consumer<'_> {
    fn drive(
        &mut self,
        session: &mut dyn Session,
        control: &mut dyn Control,
        has_targets: bool,
    ) -> Result<Finished, BackendError> {
        let mut queue = queue::Queue::default();
        session.start(&mut queue)?;
        self.consume(session, &mut queue)?;
        let mut next_snapshot = Instant::now() + self.interval(opt::AGGRATE);
        while self.exit.is_none() && !self.closed && (!has_targets || self.targets_left > 0) {
            match control.stop() {
                Stop::No => {}
                Stop::Gracefully => {
                    // After the terminal's ^C.
                    if !self.json {
                        self.out.push(b'\n');
                    }
                    break;
                }
                Stop::AtOnce => return Ok(self.finished()),
            }
            let wait = self.interval(opt::SWITCHRATE).min(POLL_LIMIT);
            session.poll(Instant::now() + wait, &mut queue)?;
            self.consume(session, &mut queue)?;
            if Instant::now() >= next_snapshot {
                self.snapshot(session)?;
                next_snapshot = Instant::now() + self.interval(opt::AGGRATE);
            }
        }
        session.stop(&mut queue)?;
        self.consume(session, &mut queue)?;
        if self.json && !self.closed {
            self.snapshot(session)?;
            self.last_lines(session);
        } else if !self.closed {
            // dtrace ends what was printed with an empty line, -q or not, before the aggregations.
            self.out.push(b'\n');
            self.snapshot(session)?;
            self.print_aggregations(session);
        }
        self.flush();
        Ok(self.finished())
    }

    fn interval(&self, option: crate::options::Opt) -> Duration {
        Duration::from_nanos(self.options.nanos(option).max(1_000_000))
    }

    fn finished(&self) -> Finished {
        Finished { status: self.exit.unwrap_or(0), target_status: self.target_status }
    }

    /// Makes the tables of the program's aggregations that have none yet.
    fn add_aggregations(&mut self) {
        let new = self.program.aggregations.iter().enumerate().skip(self.aggregations.len());
        let new = new.map(|(id, def)| Aggregation::new(id as u32, def.name.clone(), def.func, def.key.len()));
        self.aggregations.extend(new);
    }

    /// Brings every aggregation up to date.
    fn snapshot(&mut self, session: &mut dyn Session) -> Result<(), BackendError> {
        for (id, aggregation) in self.aggregations.iter_mut().enumerate() {
            session.snapshot(AggId(id as u32), aggregation)?;
        }
        Ok(())
    }

    /// At the end: the aggregations that no printa() has shown.
    fn print_aggregations(&mut self, session: &mut dyn Session) {
        let all: Vec<&Aggregation> = self.aggregations.iter().filter(|a| !a.is_empty()).collect();
        let context = output::Context {
            settings: &self.settings,
            environment: self.host.environment(),
            symbols: session.symbols(),
        };
        let mut text = Vec::new();
        output::aggregation::print_unprinted(&mut text, &context, &all);
        self.out.extend_from_slice(&text);
    }

    /// Hands the text on.
    fn flush(&mut self) {
        if self.closed {
            self.out.clear();
            return;
        }
        if self.host.write(&self.out).and_then(|()| self.host.flush()).is_err() {
            self.closed = true;
        }
        self.out.clear();
    }
}
