//! The libdtrace backend: the library compiles, so the texts go to it as they are.

use crate::doctor::Part;
use crate::flags::{Flag, Given};
use crate::host::{Console, Signals};
use crate::run::{self, Failed, fail, refused};
use crate::texts::{self, Named};
use crate::{FAILURE, list, report, sys};
use duotrace_core::backend::LoadError;
use duotrace_core::consumer::{self, Host};
use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::Program;
use duotrace_core::options::{Options, opt};
use duotrace_core::sema::stability::{CLASSES, STABILITIES};
use duotrace_core::sema::{ProgramKind, ProgramText};
use duotrace_dtrace::abi::Family;
use duotrace_dtrace::{Config, Description, Dtrace, Target};
use std::time::Duration;

/// Where the library is, if not where it usually is.
const LIBRARY: &str = "DUOTRACE_LIBDTRACE";
/// Whose it is, if its symbols do not tell.
const ABI: &str = "DUOTRACE_LIBDTRACE_ABI";

/// For how many seconds the library may be silent before it counts as hanging.
const PATIENCE: &str = "DUOTRACE_LIBDTRACE_PATIENCE";

/// Compiles the programs and runs them.
pub fn trace(
    given: &Given,
    mut options: Options,
    programs: Vec<ProgramText>,
    names: &[Named],
) -> Result<u8, Failed> {
    if given.has(Flag::Record) {
        // A recording holds what a script reads, so that other scripts can be run over it.
        return Err(fail(
            "--record: libdtrace hands out what a script shows, not what it reads: record with --backend ebpf",
        ));
    }
    let mut backend = Dtrace::new(config(given, &programs)?);
    if given.has(Flag::List) {
        if programs.is_empty() {
            return list::all(&mut backend, given.has(Flag::Verbose)).map_err(|error| refused("", &error));
        }
        let listed = backend.list_programs();
        let (probes, problems) = listed.map_err(|error| not_loaded(&error, &programs, names, &options))?;
        let mut text = list::HEADING.to_string();
        probes.iter().for_each(|probe| list::line(&mut text, probe, given.has(Flag::Verbose), false));
        problems.iter().for_each(|problem| report::line(problem));
        list::show(&text);
        return Ok(if problems.is_empty() { 0 } else { FAILURE });
    }
    if programs.is_empty() {
        return Err(fail("no probes specified"));
    }
    let loaded = backend.compile();
    let mut session = loaded.map_err(|error| not_loaded(&error, &programs, names, &options))?;
    backend.notes().iter().for_each(|note| report::line(note));
    backend.settle(&mut options);
    if given.has(Flag::Verbose) {
        for (named, ranks) in names.iter().zip(backend.stability()) {
            let [a, b, c, d, e, f] = ranks.map(usize::from);
            let stability = |rank: usize| STABILITIES.get(rank).copied().unwrap_or("Unknown");
            let class = |rank: usize| CLASSES.get(rank).copied().unwrap_or("Unknown");
            let description = [stability(a), stability(b), class(c)];
            let statement = [stability(d), stability(e), class(f)];
            list::show(&(list::stability(named, description, statement) + "\n"));
        }
    }
    if given.has(Flag::Stop) {
        return Ok(0);
    }
    if !options.flag(opt::QUIET) {
        names
            .iter()
            .zip(session.matches())
            .for_each(|(named, count)| run::matched_line(named, *count as usize));
    }
    if session.matches().iter().all(|count| *count == 0) && !options.flag(opt::ZDEFS) {
        return Err(fail("no probes matched"));
    }
    let output = given.values(Flag::Output).last();
    let mut console = Console::open(output).map_err(|error| {
        fail(format!("failed to open output file '{}': {}", output.unwrap_or(""), texts::reason(&error)))
    })?;
    sys::watch_signals();
    let targets = session.pids().to_vec();
    let probe = |id| backend.known_probe(id);
    let program = Program::default();
    let finished =
        consumer::run(&program, &mut session, &probe, &options, &targets, &mut console, &mut Signals);
    let finished = finished.map_err(|error| refused("", &error))?;
    drop(session);
    let _ = console.flush();
    Ok(run::exit_status(&finished, &options))
}

/// What `duotrace doctor` says of the library.
pub fn survey() -> Part {
    let config = Config { library: library(), patience: Duration::from_secs(20), ..Config::default() };
    let (usable, facts) = match Dtrace::new(config).describe() {
        Ok(Description { path, family, version }) => {
            let facts = [("path", path), ("layouts", family.name().to_string()), ("version", version)];
            (Ok(()), facts.map(|(name, fact)| (name.to_string(), fact)).to_vec())
        }
        Err(error) => (Err(error.message), Vec::new()),
    };
    Part { title: "libdtrace", usable, facts }
}

/// The path that the environment gives.
fn library() -> Option<String> {
    std::env::var(LIBRARY).ok().filter(|path| !path.is_empty())
}

fn config(given: &Given, programs: &[ProgramText]) -> Result<Config, Failed> {
    let mut config =
        Config { programs: programs.to_vec(), listing: given.has(Flag::Listing), ..Config::default() };
    config.library = library();
    if let Ok(name) = std::env::var(ABI) {
        let known = || fail(format!("{ABI}={name}: not one of oracle, illumos, freebsd, macos"));
        config.family = Some(Family::from_name(&name).ok_or_else(known)?);
    }
    if let Ok(text) = std::env::var(PATIENCE) {
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
        let seconds = seconds.ok_or_else(|| fail(format!("{PATIENCE}={text}: not a number of seconds")))?;
        config.patience = Duration::from_secs(seconds);
    }
    config.environment = run::environment_options();
    let script = programs.iter().find(|text| text.kind == ProgramKind::Script);
    config.args.push(script.map_or("dtrace", |text| text.name.as_str()).to_string());
    config.args.extend(given.args.iter().cloned());
    for (flag, value) in &given.flags {
        match flag {
            Flag::Command => config.targets.push(Target::Command(value.clone())),
            Flag::Process => {
                let pid = run::pid(value)?;
                config.targets.push(Target::Process(pid));
            }
            _ => {
                if let Some((name, value, _)) = run::option_of(*flag, value) {
                    config.options.push((name.to_string(), value.map(str::to_string)));
                }
            }
        }
    }
    Ok(config)
}

/// Says why a program was not enabled.
fn not_loaded(error: &LoadError, programs: &[ProgramText], names: &[Named], options: &Options) -> Failed {
    let diag = match error {
        LoadError::System(error) => return refused("", error),
        LoadError::Script(diags) => diags.first(),
    };
    let Some(diag) = diag else { return fail("failed to enable the program") };
    let mut sources = SourceMap::default();
    for program in programs {
        sources.add(program.name.clone(), program.text.clone());
    }
    let at = diag.span.map_or(0, |span| span.source.0 as usize);
    let before = names.get(at).map(run::not_compiled).unwrap_or_default();
    report::diag(&before, diag, &sources, options.flag(opt::ERRTAGS));
    Failed(FAILURE)
}
