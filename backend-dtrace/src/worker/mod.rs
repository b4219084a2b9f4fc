//! The worker process: drives libdtrace and tells the session what comes out.
//!
//! Everything here runs in a child process, in one thread but for what the library starts. It gives up by sending
//! [`Message::Failed`] and ending.

mod callbacks;
mod tracer;

use crate::abi::{Family, ORACLE_ACT_BASE, sun};
use crate::backend::{Config, Target};
use crate::layout::Dialect;
use crate::leftovers;
use crate::process::{Ends, let_go, outlive, readable};
use crate::sys::{Handle, LibError, Library, c_string};
use crate::wire::{Message, Stage};
use callbacks::Context;
use duotrace_core::options::OPTIONS;
use duotrace_core::sema::{ProgramKind, ProgramText};
use std::ffi::{CString, c_int, c_void};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Told to the worker: start tracing.
pub const GO: u8 = b'G';
/// Told to the worker: stop tracing and deliver the rest.
pub const STOP: u8 = b'S';

/// How long the worker may outlive its session: letting a process go takes the library a second or two.
const OUTLIVE: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Job {
    /// Compile and run the programs.
    Run,
    /// List the probes of the programs' descriptions.
    ListPrograms,
    /// List all probes, or those that a description matches.
    List(Option<String>),
    /// Say what library it is.
    Describe,
}

/// `DTRACE_C_*`.
const C_DIFV: u32 = 0x1;
const C_EMPTY: u32 = 0x2;
const C_ZDEFS: u32 = 0x4;
const C_PSPEC: u32 = 0x80;
const C_ETAGS: u32 = 0x100;

/// `EINTR` is no failure of `dtrace_work()`.
const EINTR: i32 = libc::EINTR;

/// Why the worker gives up.
struct Failure {
    stage: Stage,
    index: u32,
    error: LibError,
}

fn failure(stage: Stage, index: usize) -> impl Fn(LibError) -> Failure {
    move |error| Failure { stage, index: index as u32, error }
}

/// Options whose values the session wants to know, for pragmas may have set them.
const REPORTED: &[&str] = &[
    "quiet",
    "flowindent",
    "rawbytes",
    "stackindent",
    "aggsortkey",
    "aggsortkeypos",
    "aggsortpos",
    "aggsortrev",
    "agghist",
    "aggpack",
    "aggzoom",
    "destructive",
    "strsize",
    "switchrate",
    "aggrate",
];

/// Options for the preprocessor, which has run; and `-v`, which is another thing in the library.
const NOT_FOR_IT: &[&str] = &["cpp", "cpphdrs", "cpppath", "define", "undef", "incdir", "verbose"];

/// Runs a job to its end.
pub fn run(job: &Job, config: &Config, ends: Ends) {
    outlive(&ends, config.patience.min(OUTLIVE), || {
        leftovers::of(std::process::id());
    });
    let opened = Library::open(config.library.as_deref(), config.family);
    let (library, problem) = match opened {
        Ok(library) => (Some(library), None),
        Err(text) => (None, Some(text)),
    };
    let Some(library) = library else {
        let text = problem.unwrap_or_default();
        let mut context = Context::without_library(ends.to_session);
        context.send(&Message::Failed { stage: Stage::Open, index: 0, errno: -1, text });
        context.flush();
        return;
    };
    let mut worker = Worker {
        context: Context::new(library, ends.to_session),
        control: ends.from_session,
        targets: Vec::new(),
    };
    let done = match job {
        Job::Run => worker.trace(config),
        Job::ListPrograms => worker.list_programs(config),
        Job::List(description) => worker.list(config, description.as_deref()),
        Job::Describe => {
            worker.describe();
            Ok(())
        }
    };
    if let Err(Failure { stage, index, error }) = done {
        let LibError { errno, message } = error;
        worker.context.send(&Message::Failed { stage, index, errno, text: message });
    }
    worker.context.send(&Message::Stopped);
    worker.context.flush();
    worker.leave();
    // Its files are closed by now, and the library is not asked for anything any more.
    std::mem::forget(worker);
}

struct Worker {
    context: Box<Context>,
    control: std::fs::File,
    targets: Vec<Handle>,
}

/// What the session wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    None,
    Go,
    Stop,
}

impl Worker {
    fn library(&self) -> &Library {
        self.context.library()
    }

