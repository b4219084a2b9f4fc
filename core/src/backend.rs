//! The seam between the language and the systems it runs on.
//!
//! `cli`, `consumer` and the tests see a backend only through these two traits;
//! a backend sees the program only as [`crate::ir::Program`]. Events carry
//! values and raw records, never text.

use crate::aggregate::Aggregation;
use crate::diagnostic::{Diag, SourceMap, Tag};
use crate::ir::{AggId, ClauseId, Program};
use crate::options::Options;
use crate::probe::{Probe, ProbeDesc, ProbeId};
use crate::record::Symbols;
use std::rc::Rc;
use std::time::Instant;

/// A system that can trace: eBPF, libdtrace, a recording.
pub trait Backend {
    /// `ebpf`, `dtrace`, `replay`.
    fn name(&self) -> &'static str;

    /// Finds the probes a description matches, in id order, and remembers them:
    /// ids stay valid for this backend's life. An empty answer is no error here;
    /// [`ProbeMatch::notes`] says what was searched.
    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError>;

    /// What is known of a probe that `match_probes` has answered.
    fn probe(&self, id: ProbeId) -> Option<&Probe>;

    /// Where the kernel's types come from, if this backend has them.
    fn type_source(&mut self) -> Option<&mut dyn TypeSource>;

    /// D that goes with this backend's probes: types and translators of their arguments.
    fn library(&self) -> Vec<LibraryPart<'_>> {
        Vec::new()
    }

    /// Prepares a program for running: compiles it, loads it, attaches nothing yet.
    /// Findings about the script (not supported here, too large, refused by the kernel's verifier) are `Diag`s.
    fn load(&mut self, program: &Program, options: &Options) -> Result<Box<dyn Session>, LoadError>;

    /// What [`Backend::load`] would say of a program, as far as that can be known without enabling anything (`-e`).
    fn check(&mut self, program: &Program, options: &Options) -> Result<(), LoadError> {
        self.load(program, options).map(drop)
    }
}

/// A part of the D library: compiled only when a script, or a part that a script needs, mentions one of its words,
/// so that a script which needs none pays nothing.
#[derive(Clone, Copy, Debug)]
pub struct LibraryPart<'a> {
    /// Words that call for the part, between spaces.
    pub words: &'a str,
    /// D: declarations, inlines, translators.
    pub text: &'a str,
}

/// Answer of [`Backend::match_probes`].
#[derive(Clone, Debug, Default)]
pub struct ProbeMatch {
    /// The probes that exist now.
    pub probes: Vec<ProbeId>,
    /// More may appear while the program runs (processes that start later).
    pub open_ended: bool,
    /// When nothing matched: what was searched, whether stripped, the nearest names.
    pub notes: Vec<String>,
    /// When nothing matched and dtrace has a tag of its own for the reason, which the first note tells.
    pub tag: Option<Tag>,
}

impl ProbeMatch {
    /// Nothing exists yet, but what appears later will match: no error.
    pub fn open_ended_only(&self) -> bool {
        self.open_ended && self.probes.is_empty()
    }
}

/// Kernel (or user) types by name, for ``struct task_struct``, `` `symbol`` and typed arguments.
pub trait TypeSource {
    /// Imports a type by C name (`struct task_struct`, `pid_t`) into `types`.
    fn lookup(&mut self, types: &mut crate::types::Types, name: &str) -> Option<crate::types::TypeId>;

