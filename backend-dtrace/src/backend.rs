//! The backend: starts workers, turns their failures into errors.

use crate::abi::Family;
use crate::decode::{Probes, probe_of};
use crate::finding;
use crate::globs;
use crate::layout::Dialect;
use crate::leftovers;
use crate::process::Child;
use crate::session::{Again, DtraceSession, Link};
use crate::wire::{Message, Stage};
use crate::worker::{self, Job};
use duotrace_core::backend::{Backend, BackendError, LoadError, ProbeMatch, Session, TypeSource};
use duotrace_core::ir::Program;
use duotrace_core::options::Options;
use duotrace_core::probe::{Probe, ProbeDesc, ProbeId};
use duotrace_core::sema::ProgramText;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A process to trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `-c`: a command, split at blanks as dtrace(1) does.
    Command(String),
    /// `-p`.
    Process(u32),
}

/// What the backend works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Path of the library; `None` is the system's.
    pub library: Option<String>,
    /// Whose library it is, where its symbols would not tell (tests).
    pub family: Option<Family>,
    /// The programs, in order: libdtrace compiles them.
    pub programs: Vec<ProgramText>,
    /// Options of the environment (`DTRACE_OPT_NAME`), by name: `-x` overrules them.
    pub environment: Vec<(String, Option<String>)>,
    /// `-x` options in the order given, by name.
    pub options: Vec<(String, Option<String>)>,
    /// `$0`, `$1`, ….
    pub args: Vec<String>,
    /// `-c` and `-p`, in order.
    pub targets: Vec<Target>,
    /// `-S`: the library shows the compiled code on stderr.
    pub listing: bool,
    /// How long the library may be silent before it counts as hanging.
    pub patience: Duration,
}

/// A library that could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The file it was loaded from.
    pub path: String,
    /// Whose layouts it is taken to have.
    pub family: Family,
    /// In its own words.
    pub version: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            library: None,
            family: None,
            programs: Vec::new(),
            environment: Vec::new(),
            options: Vec::new(),
            args: Vec::new(),
            targets: Vec::new(),
            listing: false,
            patience: Duration::from_secs(120),
        }
    }
}

/// Tracing through libdtrace.
#[derive(Debug, Default)]
pub struct Dtrace {
    config: Config,
    /// Probes that have fired, shared with the session.
    fired: Probes,
    /// Probes that were asked for.
    listed: BTreeMap<u32, Probe>,
    /// What the library's options stand at, after the pragmas.
    settled: Vec<(String, i64)>,
    stability: Vec<[u8; 6]>,
    /// What the user should know of how the programs were read.
    notes: Vec<String>,
    /// Made for a second attempt: there is no third.
    is_second: bool,
}

impl Dtrace {
    /// A backend; nothing is opened yet.
    pub fn new(config: Config) -> Dtrace {
        Dtrace { config, ..Dtrace::default() }
    }

    /// A probe that has fired in the running session, or was listed.
    pub fn known_probe(&self, id: ProbeId) -> Option<Probe> {
        self.fired.borrow().get(&id.0).or_else(|| self.listed.get(&id.0)).cloned()
    }

    /// Options that shape output and that the programs' pragmas may have set: the consumer's options must follow.
    pub fn settle(&self, options: &mut Options) {
        for (name, value) in &self.settled {
            let text = match name.as_str() {
                // The library keeps rates in nanoseconds.
                "switchrate" | "aggrate" => format!("{value}ns"),
                _ => value.to_string(),
            };
            let is_flag = FLAGS.contains(&name.as_str());
            // A flag that has any value is on: `-q` leaves 0.
            let value = (!is_flag).then_some(text.as_str());
            // What the consumer does not know it cannot follow.
            let _ = options.set(name, value);
        }
    }

    /// Stability of each compiled program: ranks of name, data and class of its descriptions, then of its statements.
    pub fn stability(&self) -> &[[u8; 6]] {
        &self.stability
    }

