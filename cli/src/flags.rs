//! The command line: every flag is one row of [`FLAGS`], read by clap, handed on in the order given.
//!
//! dtrace(1M)'s flags depend on order (`-n a -s b -x foo -n c`), so what comes out is a list, not a record.

use crate::commands;
use clap::{Arg, ArgAction, Command, error::ErrorKind};

/// What a flag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    DataModel32,
    DataModel64,
    Anonymous,
    ClaimAnonymous,
    BufferSize,
    Command,
    Cpp,
    Define,
    Stop,
    Function,
    Flow,
    Object,
    Header,
    Names,
    ProbeId,
    Include,
    List,
    Library,
    Module,
    Name,
    Output,
    Process,
    Provider,
    Quiet,
    Script,
    Listing,
    Undefine,
    Verbose,
    Version,
    Destructive,
    Option,
    Conformance,
    ZeroMatches,
    Backend,
    Record,
    Replay,
    Realtime,
    From,
    Until,
    Help,
}

/// One flag: letter, long name, name of its value, one line of help.
type Row = (Flag, Option<char>, &'static str, Option<&'static str>, &'static str);

/// Every flag. The letters are dtrace(1M)'s; what it does not have is long only.
pub const FLAGS: &[Row] = &[
    (Flag::DataModel32, Some('3'), "", Some("2"), "-32: 32-bit programs (not supported)"),
    (Flag::DataModel64, Some('6'), "", Some("4"), "-64: 64-bit programs (the default)"),
    (Flag::ClaimAnonymous, Some('a'), "", None, "claim anonymous tracing state (not supported)"),
    (Flag::Anonymous, Some('A'), "", None, "generate driver.conf(4) directives (not supported)"),
    (Flag::BufferSize, Some('b'), "", Some("SIZE"), "set trace buffer size"),
    (Flag::Command, Some('c'), "", Some("CMD"), "run specified command and exit upon its completion"),
    (Flag::Cpp, Some('C'), "", None, "run cpp(1) preprocessor on script files"),
    (Flag::Define, Some('D'), "", Some("NAME[=VALUE]"), "define symbol when invoking preprocessor"),
    (Flag::Stop, Some('e'), "", None, "exit after compiling request but prior to enabling probes"),
    (
        Flag::Function,
        Some('f'),
        "",
        Some("[[PROV:]MOD:]FUNC"),
        "enable or list probes matching the specified function",
    ),
    (Flag::Flow, Some('F'), "", None, "coalesce trace output by function"),
    (
        Flag::Object,
        Some('G'),
        "",
        None,
        "generate an ELF file containing embedded dtrace program (not supported)",
    ),
    (Flag::Header, Some('h'), "", None, "generate a header file with definitions for static probes"),
    (Flag::Names, Some('H'), "", None, "print included files when invoking preprocessor"),
    (Flag::ProbeId, Some('i'), "", Some("ID"), "enable or list probes matching the specified probe id"),
    (Flag::Include, Some('I'), "", Some("DIR"), "add include directory to preprocessor search path"),
    (Flag::List, Some('l'), "", None, "list probes matching specified criteria"),
    (Flag::Library, Some('L'), "", Some("DIR"), "add library directory to library search path"),
    (Flag::Module, Some('m'), "", Some("[PROV:]MOD"), "enable or list probes matching the specified module"),
    (
        Flag::Name,
        Some('n'),
        "",
        Some("[[[PROV:]MOD:]FUNC:]NAME"),
        "enable or list probes matching the specified name",
    ),
    (Flag::Output, Some('o'), "", Some("FILE"), "set output file"),
    (Flag::Process, Some('p'), "", Some("PID"), "grab specified process-ID and cache its symbol tables"),
    (Flag::Provider, Some('P'), "", Some("PROV"), "enable or list probes matching the specified provider"),
    (Flag::Quiet, Some('q'), "", None, "set quiet mode (only output explicitly traced data)"),
    (Flag::Script, Some('s'), "", Some("FILE"), "enable or list probes according to the specified D script"),
    (Flag::Listing, Some('S'), "", None, "print intermediate and BPF code"),
    (Flag::Undefine, Some('U'), "", Some("NAME"), "undefine symbol when invoking preprocessor"),
    (Flag::Verbose, Some('v'), "", None, "set verbose mode (report stability attributes, arguments)"),
    (Flag::Version, Some('V'), "version", None, "report the version of the D language"),
    (Flag::Destructive, Some('w'), "", None, "permit destructive actions"),
    (Flag::Option, Some('x'), "", Some("OPT[=VAL]"), "enable or modify compiler and tracing options"),
    (
        Flag::Conformance,
        Some('X'),
        "",
        Some("a|c|s|t"),
        "specify ISO C conformance settings for preprocessor",
    ),
    (Flag::ZeroMatches, Some('Z'), "", None, "permit probe descriptions that match zero probes"),
    (Flag::Backend, None, "backend", Some("ebpf|dtrace|auto"), "which system traces"),
    (Flag::Record, None, "record", Some("FILE"), "also write everything the script reads to a file"),
    (Flag::Replay, None, "replay", Some("FILE"), "run the script over a recording, without privileges"),
    (Flag::Realtime, None, "realtime", None, "replay as slowly as it happened"),
    (Flag::From, None, "from", Some("TIME"), "replay from this time after the first event on (2s, 40ms)"),
    (Flag::Until, None, "until", Some("TIME"), "replay until this time after the first event"),
    (Flag::Help, None, "help", None, "show this"),
];

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Flags with their values, in order; the value is empty for those that take none.
    pub flags: Vec<(Flag, String)>,
    /// Everything else: `$1` and so on.
    pub args: Vec<String>,
    /// Macro variables that stand in for this process's: those of a recording.
    pub macros: Vec<(String, String)>,
}