    fn prepare(&mut self, config: &Config) -> Result<(), Failure> {
        let library = self.library();
        // dtrace(1)'s own defaults.
        for (name, value) in [("bufsize", "4m"), ("aggsize", "4m")] {
            let _ = library.setopt(name, Some(value));
        }
        for (name, value) in &config.environment {
            // As in dtrace(1): what the library does not know, or takes no such value for, is passed over.
            let _ = library.setopt(name, value.as_deref());
        }
        for (index, (name, value)) in config.options.iter().enumerate() {
            if NOT_FOR_IT.contains(&name.as_str()) {
                continue;
            }
            let ours = OPTIONS.iter().any(|row| row.name == name);
            match library.setopt(name, value.as_deref()) {
                // One that only the consumer knows.
                Err(error) if ours && error.message.contains("Invalid option name") => {}
                result => result.map_err(failure(Stage::Option, index))?,
            }
        }
        for (index, target) in config.targets.iter().enumerate() {
            let taken = match target {
                Target::Command(command) => {
                    let words: Vec<CString> = command.split_ascii_whitespace().map(c_string).collect();
                    self.library().create(&words)
                }
                Target::Process(pid) => {
                    tracer::wait_for_earlier(*pid);
                    self.library().grab(*pid)
                }
            };
            let process = taken.map_err(failure(Stage::Target, index))?;
            let pid = match target {
                Target::Process(pid) => *pid,
                Target::Command(_) => self.library().pid(process),
            };
            self.targets.push(process);
            self.context.targets.push((process as usize, pid));
        }
        self.library().init().map_err(failure(Stage::Init, 0))
    }

    /// What the library's numbers mean.
    fn dialect(&self) -> Dialect {
        let library = self.library();
        let oracle = library.family == Family::Oracle;
        let act_base = if oracle { ORACLE_ACT_BASE } else { sun_action_base(library).unwrap_or(0) };
        let strsize = library.getopt("strsize").and_then(|n| u32::try_from(n).ok()).unwrap_or(256);
        Dialect { oracle, act_base, strsize }
    }

    fn trace(&mut self, config: &Config) -> Result<(), Failure> {
        self.prepare(config)?;
        let compiled = self.compile(config, if config.listing { C_DIFV } else { 0 })?;
        // Before the first program is enabled: for errors the library enables one of its own, and Oracle's 2.0.7 makes its table
        // of statements when the first is enabled, with room for those that were compiled by then.
        self.context.handlers();
        let (mut matches, mut stability) = (Vec::new(), Vec::new());
        for (index, program) in compiled.iter().enumerate() {
            let info = self.library().exec(*program).map_err(failure(Stage::Compile, index))?;
            matches.push(info.matches);
            let ([a, b, c], [d, e, f]) = (info.description, info.statement);
            stability.push([a, b, c, d, e, f]);
        }
        let dialect = self.dialect();
        self.context.dialect = dialect;
        let options = REPORTED
            .iter()
            .filter_map(|name| Some((name.to_string(), self.library().getopt(name)?)))
            .collect();
        let pids = self.context.targets.iter().map(|(_, pid)| *pid).collect();
        let Dialect { oracle, act_base, .. } = dialect;
        self.context.send(&Message::Ready { matches, stability, options, pids, act_base, oracle });
        self.context.flush();
        if self.await_wish() != Wish::Go {
            return Ok(());
        }
        self.library().go().map_err(failure(Stage::Go, 0))?;
        for process in &self.targets {
            self.library().resume(*process);
        }
        self.consume()
    }

    /// The main loop, as dtrace(1)'s.
    fn consume(&mut self) -> Result<(), Failure> {
        let mut last = Instant::now();
        loop {
            let stopping = self.wish(Duration::ZERO) == Wish::Stop;
            if stopping {
                // What cannot be stopped has stopped.
                let _ = self.library().stop();
            } else {
                self.library().sleep();
            }
            let done = match self.context.work() {
                Err(error) if error.errno == EINTR => false,
                Err(error) => return Err(failure(Stage::Work, 0)(error)),
                Ok(done) => done,
            };
            self.sane()?;
            if self.context.has_output() {
                last = Instant::now();
            } else if last.elapsed() > Duration::from_secs(1) {
                self.context.send(&Message::Alive);
                last = Instant::now();
            }
            self.context.flush();
            if done || stopping || self.context.closed {
                break;
            }
        }
        self.context.totals();
        self.sane()
    }