    /// What library there is: it is opened, and nothing else.
    pub fn describe(&self) -> Result<Description, BackendError> {
        let mut link = self.start(Job::Describe)?;
        let mut found = None;
        while !link.stopped {
            match link.next(Instant::now() + Duration::from_millis(200))? {
                Some(Message::Library { path, family, version }) => {
                    let family = Family::from_name(&family).unwrap_or(Family::native_sun());
                    found = Some(Description { path, family, version });
                }
                Some(Message::Failed { text, .. }) => return Err(BackendError::new(text)),
                _ => {}
            }
        }
        found.ok_or_else(|| BackendError::new("libdtrace's process ended"))
    }

    /// The probes of the programs' descriptions, in order, and a line for each description that matches none.
    pub fn list_programs(&mut self) -> Result<(Vec<Probe>, Vec<String>), LoadError> {
        let mut link = self.start(Job::ListPrograms)?;
        let (mut probes, mut problems) = (Vec::new(), Vec::new());
        while !link.stopped {
            match link.next(Instant::now() + Duration::from_millis(200))? {
                Some(Message::Probe(name)) => probes.push(probe_of(name)),
                Some(Message::Warning(text)) => problems.push(text),
                Some(Message::Failed { stage, index, text, .. }) => {
                    return Err(self.failure(stage, index as usize, &text));
                }
                _ => {}
            }
        }
        Ok((probes, problems))
    }

    fn start(&self, job: Job) -> Result<Link, BackendError> {
        leftovers::of_the_dead();
        let config = &self.config;
        let child = Child::start(|ends| worker::run(&job, config, ends))
            .map_err(|error| BackendError::new(format!("cannot start a process for libdtrace: {error}")))?;
        Ok(Link::new(child, self.config.patience))
    }

    /// Compiles and enables the programs: a session that is ready to start.
    pub fn compile(&mut self) -> Result<DtraceSession, LoadError> {
        let mut link = self.start(Job::Run)?;
        loop {
            match link.next(Instant::now() + Duration::from_millis(200))? {
                Some(Message::Ready { matches, stability, options, pids, act_base, oracle }) => {
                    self.stability = stability;
                    let strsize =
                        options.iter().find(|(name, _)| name == "strsize").map_or(256, |(_, n)| *n as u32);
                    self.settled = options;
                    let dialect = Dialect { oracle, act_base, strsize };
                    let session = DtraceSession::new(link, dialect, matches, pids, self.fired.clone());
                    return Ok(self.twice(session));
                }
                Some(Message::Failed { stage, index, text, .. }) => {
                    let index = index as usize;
                    match stage == Stage::Compile && self.read_as_held(index, &text) {
                        true => link = self.start(Job::Run)?,
                        false => return Err(self.failure(stage, index, &text)),
                    }
                }
                Some(Message::Stopped) => return Err(link.failed("libdtrace's process ended").into()),
                _ => {}
            }
        }
    }

    /// What the user should know of how the programs were read: lines.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// After a program's failure: reads a pattern that matches nothing as the process that is held. Is it worth another
    /// attempt? (Not with commands, which would run twice.)
    fn read_as_held(&mut self, index: usize, message: &str) -> bool {
        let is_held = self.config.targets.iter().all(|target| matches!(target, Target::Process(_)));
        let Some(pattern) = globs::unmatched(message).filter(|_| is_held && !self.config.targets.is_empty())
        else {
            return false;
        };
        let Some(program) = self.config.programs.get_mut(index) else { return false };
        let Some(text) = globs::held(&program.text, pattern) else { return false };
        program.text = text;
        let stem = pattern.trim_end_matches('*');
        self.notes.push(format!(
            "libdtrace finds no probes of {pattern}, but in the process that it holds: read as {stem}$target"
        ));
        true
    }

