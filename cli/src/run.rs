//! What a command line asks for, from options to exit status.

use crate::backends::Choice;
use crate::flags::{Flag, Given};
use crate::host::{Console, Signals};
use crate::texts::Named;
use crate::{FAILURE, backends, flags, header, list, replay, report, sys, texts};
use duotrace_core::backend::{Backend, BackendError, LoadError, Session};
use duotrace_core::consumer::{self, Finished, Host};
use duotrace_core::diagnostic::Diag;
use duotrace_core::options::{OptionError, Options, opt};
use duotrace_core::sema::{self, CompileConfig, Compiled, ProgramKind, ProgramText};
use duotrace_replay::record;

/// A run that cannot go on: its line has been written.
pub struct Failed(pub u8);

/// A line for the user, then the end.
pub fn fail(text: impl AsRef<str>) -> Failed {
    report::line(text.as_ref());
    Failed(FAILURE)
}

/// The process that `-p` names.
pub fn pid(value: &str) -> Result<u32, Failed> {
    let pid = value.parse().ok().filter(|pid| *pid > 0 && *pid <= i32::MAX as u32);
    pid.ok_or_else(|| {
        report::line(&format!("invalid pid: {value}"));
        Failed(FAILURE)
    })
}

/// A failure of the system, with what would help.
pub fn refused(before: &str, error: &BackendError) -> Failed {
    let notes = if error.notes.is_empty() { String::new() } else { format!(" ({})", error.notes.join("; ")) };
    fail(format!("{before}{error}{notes}"))
}

/// Does what was asked; the exit status.
pub fn run(given: &Given) -> u8 {
    match try_run(given) {
        Ok(status) => status,
        Err(Failed(status)) => status,
    }
}

fn try_run(given: &Given) -> Result<u8, Failed> {
    if given.has(Flag::Help) {
        print!("{}", flags::usage());
        return Ok(0);
    }
    if given.has(Flag::Version) {
        println!("dtrace: duotrace {}: D 2.0", env!("CARGO_PKG_VERSION"));
        if given.has(Flag::Verbose) {
            // The version of the language as dtrace(8) has it; __SUNW_D_VERSION is the same number.
            println!("This is DTrace 2.0.0");
        }
        return Ok(0);
    }
    let choice = backends::choice(given).map_err(fail)?;
    let options = options(given, choice)?;
    for (flag, what) in [
        (Flag::DataModel32, "-32: only 64-bit programs can be traced"),
        (Flag::Anonymous, "-A: anonymous tracing is not supported on this system"),
        (Flag::ClaimAnonymous, "-a: anonymous tracing is not supported on this system"),
        (Flag::Object, "-G: programs with USDT probes are built with <sys/sdt.h> on this system"),
    ] {
        if given.has(flag) {
            return Err(fail(what));
        }
    }
    if let Some(path) = given.values(Flag::Replay).last() {
        return over_recording(given, path, options);
    }
    let (programs, names) = texts::programs(given, &options).map_err(fail)?;
    if given.has(Flag::Header) {
        return header::write(given, &programs, &names).map(|()| 0).map_err(fail);
    }
    backends::trace(choice, given, options, programs, &names)
}

/// Runs the given programs, or those that were recorded, over a recording.
fn over_recording(given: &Given, path: &str, mut options: Options) -> Result<u8, Failed> {
    let window = replay::window(given).map_err(fail)?;
    let mut replay = replay::open(path, given.has(Flag::Realtime), window).map_err(fail)?;
    let (mut programs, mut names) = texts::programs(given, &options).map_err(fail)?;
    let mut given = given.clone();
    if programs.is_empty() && !given.has(Flag::List) {
        let recorded = replay::programs(&replay, &mut given);
        (programs, names) = recorded;
        options = self::options(&given, Choice::Ebpf)?;
    }
    replay.set_own_program(replay::is_own(&replay, &programs));
    given.macros = replay::macros(&replay);
    let target = replay.meta("target").and_then(|pid| pid.parse().ok()).unwrap_or(0);
    trace(&given, options, programs, &names, &[target], &mut replay)
}

