//! The `duotrace` command: dtrace(1M)'s command line over the library crates.
//!
//! `flags` reads the command line, `texts` and `cpp` the programs, `run` does
//! what was asked, `list` is `-l`, `header` is `-h`, `convert` and `test`
//! are commands of their own, `report` says what is wrong;
//! `host` is where output goes, `sys` the calls of the C library.
#![deny(unsafe_code)]

mod backends;
mod convert;
mod cpp;
#[cfg(target_os = "linux")]
mod ebpf;
mod flags;
mod header;
mod host;
mod libdtrace;
mod list;
mod replay;
mod report;
mod run;
#[allow(unsafe_code)]
mod sys;
mod test;
mod texts;

use std::process::ExitCode;

/// Exit status of a failure.
const FAILURE: u8 = 1;
/// Exit status of a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    if words.get(1).is_some_and(|word| word == "test") {
        return ExitCode::from(test::run(words.get(2..).unwrap_or(&[])));
    }
    if words.get(1).is_some_and(|word| word == "trace2text") {
        return ExitCode::from(convert::run(words.get(2..).unwrap_or(&[])));
    }
    match flags::parse(words.into_iter()) {
        Ok(given) => ExitCode::from(run::run(&given)),
        Err(error) => {
            report::line(&error);
            eprint!("{}", flags::usage());
            ExitCode::from(USAGE)
        }
    }
}
