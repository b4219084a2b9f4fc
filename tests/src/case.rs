//! Case files: one end-to-end test each, tests/cases/AREA/NAME.t.
//!
//! A file is a sentence or two that say what it shows, then lines `key: value`, then sections:
//!
//! ```text
//! avg() rounds toward zero.
//! options: -q
//! --- script
//! BEGIN { @ = avg(-1); @ = avg(-2); exit(0); }
//! END { printa("%@d\n", @); }
//! --- stdout
//! -1
//! ```
//!
//! | key | |
//! |---|---|
//! | `options` | the tracer's options, with a shell's quotes; the script follows as `-s FILE` |
//! | `args` | what follows the script: `$1`, `$2`, ... |
//! | `program` | a program of tests/programs with its arguments, traced by `-c`. The tracer's output is then taken from a file (`-o`), apart from the program's |
//! | `before` | a program that runs before the tracer starts: it is `%{pid}`, and where its last argument is "wait", it goes on when the tracer has printed a line |
//! | `after` | a program that starts when the tracer has printed a line |
//! | `stop` | the signal (INT, TERM, HUP) sent to the tracer when the program of `before` or `after` has ended, or, without one, when it has printed a line |
//! | `status` | the exit status (0) |
//! | `needs` | `bpf` (when not given), `nothing` (the front end alone), `functions` (a kernel whose functions can be probed), `no functions` (one whose cannot), `sessions` (a kernel with uprobe sessions), `no sessions` (one without) |
//! | `timeout` | in seconds (20) |
//!
//! | section | |
//! |---|---|
//! | `script` | the D program; without one there are only the options |
//! | `stdout` | all of the standard output, but for white space at its end. Without one it must be empty |
//! | `stdout regex` | the same, each line a regular expression for a whole line |
//! | `stdout has` | each line is a regular expression that some line has to contain; others may be there |
//! | `stderr` | regular expressions: each must be in a line of standard error, and each line of it must have one, except the two that always may come ("matched N probes", "pid N has exited") |
//! | `file NAME` | a file in the directory in which the tracer runs |
//!
//! `%{pid}`, `%{bin}` (the folder of the programs) and `%{tmp}` (where the tracer runs) are replaced everywhere.
//! With `BLESS=1` in the environment a failing `stdout` section is written anew: read it before you commit it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex_lite::Regex;

use crate::process::{Running, run, start};
use crate::programs::{no_programs, program, programs};
use crate::{Scratch, duotrace, has_sessions, no_bpf, no_functions};

/// A case as it stands in its file.
pub struct Case {
    path: PathBuf,
    text: String,
    keys: HashMap<String, String>,
    sections: Vec<(String, String)>,
}

/// How a case ended, where it did not fail.
pub enum Outcome {
    /// All was as expected.
    Passed,
    /// It cannot run here, and why.
    Skipped(String),
}

const KEYS: &[&str] =
    &["options", "args", "program", "before", "after", "stop", "status", "needs", "timeout"];