/// Compiles the programs and runs them.
pub fn trace(
    given: &Given,
    mut options: Options,
    programs: Vec<ProgramText>,
    names: &[Named],
    targets: &[u32],
    backend: &mut dyn Backend,
) -> Result<u8, Failed> {
    if programs.is_empty() && given.has(Flag::List) {
        return list::all(backend, given.has(Flag::Verbose)).map_err(|error| refused("", &error));
    }
    let mut meta = replay::meta(given, &programs, names, targets, &backend.library());
    let mut compiler =
        Compiler { given, names, first: 0, target: targets.first().copied(), macros: given.macros.clone() };
    let record = given.values(Flag::Record).last();
    // A recording brings along what its script's compiler was told of the kernel's types.
    let (compiled, types) = match record {
        Some(_) => {
            let mut watched = record::Watched::new(backend);
            (compiler.compile(programs, &mut options, &mut watched)?, watched.answers())
        }
        None => (compiler.compile(programs, &mut options, backend)?, Vec::new()),
    };
    if given.has(Flag::List) {
        return Ok(list::program(backend, &compiled, given.has(Flag::Verbose)));
    }
    if compiled.program.clauses.is_empty() {
        if given.has(Flag::Stop) {
            return Ok(0);
        }
        let what = if names.is_empty() { "specified" } else { "matched" };
        return Err(fail(format!("no probes {what}")));
    }
    if given.has(Flag::Verbose) {
        let parts = names.iter().zip(&compiled.stability).zip(&compiled.clauses_of);
        for ((named, [description, statement]), clauses) in parts {
            list::show(&list::stability(named, description.words(), statement.words()));
            let clauses = clauses.iter().filter_map(|id| compiled.program.clauses.get(id.0 as usize));
            list::show(&match given.has(Flag::Stop) {
                true => list::descriptions(backend, clauses),
                false => "\n".to_string(),
            });
        }
    }
    if record.is_some() && !options.is_set(opt::BUFSIZE) {
        // Every firing leaves a record, not only those that the script shows.
        let _ = options.set("bufsize", Some("64m"));
    }
    let plan = record.map(|_| record::plan(&compiled.program, &|id| backend.probe(id).cloned()));
    let program = plan.as_ref().map_or(&compiled.program, |plan| &plan.program);
    let listed = given.has(Flag::Listing) || options.flag(opt::VERBOSE);
    if given.has(Flag::Stop) && !listed {
        let checked = backend.check(program, &options);
        checked.map_err(|error| compiler.not_loaded(&compiled, &error, &options))?;
        return Ok(0);
    }
    let loaded = backend.load(program, &options);
    let mut session = loaded.map_err(|error| compiler.not_loaded(&compiled, &error, &options))?;
    if listed && let Some(listing) = session.listing(&compiled.sources) {
        let mut text = String::new();
        if backend.name() == "ebpf" {
            // What the instructions were made of; the listing of a replay is this already.
            text = duotrace_core::ir::text::print(&compiled.program, &compiled.sources);
        }
        text.push_str(&listing);
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
    if given.has(Flag::Stop) {
        return Ok(0);
    }
    matched(names, &compiled, compiler.first, session.as_ref(), &options);
    let output = given.values(Flag::Output).last();
    let mut console = Console::open(output).map_err(|error| {
        fail(format!("failed to open output file '{}': {}", output.unwrap_or(""), texts::reason(&error)))
    })?;
    if given.has(Flag::Replay) {
        console.refrain();
    }
    sys::watch_signals();
    let mut run = |session: &mut dyn Session| {
        let probe = |id| backend.probe(id).cloned();
        let program = &compiled.program;
        consumer::run(program, session, &probe, &options, targets, &mut console, &mut Signals)
            .map_err(|error| refused("", &error))
    };
    let finished = match (record, plan) {
        (Some(path), Some(plan)) => {
            let probe = |id| backend.probe(id).cloned();
            replay::aliases(&compiled.program, &probe, &mut meta);
            let mut recording =
                replay::recording(path, session, plan, &meta, &types, &probe).map_err(fail)?;
            let finished = run(&mut recording)?;
            explain(&recording, &mut console, &options);
            replay::report(path, &recording.summary());
            finished
        }
        _ => {
            let finished = run(session.as_mut())?;
            explain(session.as_ref(), &mut console, &options);
            // Everything has been printed; links and maps go now.
            drop(session);
            finished
        }
    };
    let _ = console.flush();
    Ok(exit_status(&finished, &options))
}

/// `-x explain`: what the probes have cost, where the backend knows.
fn explain(session: &dyn Session, console: &mut Console, options: &Options) {
    if options.flag(opt::EXPLAIN)
        && let Some(text) = session.explain()
    {
        let _ = console.flush();
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
}

/// The exit status of a run: `exit()`'s argument, or the command's own under `-x childstatus`.
pub fn exit_status(finished: &Finished, options: &Options) -> u8 {
    match finished.target_status.filter(|_| options.flag(opt::CHILDSTATUS)) {
        Some(status) if status & 0x7f != 0 => 128 + (status & 0x7f) as u8,
        Some(status) => (status >> 8) as u8,
        None => finished.status as u8,
    }
}

/// The option that a flag sets: name, value, what a message calls it.
pub fn option_of(flag: Flag, value: &str) -> Option<(&str, Option<&str>, String)> {
    Some(match flag {
        Flag::Option => match value.split_once('=') {
            Some((name, value)) => (name, Some(value), format!("-x {name}")),
            None => (value, None, format!("-x {value}")),
        },
        Flag::BufferSize => ("bufsize", Some(value), format!("-b {value}")),
        Flag::Conformance => ("stdc", Some(value), format!("-X {value}")),
        Flag::Library => ("libdir", Some(value), format!("-L {value}")),
        Flag::Define => ("define", Some(value), format!("-D {value}")),
        Flag::Undefine => ("undef", Some(value), format!("-U {value}")),
        Flag::Include => ("incdir", Some(value), format!("-I {value}")),
        Flag::Cpp => ("cpp", None, "-C".to_string()),
        Flag::Names => ("cpphdrs", None, "-H".to_string()),
        Flag::Flow => ("flowindent", None, "-F".to_string()),
        Flag::Quiet => ("quiet", None, "-q".to_string()),
        Flag::Destructive => ("destructive", None, "-w".to_string()),
        Flag::ZeroMatches => ("zdefs", None, "-Z".to_string()),
        _ => return None,
    })
}

/// What stands before the names of options in the environment.
const OPTION_PREFIX: &str = "DTRACE_OPT_";

/// Options of the environment, by name: `DTRACE_OPT_STRSIZE=1k`. No value stands for none.
pub fn environment_options() -> Vec<(String, Option<String>)> {
    let named = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(OPTION_PREFIX)?.to_ascii_lowercase();
        let value = value.to_string_lossy().into_owned();
        Some((name, (!value.is_empty()).then_some(value)))
    });
    let mut found: Vec<_> = named.collect();
    found.sort();
    found
}

