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
mod robust;
mod scripts;
mod web;

use std::process::ExitCode;

use duotrace_tests::case::{Case, Outcome, find};
use duotrace_tests::{programs, root};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test: why it cannot run here, or how it went.
type Test = fn() -> Result<Outcome, String>;

fn trial(name: String, run: impl FnOnce() -> Result<Outcome, String> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match run() {
        Ok(Outcome::Passed) => Ok(Completion::Completed),
        Ok(Outcome::Skipped(why)) => Ok(Completion::ignored_with(why)),
        Err(wrong) => Err(Failed::from(wrong)),
    })
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
        ("robust", robust::TESTS),
        ("scripts", scripts::TESTS),
        ("web", web::TESTS),
    ] {
        trials.extend(tests.iter().map(|&(name, test)| trial(format!("{area} {name}"), test)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    postgres::stop();
    conclusion.exit_code()
}