/// All case files below a folder, sorted.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            found.extend(find(&path)?);
        } else if path.extension().is_some_and(|e| e == "t") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl Case {
    /// Reads a case file; what is not of its form is an error.
    pub fn read(path: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let (mut keys, mut sections) = (HashMap::new(), Vec::<(String, String)>::new());
        let mut says = false;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(name) = line.strip_prefix("--- ") {
                sections.push((name.trim().to_owned(), String::new()));
            } else if let Some((_, content)) = sections.last_mut() {
                content.push_str(line);
                content.push('\n');
            } else {
                match line.split_once(':') {
                    Some((key, value)) if KEYS.contains(&key) => {
                        keys.insert(key.to_owned(), value.trim().to_owned());
                    }
                    _ if keys.is_empty() && !line.is_empty() => says = true,
                    _ => return Err(format!("{}:{number}: what is this line?", path.display())),
                }
            }
        }
        match says {
            true => Ok(Case { path: path.to_owned(), text, keys, sections }),
            false => Err(format!("{}: does not say what it shows", path.display())),
        }
    }

    fn key(&self, name: &str) -> &str {
        self.keys.get(name).map_or("", String::as_str)
    }

    fn section(&self, name: &str) -> Option<&str> {
        self.sections.iter().find(|(n, _)| n == name).map(|(_, content)| content.as_str())
    }

    /// Why this case cannot run here.
    fn why_not(&self) -> Option<String> {
        let traced = ["program", "before", "after"].iter().any(|key| !self.key(key).is_empty());
        let programs = if traced { no_programs() } else { None };
        let bpf = match self.key("needs") {
            "nothing" => None,
            "functions" if no_functions() => {
                Some("the kernel's functions cannot be probed (no kprobes)".into())
            }
            "no functions" if !no_functions() => Some("the kernel's functions can be probed".into()),
            "sessions" if !has_sessions() => Some("the kernel has no uprobe sessions (needs 6.13)".into()),
            "no sessions" if has_sessions() => Some("the kernel has uprobe sessions".into()),
            _ => no_bpf(),
        };
        bpf.or(programs)
    }

    /// Runs the case: its outcome, or all that was not as expected.
    pub fn run(&self) -> Result<Outcome, String> {
        if let Some(why) = self.why_not() {
            return Ok(Outcome::Skipped(why));
        }
        let limit = Duration::from_secs(match self.key("timeout") {
            "" => 20,
            seconds => seconds.parse().map_err(|e| format!("timeout: {e}"))?,
        });
        let scratch = Scratch::new()?;
        let mut before = self.program("before")?.map(|mut command| start(&mut command)).transpose()?;
        if let Some(running) = &before {
            running.wait_for("ready", limit)?;
        }
        let pid = before.as_ref().map(|running| running.pid().to_string()).unwrap_or_default();
        let bin = if no_programs().is_none() { programs()?.display().to_string() } else { String::new() };
        let tmp = scratch.path().display().to_string();
        let fill = |text: &str| text.replace("%{pid}", &pid).replace("%{bin}", &bin).replace("%{tmp}", &tmp);

        for (name, content) in &self.sections {
            if let Some(name) = name.strip_prefix("file ") {
                scratch.write(name, fill(content))?;
            }
        }
        let mut command = Command::new(duotrace()?);
        command.current_dir(scratch.path()).env("LC_ALL", "C").env("TZ", "UTC");
        command.args(words(&fill(self.key("options")))?);
        let target = self.key("program");
        if !target.is_empty() {
            let (name, arguments) = target.split_once(' ').unwrap_or((target, ""));
            command.args(["-c", &format!("{} {}", program(name)?, fill(arguments)), "-o", "out"]);
        }
        if let Some(script) = self.section("script") {
            scratch.write("script.d", fill(script))?;
            command.args(["-s", "script.d"]);
        }
        command.args(words(&fill(self.key("args")))?);

        let alone = before.is_none() && self.key("after").is_empty() && self.key("stop").is_empty();
        let ran = match alone {
            true => run(&mut command, limit)?,
            false => {
                let tracer = start(&mut command)?;
                tracer.wait_for("\n", limit)?;
                if let Some(mut program) = before.take() {
                    program.tell("go\n")?;
                    program.finish(limit)?.ok()?;
                }
                if let Some(mut program) = self.program("after")? {
                    run(&mut program, limit)?.ok()?;
                }
                match self.signal()? {
                    Some(signal) => tracer.stop(signal, limit)?,
                    None => tracer.finish(limit)?,
                }
            }
        };
        let stdout = match target {
            "" => ran.stdout.clone(),
            _ => std::fs::read_to_string(scratch.path().join("out")).unwrap_or_default(),
        };
        let mut wrong = Vec::new();
        let status =
            self.keys.get("status").map_or(Ok(0), |s| s.parse()).map_err(|e| format!("status: {e}"))?;
        if ran.code() != status {
            wrong.push(format!("exit status {} instead of {status}", ran.code()));
        }
        self.check_stdout(&stdout, &fill, &mut wrong)?;
        self.check_stderr(&ran.stderr, &fill, &mut wrong)?;
        if wrong.is_empty() {
            return Ok(Outcome::Passed);
        }
        Err(format!("{}\n--- stdout\n{stdout}\n--- stderr\n{}", wrong.join("\n"), ran.stderr))
    }

    fn program(&self, key: &str) -> Result<Option<Command>, String> {
        let words = words(&self.key(key).replace("%{bin}", &programs()?.display().to_string()))?;
        let Some((name, arguments)) = words.split_first() else { return Ok(None) };
        let mut command = Command::new(program(name)?);
        command.args(arguments);
        Ok(Some(command))
    }

    fn signal(&self) -> Result<Option<i32>, String> {
        Ok(Some(match self.key("stop") {
            "" => return Ok(None),
            "INT" => libc::SIGINT,
            "TERM" => libc::SIGTERM,
            "HUP" => libc::SIGHUP,
            other => return Err(format!("stop: {other}?")),
        }))
    }

    fn check_stdout(
        &self,
        got: &str,
        fill: &dyn Fn(&str) -> String,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        if let Some(patterns) = self.section("stdout has") {
            for pattern in fill(patterns).lines() {
                let regex = Regex::new(pattern).map_err(|e| format!("{pattern}: {e}"))?;
                if !got.lines().any(|line| regex.is_match(line)) {
                    wrong.push(format!("not in stdout: {pattern}"));
                }
            }
            return Ok(());
        }
        if let Some(patterns) = self.section("stdout regex") {
            let patterns = fill(patterns);
            let mut lines = got.trim_end().lines();
            for pattern in patterns.trim_end().lines() {
                let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|e| format!("{pattern}: {e}"))?;
                let line = lines.next();
                if !line.is_some_and(|line| regex.is_match(line)) {
                    wrong.push(format!("stdout: {line:?} instead of {pattern}"));
                    return Ok(());
                }
            }
            wrong.extend(lines.next().map(|line| format!("stdout: more than expected: {line:?}")));
            return Ok(());
        }
        let expected = fill(self.section("stdout").unwrap_or_default());
        if got.trim_end() == expected.trim_end() {
            return Ok(());
        }
        wrong.push(format!("stdout is not\n{expected}"));
        if std::env::var_os("BLESS").is_some() {
            self.bless(got)?;
        }
        Ok(())
    }

    /// Writes the section `stdout` anew.
    fn bless(&self, got: &str) -> Result<(), String> {
        let mut text = String::new();
        let (mut skipping, mut done) = (false, false);
        for line in self.text.lines() {
            if line.starts_with("--- ") {
                skipping = line == "--- stdout";
                if skipping {
                    text.push_str(&format!("--- stdout\n{}\n", got.trim_end()));
                    done = true;
                }
            }
            if !skipping {
                text.push_str(&format!("{line}\n"));
            }
        }
        if !done {
            text.push_str(&format!("--- stdout\n{}\n", got.trim_end()));
        }
        std::fs::write(&self.path, text).map_err(|e| e.to_string())
    }

    fn check_stderr(
        &self,
        got: &str,
        fill: &dyn Fn(&str) -> String,
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let always = r"^dtrace: (script|description) .* matched \d+ probes?$|^dtrace: pid \d+ has exited$";
        let always = Regex::new(always).map_err(|e| e.to_string())?;
        let mut expected = Vec::new();
        for pattern in fill(self.section("stderr").unwrap_or_default()).lines() {
            expected.push(Regex::new(pattern).map_err(|e| format!("{pattern}: {e}"))?);
        }
        for pattern in &expected {
            if !got.lines().any(|line| pattern.is_match(line)) {
                wrong.push(format!("not in stderr: {pattern}"));
            }
        }
        for line in got.lines().filter(|line| !always.is_match(line)) {
            if !expected.iter().any(|pattern| pattern.is_match(line)) {
                wrong.push(format!("stderr: not expected: {line}"));
            }
        }
        Ok(())
    }
}

/// Splits a line as a shell does: blanks between words, both kinds of quotes, and a backslash outside of single ones.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), _) if q == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed: {line}"));
    }
    words.extend(word);
    Ok(words)
}

/// Keeps a tracer that a test started from being left behind: stops it, and tells what it had to say.
pub fn interrupt(tracer: Running, limit: Duration) -> Result<String, String> {
    tracer.stop(libc::SIGINT, limit)?.ok()
}