/// Options in the order given, after those of the environment. What only libdtrace knows is left to it.
fn options(given: &Given, choice: Choice) -> Result<Options, Failed> {
    let mut options = Options::new();
    for (name, value) in environment_options() {
        // As in dtrace(1): what is not known or not valid there is passed over.
        let _ = options.set(&name, value.as_deref());
    }
    for (flag, value) in &given.flags {
        let Some((name, value, shown)) = option_of(*flag, value) else { continue };
        match options.set(name, value) {
            Err(OptionError::UnknownName) if choice == Choice::Dtrace => {}
            result => result.map_err(|error| fail(format!("failed to set {shown}: {error}")))?,
        }
    }
    Ok(options)
}

/// Compiles, and says what is wrong.
struct Compiler<'a> {
    given: &'a Given,
    names: &'a [Named],
    /// Index of the first program: libraries stand before.
    first: usize,
    target: Option<u32>,
    /// Macro variables that a recording brings along.
    macros: Vec<(String, String)>,
}

impl Compiler<'_> {
    fn compile(
        &mut self,
        programs: Vec<ProgramText>,
        options: &mut Options,
        backend: &mut dyn Backend,
    ) -> Result<Compiled, Failed> {
        let mut all = texts::libraries(options).map_err(fail)?;
        self.first = all.len();
        let script = programs.iter().find(|text| text.kind == ProgramKind::Script);
        let mut args = vec![script.map_or("dtrace", |text| text.name.as_str()).to_string()];
        args.extend(self.given.args.iter().cloned());
        let mut macros: std::collections::BTreeMap<String, String> =
            sys::identities().into_iter().map(|(name, id)| (name.to_string(), id.to_string())).collect();
        // Those of the tracer that recorded: what a script compares with its own process is in the recording.
        macros.extend(self.macros.iter().cloned());
        if let Some(target) = self.target {
            macros.insert("target".to_string(), target.to_string());
        }
        all.extend(programs);
        if self.given.has(Flag::List) {
            // A listing says which descriptions match nothing; it does not fail for one.
            let _ = options.set("zdefs", None);
        }
        let compiled = sema::compile(&all, &CompileConfig { args, macros }, options, backend);
        match compiled.error() {
            Some(diag) => Err(self.wrong(&compiled, diag, options)),
            None => Ok(compiled),
        }
    }

    /// Reports a finding with the name of the program it is in.
    fn wrong(&self, compiled: &Compiled, diag: &Diag, options: &Options) -> Failed {
        let source = diag.span.map(|span| span.source);
        let at = compiled.source_of.iter().position(|id| Some(*id) == source);
        let named = match at {
            Some(at) => at.checked_sub(self.first).and_then(|at| self.names.get(at)),
            None => self.names.first(),
        };
        let before = match named {
            Some(named) => not_compiled(named),
            None => source
                .and_then(|id| compiled.sources.get(id))
                .map_or(String::new(), |library| format!("failed to compile library {}", library.name)),
        };
        report::diag(&before, diag, &compiled.sources, options.flag(opt::ERRTAGS));
        Failed(FAILURE)
    }

    fn not_loaded(&self, compiled: &Compiled, error: &LoadError, options: &Options) -> Failed {
        match error {
            LoadError::Script(diags) => match diags.first() {
                Some(diag) => self.wrong(compiled, diag, options),
                None => fail("failed to enable the program"),
            },
            LoadError::System(error) => refused("could not enable tracing: ", error),
        }
    }
}