impl Given {
    /// Was the flag given?
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.iter().any(|(given, _)| *given == flag)
    }

    /// All values of a flag.
    pub fn values(&self, flag: Flag) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(given, _)| *given == flag).map(|(_, value)| value.as_str())
    }
}

/// What clap calls the flag of that row.
pub fn id(index: usize) -> String {
    format!("flag{index}")
}

/// The table as clap reads it.
pub fn command() -> Command {
    let mut command = Command::new("duotrace").disable_help_flag(true).disable_version_flag(true);
    for (index, (_, letter, long, value, help)) in FLAGS.iter().enumerate() {
        let mut arg = Arg::new(id(index)).help(*help);
        if let Some(letter) = letter {
            arg = arg.short(*letter);
        }
        if !long.is_empty() {
            arg = arg.long(*long);
        }
        command = command.arg(match value {
            Some(value) => arg.value_name(*value).action(ArgAction::Append).allow_hyphen_values(true),
            // Counted, so that a flag may be given twice.
            None => arg.action(ArgAction::Count),
        });
    }
    command.arg(Arg::new("args").help("values of $1, $2 and so on").num_args(0..).action(ArgAction::Append))
}

/// Reads the command line; the error is a line for the user, without prefix.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Given, String> {
    let matches = command().try_get_matches_from(words).map_err(|error| {
        let given =
            error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let name = given.split(' ').next().unwrap_or("").trim_start_matches('-').to_string();
        match error.kind() {
            ErrorKind::UnknownArgument => format!("illegal option -- {name}"),
            ErrorKind::InvalidValue => format!("option requires an argument -- {name}"),
            _ => error.to_string().lines().next().unwrap_or("").trim_start_matches("error: ").to_string(),
        }
    })?;
    let mut flags: Vec<(usize, Flag, String)> = Vec::new();
    for (index, (flag, _, _, value, _)) in FLAGS.iter().enumerate() {
        let id = id(index);
        let Some(places) = matches.indices_of(&id) else { continue };
        if value.is_some() {
            let values = matches.get_many::<String>(&id).into_iter().flatten();
            flags.extend(places.zip(values).map(|(place, value)| (place, *flag, value.clone())));
        } else if matches.get_count(&id) > 0 {
            flags.extend(places.take(1).map(|place| (place, *flag, String::new())));
        }
    }
    flags.sort_by_key(|(place, ..)| *place);
    Ok(Given {
        flags: flags.into_iter().map(|(_, flag, value)| (flag, value)).collect(),
        args: matches.get_many::<String>("args").into_iter().flatten().cloned().collect(),
        macros: Vec::new(),
    })
}

/// The usage message.
pub fn usage() -> String {
    let mut text = String::from(
        "Usage: duotrace [-64] [-CeFHlqSvVwZ] [-b bufsz] [-c cmd] [-D name[=def]] [-I path] [-L path]\n\
         \t[-o output] [-p pid] [-s script] [-U name] [-x opt[=val]] [-X a|c|s|t]\n\n\
         \t[-P provider [[ predicate ] action ]]\n\
         \t[-m [ provider: ] module [[ predicate ] action ]]\n\
         \t[-f [[ provider: ] module: ] func [[ predicate ] action ]]\n\
         \t[-n [[[ provider: ] module: ] func: ] name [[ predicate ] action ]]\n\
         \t[-i probe-id [[ predicate ] action ]] [ args ... ]\n\n",
    );
    for (_, letter, long, _, help) in FLAGS {
        let name = letter.map_or_else(|| format!("--{long}"), |letter| format!("-{letter}"));
        text.push_str(&format!("\t{name:<10} {help}\n"));
    }
    text.push('\n');
    text.push_str(&commands::usage());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Result<Given, String> {
        parse(std::iter::once("duotrace").chain(line.split(' ')).map(str::to_string))
    }

    #[test]
    fn order_is_kept() {
        let given = given("-n a -xfoo=1 -s b -64 -qn c one two").unwrap();
        let flags: Vec<(Flag, &str)> = given.flags.iter().map(|(f, v)| (*f, v.as_str())).collect();
        assert_eq!(
            flags,
            [
                (Flag::Name, "a"),
                (Flag::Option, "foo=1"),
                (Flag::Script, "b"),
                (Flag::DataModel64, "4"),
                (Flag::Quiet, ""),
                (Flag::Name, "c")
            ]
        );
        assert_eq!(given.args, ["one", "two"]);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(given("-y").unwrap_err(), "illegal option -- y");
        assert_eq!(given("-q -n").unwrap_err(), "option requires an argument -- n");
    }

    #[test]
    fn flags_may_repeat_and_mix_with_arguments() {
        let given = given("-q one -q -s x two").unwrap();
        assert_eq!(given.args, ["one", "two"]);
        assert!(given.has(Flag::Quiet));
    }
}
