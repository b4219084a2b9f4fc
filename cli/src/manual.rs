//! The manual page and completions for shells, made of the tables of flags, commands, options and variables.

use crate::commands::{COMMANDS, VARIABLES, misused};
use crate::flags::{self, Flag};
use crate::list::show;
use clap::builder::{PossibleValuesParser, ValueHint};
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use duotrace_core::options::OPTIONS;

/// Shells that completions can be made for.
pub const SHELLS: &str = "bash|elvish|fish|powershell|zsh";

/// Who reads the description.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Person,
    Shell,
}

/// The command line as the tables describe it, with what only people and shells need to know.
fn described(reader: Reader) -> Command {
    let mut command = flags::command()
        .about("run D scripts of dtrace(1M), through eBPF or libdtrace, or over a recording")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    for (index, (flag, _, _, value, _)) in flags::FLAGS.iter().enumerate() {
        let hint = |arg: Arg| match (flag, value) {
            // `-32` and `-64` are letters with a value only for whoever reads them.
            (Flag::DataModel32 | Flag::DataModel64, _) => arg.hide(true),
            (_, Some("FILE")) => arg.value_hint(ValueHint::FilePath),
            (_, Some("DIR")) => arg.value_hint(ValueHint::DirPath),
            // A person reads them in the value's name.
            (_, Some(value)) if value.contains('|') && reader == Reader::Shell => {
                arg.value_parser(PossibleValuesParser::new(value.split('|')))
            }
            _ => arg,
        };
        command = command.mut_arg(flags::id(index), hint);
    }
    for (name, words, help, _) in COMMANDS {
        let mut subcommand = Command::new(*name).about(*help);
        if !words.is_empty() {
            let arg = Arg::new("words").num_args(0..);
            subcommand = subcommand.arg(match words.split('|').collect::<Vec<_>>()[..] {
                [one] if one.starts_with("DIR") => arg.value_name("DIR").value_hint(ValueHint::DirPath),
                [_] => arg.value_name("FILE").value_hint(ValueHint::FilePath),
                _ => arg.value_parser(PossibleValuesParser::new(words.split('|'))),
            });
        }
        command = command.subcommand(subcommand);
    }
    command
}

/// `duotrace completions SHELL`.
pub fn completions(words: &[String]) -> u8 {
    let shell = match words {
        [word] => word.parse::<Shell>().ok(),
        _ => None,
    };
    let Some(shell) = shell else { return misused("completions") };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut described(Reader::Shell), "duotrace", &mut text);
    show(&String::from_utf8_lossy(&text));
    0
}

/// `duotrace man`.
pub fn page(words: &[String]) -> u8 {
    if !words.is_empty() {
        return misused("man");
    }
    show(&String::from_utf8_lossy(&rendered().unwrap_or_default()));
    0
}

fn rendered() -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let man = Man::new(described(Reader::Person)).section("8").manual("System Administration");
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    synopsis().to_writer(&mut text)?;
    description().to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    list(
        "TRACING OPTIONS",
        "Names for -x and #pragma D option.",
        OPTIONS.iter().map(|row| (row.name, row.doc)),
    )
    .to_writer(&mut text)?;
    list("ENVIRONMENT", "", VARIABLES.iter().copied()).to_writer(&mut text)?;
    list("EXIT STATUS", "", STATUSES.iter().copied()).to_writer(&mut text)?;
    list("EXAMPLES", "", EXAMPLES.iter().copied()).to_writer(&mut text)?;
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text([roman("dtrace(1M), bpf(2), perf_event_open(2)")]);
    roff.to_writer(&mut text)?;
    Ok(text)
}

fn synopsis() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([
        bold("duotrace"),
        roman(" ["),
        italic("flags"),
        roman("] "),
        bold("-n"),
        italic(" program"),
        roman(" ..."),
    ]);
    roff.control("br", []);
    roff.text([
        bold("duotrace"),
        roman(" ["),
        italic("flags"),
        roman("] "),
        bold("-s"),
        italic(" script"),
        roman(" ["),
        italic("args"),
        roman("]"),
    ]);
    for (name, words, ..) in COMMANDS {
        roff.control("br", []);
        roff.text([bold("duotrace"), roman(" "), bold(*name), roman(" "), italic(*words)]);
    }
    roff
}

fn description() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "duotrace runs programs in the D language of dtrace(1M): on Linux through eBPF, on illumos, FreeBSD and macOS \
         (and on Linux where it is installed) through libdtrace, and over recordings anywhere. Flags, output, messages \
         and exit statuses are those of dtrace(1M). Nothing that it enables stays behind when it ends.",
    )]);
    for (name, words, help, _) in COMMANDS {
        roff.control("TP", []);
        roff.text([bold(*name), roman(" "), italic(*words)]);
        roff.text([roman(*help)]);
    }
    roff
}

/// A section of words with what they mean.
fn list<'a>(title: &str, intro: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    if !intro.is_empty() {
        roff.text([roman(intro)]);
    }
    for (word, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(word)]);
        roff.text([roman(meaning)]);
    }
    roff
}

const STATUSES: &[(&str, &str)] = &[
    ("0", "the script ended, or the argument of its exit()"),
    ("1", "a failure: a script that does not compile, privileges that are missing, a library that fails"),
    ("2", "a command line that makes no sense"),
];

const EXAMPLES: &[(&str, &str)] = &[
    ("duotrace -n 'syscall:::entry { @[execname] = count(); }'", "system calls by command"),
    ("duotrace -s script.d -p 1234", "a script over a running process, which is $target"),
    (
        "duotrace -qn 'postgresql*:::query-start { printf(\"%s\\n\", copyinstr(arg0)); }'",
        "queries as they come",
    ),
    ("duotrace --record web.dtr -s script.d", "the same, and a recording that --replay runs scripts over"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_flag_command_option_and_variable() {
        let page = String::from_utf8(rendered().unwrap()).unwrap().replace('\\', "");
        for (flag, letter, long, _, help) in flags::FLAGS {
            if matches!(flag, Flag::DataModel32 | Flag::DataModel64) {
                continue;
            }
            let name = letter.map_or_else(|| format!("--{long}"), |letter| format!("-{letter}"));
            assert!(page.contains(&name), "{name}");
            assert!(page.contains(help.split('(').next().unwrap()), "{help}");
        }
        let names = COMMANDS.iter().map(|row| row.0).chain(OPTIONS.iter().map(|row| row.name));
        for name in names.chain(VARIABLES.iter().map(|row| row.0)) {
            assert!(page.contains(name), "{name}");
        }
    }

    #[test]
    fn completions_know_flags_commands_and_choices() {
        described(Reader::Person).debug_assert();
        described(Reader::Shell).debug_assert();
        for shell in SHELLS.split('|') {
            let mut text = Vec::new();
            clap_complete::generate(
                shell.parse::<Shell>().unwrap(),
                &mut described(Reader::Shell),
                "duotrace",
                &mut text,
            );
            let text = String::from_utf8(text).unwrap();
            for word in ["backend", "replay", "doctor", "trace2text"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }
}