/// What stands before a finding about a program.
pub fn not_compiled(named: &Named) -> String {
    match named {
        Named { what: "script", given, .. } => format!("failed to compile script {given}"),
        Named { given, .. } => format!("invalid probe specifier {given}"),
    }
}

/// `dtrace: script 'x.d' matched 2 probes`.
pub fn matched_line(named: &Named, count: usize) {
    let plural = if count == 1 { "" } else { "s" };
    report::line(&format!("{} '{}' matched {count} probe{plural}", named.what, named.name));
}

/// The same for each program.
fn matched(names: &[Named], compiled: &Compiled, first: usize, session: &dyn Session, options: &Options) {
    if options.flag(opt::QUIET) {
        return;
    }
    for (named, clauses) in names.iter().zip(compiled.clauses_of.iter().skip(first)) {
        let count: usize = clauses.iter().map(|clause| session.enabled(*clause)).sum();
        matched_line(named, count);
    }
    if options.flag(opt::DESTRUCTIVE) {
        report::line("allowing destructive actions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_exit_or_of_the_command() {
        let finished = |target_status| Finished { status: 7, target_status };
        let mut options = Options::new();
        assert_eq!(exit_status(&finished(Some(3 << 8)), &options), 7);
        options.set("childstatus", None).unwrap();
        assert_eq!(exit_status(&finished(Some(3 << 8)), &options), 3);
        assert_eq!(exit_status(&finished(Some(9)), &options), 137, "as the shell counts a signal");
        assert_eq!(exit_status(&finished(None), &options), 7);
    }

    #[test]
    fn flags_are_options() {
        let of = option_of;
        assert_eq!(of(Flag::Option, "strsize=1k"), Some(("strsize", Some("1k"), "-x strsize".to_string())));
        assert_eq!(of(Flag::Option, "quiet"), Some(("quiet", None, "-x quiet".to_string())));
        assert_eq!(of(Flag::BufferSize, "4m"), Some(("bufsize", Some("4m"), "-b 4m".to_string())));
        assert_eq!(of(Flag::List, ""), None);
    }

    #[test]
    fn a_bad_option_ends_the_command_and_the_last_value_counts() {
        let given = |words: &[&str]| Given {
            flags: words.iter().map(|word| (Flag::Option, word.to_string())).collect(),
            ..Given::default()
        };
        let set = options(&given(&["strsize=64", "strsize=1k"]), Choice::Ebpf).ok().unwrap();
        assert_eq!(set.number(opt::STRSIZE), 1024);
        assert!(options(&given(&["nosuch=1"]), Choice::Ebpf).is_err());
        assert!(options(&given(&["nosuch=1"]), Choice::Dtrace).is_ok(), "libdtrace may know it");
        assert!(options(&given(&["strsize=x"]), Choice::Dtrace).is_err());
    }
}
