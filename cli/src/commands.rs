//! What the first word of a command line may be besides a flag: one row of [`COMMANDS`] each; and the variables of the
//! environment that are read. Usage, manual page and completions are made of these tables and of `flags::FLAGS`.

use crate::{convert, doctor, manual, test};

/// A command: its name, the words after it, a line of help, what does it (the words after it; the exit status).
pub type Row = (&'static str, &'static str, &'static str, fn(&[String]) -> u8);

/// Every command.
pub const COMMANDS: &[Row] = &[
    (
        "test",
        "DIR...",
        "run D scripts over recorded or written events and compare what they print",
        test::run,
    ),
    (
        "trace2text",
        "[OPTION...] FILE",
        "print the events of a recording, a line each, as JSON Lines or for Chrome",
        convert::run,
    ),
    ("doctor", "", "say what this system lets duotrace do, and what is missing", doctor::run),
    ("man", "", "print the manual page, for man(1)", manual::page),
    ("completions", manual::SHELLS, "print completions for a shell", manual::completions),
];

/// Variables of the environment and what they mean.
pub const VARIABLES: &[(&str, &str)] = &[
    (
        "DTRACE_OPT_NAME",
        "an option by its name in capitals, as -x name=value; -x on the command line overrules it",
    ),
    ("DUOTRACE_LIBDTRACE", "path of the libdtrace to load, in place of the system's"),
    ("DUOTRACE_LIBDTRACE_ABI", "whose layouts that library has: oracle, illumos, freebsd or macos"),
    ("DUOTRACE_LIBDTRACE_PATIENCE", "seconds of silence after which that library counts as hanging (120)"),
    ("DUOTRACE_PROVIDERS", "directory of descriptions of virtual providers, besides those that are built in"),
];

/// The command that a word names.
pub fn find(word: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|(name, ..)| *name == word)
}

/// Lines for the usage message.
pub fn usage() -> String {
    let line = |(name, words, help, _): &Row| {
        // The choices of `completions` are told where it is called.
        let words = if words.contains('|') { "SHELL" } else { words };
        format!("\tduotrace {:<18} {help}\n", format!("{name} {words}"))
    };
    COMMANDS.iter().map(line).collect()
}

/// "Usage: duotrace NAME WORDS", on stderr, for a command that was called in another way; the exit status.
pub fn misused(name: &str) -> u8 {
    let words = find(name).map_or("", |(_, words, ..)| *words);
    eprintln!("{}", format!("Usage: duotrace {name} {words}").trim_end());
    crate::USAGE
}