    /// Lets a session start a second time, unless there are commands, which would run twice.
    fn twice(&self, session: DtraceSession) -> DtraceSession {
        if self.is_second || self.config.targets.iter().any(|target| matches!(target, Target::Command(_))) {
            return session;
        }
        let mut second =
            Dtrace { fired: self.fired.clone(), is_second: true, ..Dtrace::new(self.config.clone()) };
        session.or_again(Again(Box::new(move || second.compile().ok())))
    }

    fn failure(&self, stage: Stage, index: usize, text: &str) -> LoadError {
        let message = match stage {
            Stage::Compile => {
                return LoadError::Script(vec![finding::of(index, self.config.programs.get(index), text)]);
            }
            Stage::Option => {
                let name = self.config.options.get(index).map_or("", |(name, _)| name);
                format!("failed to set -x {name}: {text}")
            }
            Stage::Target => match self.config.targets.get(index) {
                Some(Target::Command(command)) => format!("failed to execute {command}: {text}"),
                Some(Target::Process(pid)) => format!("failed to grab process {pid}: {text}"),
                None => text.to_string(),
            },
            Stage::Init => format!("failed to initialize dtrace: {text}"),
            Stage::Go => format!("could not enable tracing: {text}"),
            Stage::List => format!("failed to list probes: {text}"),
            Stage::Open | Stage::Work => text.to_string(),
        };
        LoadError::System(BackendError::new(message))
    }
}

/// Reported options that are flags.
const FLAGS: &[&str] = &[
    "quiet",
    "flowindent",
    "rawbytes",
    "aggsortkey",
    "aggsortrev",
    "agghist",
    "aggpack",
    "aggzoom",
    "destructive",
];

impl Backend for Dtrace {
    fn name(&self) -> &'static str {
        "dtrace"
    }

    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError> {
        let is_all = *desc == ProbeDesc::default();
        let mut link = self.start(Job::List((!is_all).then(|| desc.to_string())))?;
        let mut found = BTreeMap::new();
        while !link.stopped {
            match link.next(Instant::now() + Duration::from_millis(200))? {
                Some(Message::Probe(name)) if desc.id.is_none_or(|id| id == name.id) => {
                    found.insert(name.id, probe_of(name));
                }
                Some(Message::Failed { stage, index, text, .. }) => {
                    // Nothing matches: that is no error here.
                    if stage == Stage::List && text.contains("No probe matches") {
                        continue;
                    }
                    return match self.failure(stage, index as usize, &text) {
                        LoadError::System(error) => Err(error),
                        LoadError::Script(_) => Err(BackendError::new(text)),
                    };
                }
                _ => {}
            }
        }
        let probes = found.keys().map(|id| ProbeId(*id)).collect();
        self.listed.extend(found);
        Ok(ProbeMatch { probes, ..ProbeMatch::default() })
    }

    fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.listed.get(&id.0)
    }

    fn type_source(&mut self) -> Option<&mut dyn TypeSource> {
        // The library compiles, and knows the types.
        None
    }

    /// Compiles the programs of the configuration: libdtrace takes text, not the typed program.
    fn load(&mut self, _program: &Program, _options: &Options) -> Result<Box<dyn Session>, LoadError> {
        Ok(Box::new(self.compile()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_an_error() {
        let mut dtrace =
            Dtrace::new(Config { library: Some("/nonexistent/libdtrace.so".into()), ..Config::default() });
        let Err(LoadError::System(error)) = dtrace.compile() else { panic!("no error") };
        assert!(error.message.starts_with("cannot load libdtrace: "), "{error}");
    }

    #[test]
    fn a_library_without_the_functions_is_an_error() {
        let library = if cfg!(target_os = "linux") { "libm.so.6" } else { return };
        let mut dtrace = Dtrace::new(Config { library: Some(library.into()), ..Config::default() });
        let Err(LoadError::System(error)) = dtrace.compile() else { panic!("no error") };
        assert!(error.message.contains("it lacks dtrace_open"), "{error}");
    }
}
