//! The families that no machine here has, through the real worker, pipe, decoders and consumer: a stand-in library with
//! their layouts (`fake.c`) is built by `cc` and opened as libdtrace.
#![cfg(unix)]

use duotrace_core::backend::{Backend, LoadError};
use duotrace_core::consumer::{self, Control, Finished, Host, OutputClosed, Stop};
use duotrace_core::diagnostic::Tag;
use duotrace_core::ir::Program;
use duotrace_core::options::Options;
use duotrace_core::output::{Environment, Utc};
use duotrace_core::probe::ProbeDesc;
use duotrace_core::sema::{ProgramKind, ProgramText};
use duotrace_dtrace::abi::Family;
use duotrace_dtrace::{Config, Dtrace, Target};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Workers are forked: one at a time, so that no other test is in the middle of anything.
static ONE: Mutex<()> = Mutex::new(());

/// The fake library of a family, built once: its path, or `None` where there is no C compiler.
fn library(family: Family) -> Option<String> {
    static BUILT: [OnceLock<Option<String>>; 3] = [const { OnceLock::new() }; 3];
    let at = FAMILIES.iter().position(|known| *known == family)?;
    BUILT[at].get_or_init(|| build(family, family.name(), &[])).clone()
}

fn build(family: Family, name: &str, more: &[&str]) -> Option<String> {
    let (function, base) = match family {
        Family::FreeBsd => (192, 54),
        Family::MacOs => (128, 57),
        _ => (128, 51),
    };
    let path = format!("{}/libfake-{name}.so", env!("CARGO_TARGET_TMPDIR"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o", &path, source])
        .args([format!("-DFUNCTION={function}"), format!("-DACT_BASE={base}")])
        .args(more)
        .status()
        .ok()?;
    assert!(status.success(), "cc failed");
    Some(path)
}

fn backend(family: Family, text: &str) -> Option<Dtrace> {
    let program = ProgramText { name: String::new(), text: text.to_string(), kind: ProgramKind::Name };
    Some(Dtrace::new(Config {
        library: Some(library(family)?),
        family: Some(family),
        programs: vec![program],
        patience: Duration::from_millis(1500),
        ..Config::default()
    }))
}

/// Keeps what a run prints.
#[derive(Default)]
struct Screen {
    out: Vec<u8>,
    warnings: Vec<String>,
    commands: Vec<String>,
    reopened: usize,
    limit: Option<usize>,
}

impl Host for Screen {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.out.extend_from_slice(bytes);
        if self.limit.is_some_and(|limit| self.out.len() > limit) { Err(OutputClosed) } else { Ok(()) }
    }
    fn flush(&mut self) -> Result<(), OutputClosed> {
        Ok(())
    }
    fn warn(&mut self, line: &str) {
        self.warnings.push(line.to_string());
    }
    fn system(&mut self, command: &[u8]) {
        self.commands.push(String::from_utf8_lossy(command).into_owned());
    }
    fn freopen(&mut self, _path: Option<&[u8]>) -> Result<(), String> {
        self.reopened += 1;
        Ok(())
    }
    fn ftruncate(&mut self) {}
    fn environment(&self) -> &dyn Environment {
        &Utc
    }
}

/// Stops after a while.
struct After(Instant, Duration);

impl Control for After {
    fn stop(&mut self) -> Stop {
        if self.0.elapsed() > self.1 { Stop::Gracefully } else { Stop::No }
    }
}

fn run(dtrace: &mut Dtrace, screen: &mut Screen, limit: Duration) -> Result<Finished, String> {
    let mut session = dtrace.compile().map_err(|error| format!("{error:?}"))?;
    let program = Program::default();
    let probe = |id| dtrace.known_probe(id);
    let mut control = After(Instant::now(), limit);
    consumer::run(&program, &mut session, &probe, &Options::new(), &[], screen, &mut control)
        .map_err(|error| error.message)
}

const FAMILIES: [Family; 3] = [Family::Illumos, Family::FreeBsd, Family::MacOs];

#[test]
fn every_action_and_aggregation_of_the_sun_families() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let mut texts = Vec::new();
    for family in FAMILIES {
        let Some(mut dtrace) = backend(family, "entry") else { return };
        let mut screen = Screen::default();
        let finished = run(&mut dtrace, &mut screen, Duration::from_secs(20)).unwrap();
        assert_eq!(finished.status, 3);
        let out = String::from_utf8_lossy(&screen.out).into_owned();
        for part in [
            "  3      2                          f:entry ",
            "-42",
            "hello",
            "-42|hello|",
            "unix`kernel+0x10\n",
            "unix`kernel+0x40",
            "a.out`user77+0x10\n",
            "a.out`user77+0x30",
            "0: 30 31 32 33                                      0123\n",
            "key -7 4 400\n",
            "printed by the library\n",
        ] {
            assert!(out.contains(part), "{}: no {part:?} in\n{out}", family.name());
        }
        let lines: Vec<&str> = out.lines().map(str::trim).collect();
        // sum, normalised by 10, then at the end without a factor; avg cleared.
        assert!(lines.iter().any(|line| line.starts_with("key") && line.ends_with(" 40")), "{out}");
        assert_eq!(screen.commands, ["echo -42"]);
        assert_eq!(screen.reopened, 1);
        let warnings = screen.warnings.join("\n");
        for part in [
            "error on enabled probe ID 5 (ID 2: fake:unit:f:entry): invalid address (0x10) in action #2",
            "1 drop on CPU 1",
            "2 aggregation drops on CPU 1",
            "6 speculative drops",
            "pid 0 has exited",
        ] {
            assert!(warnings.contains(part), "{}: no {part:?} in\n{warnings}", family.name());
        }
        texts.push(out);
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    // All of it: also what no printa() showed, at the end.
    assert_eq!(texts[0], include_str!("sun.out"));
}

#[test]
fn what_goes_wrong_is_one_clear_error() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    for (text, error) in [
        ("die", "it ended by signal 9 (killed)"),
        ("hang", "libdtrace does not answer"),
        ("shut", "libdtrace's process failed: it closed its pipe"),
        ("gone", "libdtrace's process failed: it ended"),
        ("failing", "processing aborted: the buffer is on fire"),
        ("nogo", "processing aborted: Permission denied"),
        ("badrec", "processing aborted: libdtrace's data makes no sense: a record of 4294967"),
        ("bigkey", "processing aborted: libdtrace's data makes no sense: @count has a key of 268 bytes"),
    ] {
        let Some(mut dtrace) = backend(Family::Illumos, text) else { return };
        let started = Instant::now();
        match run(&mut dtrace, &mut Screen::default(), Duration::from_secs(20)) {
            // Who has closed its pipe ends from that, perhaps by the time that it is looked at.
            Err(message) if text == "shut" && message.contains("failed: it ended by status 1") => {}
            Err(message) => assert!(message.contains(error), "{text}: {message}"),
            Ok(_) => panic!("{text}: no error"),
        }
        assert!(started.elapsed() < Duration::from_secs(8), "{text}: {:?}", started.elapsed());
    }
    let Some(mut dtrace) = backend(Family::Illumos, "abort") else { return };
    let Err(LoadError::System(error)) = dtrace.compile() else { panic!("no error") };
    assert!(error.message.contains("signal 6 (aborted)"), "{error}");
}

