//! Every end-to-end test of duotrace: the case files, and the tests that need more than a file says.
//!
//!     cargo test -p duotrace-tests [FILTER]
//!
//! What cannot run on this machine is counted as ignored, with the reason.

mod exact;
mod header;
mod languages;
mod libdtrace;
mod postgres;
mod processes;
mod robust;
mod scripts;
mod web;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use duotrace_tests::case::{Case, Outcome, find};
use duotrace_tests::{programs, root};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test: why it cannot run here, or how it went.
type Test = fn() -> Result<Outcome, String>;

fn trial(name: String, run: impl FnOnce() -> Result<Outcome, String> + Send + 'static) -> Trial {
    Trial::ignorable_test(name.clone(), move || {
        let _running = InProgress::new(name);
        match run() {
            Ok(Outcome::Passed) => Ok(Completion::Completed),
            Ok(Outcome::Skipped(why)) => Ok(Completion::ignored_with(why)),
            Err(wrong) => Err(Failed::from(wrong)),
        }
    })
}

/// The tests that run now, and since when: what hangs has to be named, because nothing else of it will be seen.
static IN_PROGRESS: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// How long a test may run before it is named, again and again.
const LONG: Duration = Duration::from_secs(120);

struct InProgress(String);

impl InProgress {
    fn new(name: String) -> Self {
        let mut all = IN_PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((name.clone(), Instant::now()));
        InProgress(name)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        IN_PROGRESS.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| *name != self.0);
    }
}

/// Names tests that run for too long, from a thread of its own.
fn name_the_slow() {
    loop {
        std::thread::sleep(LONG / 4);
        for (name, since) in IN_PROGRESS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if since.elapsed() > LONG {
                eprintln!("duotrace-tests: {name} has been running for {} s", since.elapsed().as_secs());
            }
        }
    }
}

fn cases() -> Result<Vec<Trial>, String> {
    let folder = root().join("tests/cases");
    let mut trials = Vec::new();
    for path in find(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("");
        trials.push(trial(format!("case {}", name.display()), move || Case::read(&path)?.run()));
    }
    Ok(trials)
}

/// Skips a test where nothing can be traced, or there is nothing to trace.
fn traced(test: fn() -> Result<(), String>) -> Result<Outcome, String> {
    match duotrace_tests::no_bpf().or_else(programs::no_programs) {
        Some(why) => Ok(Outcome::Skipped(why)),
        None => test().map(|()| Outcome::Passed),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    duotrace_tests::sys::heed_interrupts();
    if let Err(why) = duotrace_tests::duotrace() {
        eprintln!("duotrace-tests: {why}");
        return ExitCode::FAILURE;
    }
    let mut trials = match cases() {
        Ok(trials) => trials,
        Err(why) => {
            eprintln!("duotrace-tests: {why}");
            return ExitCode::FAILURE;
        }
    };
    for (area, tests) in [
        ("exact", exact::TESTS),
        ("header", header::TESTS),
        ("languages", languages::TESTS),
        ("libdtrace", libdtrace::TESTS),
        ("postgres", postgres::TESTS),
        ("processes", processes::TESTS),
        ("robust", robust::TESTS),
        ("scripts", scripts::TESTS),
        ("web", web::TESTS),
    ] {
        trials.extend(tests.iter().map(|&(name, test)| trial(format!("{area} {name}"), test)));
    }
    std::thread::spawn(name_the_slow);
    let conclusion = libtest_mimic::run(&arguments, trials);
    postgres::stop();
    conclusion.exit_code()
}
