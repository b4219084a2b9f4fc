//! The `duotrace` command: dtrace(1M)'s command line over the library crates.
//!
//! `flags` reads the command line, `texts` and `cpp` the programs, `run` does
//! what was asked, `list` is `-l`, `header` is `-h`, `report` says what is wrong;
//! `host` is where output goes, `sys` the calls of the C library. `commands` has
//! what the first word may be instead of a flag: `test`, `doctor`, `manual` and kin.
#![deny(unsafe_code)]

mod backends;
mod commands;
mod convert;
mod cpp;
mod doctor;
#[cfg(target_os = "linux")]
mod ebpf;
mod flags;
mod header;
mod host;
mod libdtrace;
mod list;
mod manual;
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
    #[cfg(target_os = "linux")]
    if words.first().is_some_and(|name| name.rsplit('/').next() == Some("dtrace")) {
        // Called by dtrace's name it has that name: scripts leave it out by `execname != "dtrace"`.
        let _ = std::fs::write("/proc/self/comm", "dtrace");
    }
    if let Some((.., command)) = words.get(1).and_then(|word| commands::find(word)) {
        return ExitCode::from(command(words.get(2..).unwrap_or(&[])));
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