#[test]
fn a_library_that_hangs_or_is_of_another_version() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let Some(mut dtrace) = backend(Family::Illumos, "stuck") else { return };
    let Err(LoadError::System(error)) = dtrace.compile() else { panic!("no error") };
    assert_eq!(error.message, "libdtrace does not answer (for 1 s)");
    let Some(path) = build(Family::MacOs, "other", &["-DVERSION=9"]) else { return };
    let config = Config { library: Some(path), family: Some(Family::MacOs), ..Config::default() };
    let Err(LoadError::System(error)) = Dtrace::new(config).compile() else { panic!("no error") };
    assert_eq!(error.message, "failed to initialize dtrace: Client requested version newer than library");
}

#[test]
fn malformed_aggregations_are_reported_once() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let Some(mut dtrace) = backend(Family::FreeBsd, "badagg") else { return };
    let mut screen = Screen::default();
    run(&mut dtrace, &mut screen, Duration::from_secs(20)).unwrap();
    let found =
        screen.warnings.iter().filter(|line| line.contains("libdtrace's data makes no sense")).count();
    assert_eq!(found, 1, "{:?}", screen.warnings);
}

#[test]
fn interrupted_calls_go_on_and_stopping_is_quick() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let Some(mut dtrace) = backend(Family::MacOs, "eintr") else { return };
    assert_eq!(run(&mut dtrace, &mut Screen::default(), Duration::from_secs(20)).unwrap().status, 3);
    let Some(mut dtrace) = backend(Family::MacOs, "endless") else { return };
    let started = Instant::now();
    run(&mut dtrace, &mut Screen::default(), Duration::from_millis(100)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_closed_output_ends_the_run() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let Some(mut dtrace) = backend(Family::Illumos, "entry") else { return };
    let mut screen = Screen { limit: Some(10), ..Screen::default() };
    assert!(run(&mut dtrace, &mut screen, Duration::from_secs(20)).is_ok());
}

#[test]
fn compile_errors_options_and_processes() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let Some(mut dtrace) = backend(Family::Illumos, "wrong") else { return };
    let Err(LoadError::Script(diags)) = dtrace.compile() else { panic!("no finding") };
    assert_eq!(diags[0].tag, Tag::D_SYNTAX);
    assert_eq!(diags[0].message, "syntax error near \"wrong\"");
    assert!(diags[0].span.is_some());
    for family in FAMILIES {
        let Some(path) = library(family) else { return };
        let mut config = Config { library: Some(path), family: Some(family), ..Config::default() };
        config.targets = vec![Target::Command("sleep 1".into()), Target::Process(99)];
        // Only the consumer knows this one.
        config.options = vec![("agghist".into(), None)];
        let session = Dtrace::new(config.clone()).compile().unwrap();
        assert_eq!(session.pids(), [4242, 99], "{}", family.name());
        config.options = vec![("nonsense".into(), Some("1".into()))];
        let Err(LoadError::System(error)) = Dtrace::new(config).compile() else { panic!("no error") };
        assert_eq!(error.message, "failed to set -x nonsense: Invalid value for specified option");
    }
}

#[test]
fn probes_are_listed() {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    for family in FAMILIES {
        let Some(mut dtrace) = backend(family, "entry") else { return };
        let found = dtrace.match_probes(&ProbeDesc::default()).unwrap();
        assert_eq!(found.probes.len(), 2);
        let probe = dtrace.probe(found.probes[1]).unwrap();
        assert_eq!((probe.function.as_str(), probe.name.as_str()), ("f", "entry"));
        let (probes, problems) = dtrace.list_programs().unwrap();
        assert_eq!((probes.len(), problems.len()), (1, 0), "{}", family.name());
    }
}