    /// Has the library delivered what cannot be?
    fn sane(&mut self) -> Result<(), Failure> {
        match self.context.nonsense.take() {
            Some(message) => Err(failure(Stage::Work, 0)(LibError { errno: -1, message })),
            None => Ok(()),
        }
    }

    /// Blocks until the session says what to do.
    fn await_wish(&mut self) -> Wish {
        loop {
            match self.wish(Duration::from_secs(3600)) {
                Wish::None => {}
                wish => return wish,
            }
        }
    }

    /// What the session has said; a session that is gone wants us to stop.
    fn wish(&mut self, wait: Duration) -> Wish {
        match readable(self.control.as_raw_fd(), wait) {
            Ok(false) => return Wish::None,
            Ok(true) => {}
            Err(_) => return Wish::Stop,
        }
        let mut byte = [0];
        match self.control.read(&mut byte) {
            Ok(1) if byte[0] == GO => Wish::Go,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Wish::None,
            _ => Wish::Stop,
        }
    }

    /// Compiles all programs.
    fn compile(&self, config: &Config, flags: u32) -> Result<Vec<Handle>, Failure> {
        let args: Vec<CString> = config.args.iter().map(|arg| c_string(arg)).collect();
        let mut compiled = Vec::new();
        for (index, text) in config.programs.iter().enumerate() {
            let program =
                compile(self.library(), text, flags, &args).map_err(failure(Stage::Compile, index))?;
            compiled.push(program);
        }
        // The arguments must outlive the programs: the worker keeps them until it ends.
        std::mem::forget(args);
        Ok(compiled)
    }

    fn list_programs(&mut self, config: &Config) -> Result<(), Failure> {
        self.prepare(config)?;
        let compiled = self.compile(config, C_ZDEFS)?;
        for (index, program) in compiled.iter().enumerate() {
            self.context.list_statements(*program).map_err(failure(Stage::List, index))?;
        }
        Ok(())
    }

    fn describe(&mut self) {
        let library = self.library();
        let (path, version) = (library.path(), library.version());
        let family = library.family.name().to_string();
        self.context.send(&Message::Library { path, family, version });
    }

    fn list(&mut self, config: &Config, description: Option<&str>) -> Result<(), Failure> {
        self.prepare(config)?;
        self.context.list(description).map_err(failure(Stage::List, 0))
    }

    /// Ends without `dtrace_close()`, which takes seconds: processes are let go (breakpoints must not stay in them),
    /// everything is closed, and what stays in the kernel is removed by hand.
    fn leave(&mut self) {
        for process in std::mem::take(&mut self.targets) {
            self.library().release(process);
        }
        let_go();
        for _ in 0..50 {
            if leftovers::of(std::process::id()) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Compiles one program.
fn compile(library: &Library, text: &ProgramText, flags: u32, args: &[CString]) -> Result<Handle, LibError> {
    // DTRACE_PROBESPEC_*.
    let spec = match text.kind {
        ProgramKind::Script | ProgramKind::Library => {
            return library.compile_script(&text.text, flags | C_ETAGS, args);
        }
        ProgramKind::Provider => 0,
        ProgramKind::Module => 1,
        ProgramKind::Function => 2,
        ProgramKind::Name => 3,
        ProgramKind::Id => -1,
    };
    library.compile_text(&text.text, spec, flags | C_PSPEC | C_ETAGS, args)
}

/// Asks a library of the Sun family for its number of `clear()`: its own actions' numbers start after those of the
/// subroutines, of which each version has others.
fn sun_action_base(library: &Library) -> Option<u64> {
    unsafe extern "C" fn see(_: Handle, _: Handle, statement: *const c_void, arg: *mut c_void) -> c_int {
        // SAFETY: `arg` is the place below; the statement is the library's.
        unsafe {
            let place = &mut *arg.cast::<Option<u64>>();
            *place = place.or_else(|| sun::action_base(statement));
        }
        0
    }
    let program =
        library.compile_text("dtrace:::BEGIN{@duotrace=count();clear(@duotrace);}", 3, C_EMPTY, &[]).ok()?;
    let mut base: Option<u64> = None;
    library.statements(program, see, (&raw mut base).cast()).ok()?;
    base
}