    /// Address and type of a kernel variable or function (`` `jiffies``), with an optional module.
    fn symbol(
        &mut self,
        types: &mut crate::types::Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<(u64, Option<crate::types::TypeId>)>;

    /// Why there are no types at all, if there are none.
    fn missing(&self) -> Option<String> {
        None
    }
}

/// A program that is loaded and can run.
pub trait Session {
    /// Attaches all probes and lets them fire: BEGIN first, then the others together.
    fn start(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError>;

    /// Delivers what has happened, until `deadline` at the latest; returns early
    /// when an urgent event (exit, target gone) was delivered or `waker` is signalled.
    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError>;

    /// Brings `into` up to date: merges what the kernel side has gathered for
    /// this aggregation since the last call (and forgets it there).
    fn snapshot(&mut self, agg: AggId, into: &mut Aggregation) -> Result<(), BackendError>;

    /// Stops all probes, fires END, delivers everything that is left. Idempotent; detaching may come later (drop).
    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError>;

    /// How many probes are enabled now, for `matched N probes`; by clause description.
    fn enabled(&self, clause: ClauseId) -> usize;

    /// Names for addresses, also of processes that have gone.
    fn symbols(&mut self) -> &mut dyn Symbols;

    /// What each probe cost, for `-x explain`; `None` where nothing is known of that.
    fn explain(&self) -> Option<String> {
        None
    }

    /// What the program became, for `-S`; `None` where a backend has nothing to show.
    fn listing(&self, _sources: &SourceMap) -> Option<String> {
        None
    }
}

/// Receives what a session delivers, in order.
pub trait Sink {
    /// One event; the data is borrowed from the session's buffers.
    fn event(&mut self, event: Event<'_>);
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A clause fired: `data` has the layout of its [`crate::ir::RecordLayout`], in host byte order.
    Record { probe: ProbeId, provider_pid: u32, clause: ClauseId, cpu: u32, timestamp: u64, data: &'a [u8] },
    /// Records were lost since the last drop event of this kind.
    Drop { kind: DropKind, cpu: u32, count: u64 },
    /// A clause was abandoned; the ERROR probe's arguments.
    Fault(FaultEvent),
    /// The process that was created or grabbed has ended: its wait status when it was our child.
    TargetExited { pid: u32, status: Option<i32> },
    /// Something the user should know, one line.
    Warning(String),
    /// What the program has become, from a backend that learns of it while it runs (libdtrace compiles by itself, and
    /// its records describe themselves). Clauses, formats and aggregations only ever grow or get filled in.
    Program(Rc<Program>),
    /// The whole of an aggregation as of here, from a backend that hands over totals: replaces what there was, but
    /// for the factors of `normalize()`.
    Totals { agg: AggId, newer: &'a Aggregation },
}

/// What kinds of loss there are, in dtrace's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropKind {
    /// The principal buffer was full.
    Principal,
    /// An aggregation found no room (`aggsize`).
    Aggregation(Option<AggId>),
    /// A dynamic variable found no room (`dynvarsize`).
    Dynamic,
    /// The speculative buffer was full.
    Speculation,
    /// No speculation was free, or it was busy.
    SpeculationUnavailable,
    SpeculationBusy,
    /// A probe fired inside too many others on one CPU: no scratch frame was free.
    Nested,
    /// A stack could not be stored.
    StackStringOverflow,
}

/// Arguments of the ERROR probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    pub probe: ProbeId,
    pub clause: ClauseId,
    pub cpu: u32,
    /// Number of the action within the clause, from 1.
    pub action: u32,
    /// Offset of the failing instruction within the clause's code.
    pub offset: u32,
    /// DTRACEFLT_*.
    pub fault: u32,
    /// The bad address, or 0.
    pub address: u64,
}

/// A failure of the system or of the backend, not of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendError {
    /// One line, dtrace style.
    pub message: String,
    /// What would help: a capability, a kernel option.
    pub notes: Vec<String>,
}

impl BackendError {
    /// An error of one line.
    pub fn new(message: impl Into<String>) -> BackendError {
        BackendError { message: message.into(), notes: Vec::new() }
    }
}

impl std::fmt::Display for BackendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {}

/// Why a program was not loaded.
#[derive(Clone, Debug)]
pub enum LoadError {
    /// Findings about the script.
    Script(Vec<Diag>),
    /// The system refused.
    System(BackendError),
}

impl From<BackendError> for LoadError {
    fn from(error: BackendError) -> LoadError {
        LoadError::System(error)
    }
}
