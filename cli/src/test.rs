//! `duotrace test DIR`: scripts over recordings or events made by hand, and the output they must give.
//!
//! A case is `NAME.d` with `NAME.events` (see `duotrace_replay::synthetic`) or `NAME.dtr` (a recording)
//! and `NAME.out`, what it prints; lines for the user stand in it as they come. No privileges are needed.

use crate::replay;
use duotrace_core::backend::Backend;
use duotrace_core::consumer::{self, Control, Host, OutputClosed, Stop};
use duotrace_core::options::Options;
use duotrace_core::output::{Environment, Utc};
use duotrace_core::sema::{self, CompileConfig, ProgramKind, ProgramText};
use duotrace_replay::file::Window;
use std::path::{Path, PathBuf};
use std::time::Instant;

const USAGE: &str = "Usage: duotrace test [--bless] [--junit FILE] [--filter TEXT] DIR...";

/// What was asked.
#[derive(Default)]
struct Asked {
    bless: bool,
    junit: Option<String>,
    filter: Option<String>,
    places: Vec<PathBuf>,
}

/// How a case ended.
enum Verdict {
    Passed,
    Blessed,
    Failed(String),
}

/// One case that ran.
struct Done {
    name: String,
    seconds: f64,
    verdict: Verdict,
}

/// Runs the cases; the exit status: 0 all passed, 1 some failed, 2 there was nothing to run.
pub fn run(words: &[String]) -> u8 {
    let asked = match ask(words) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("duotrace test: {error}\n{USAGE}");
            return 2;
        }
    };
    let mut cases = Vec::new();
    for place in &asked.places {
        if let Err(error) = find(place, &mut cases) {
            eprintln!("duotrace test: {}: {error}", place.display());
            return 2;
        }
    }
    cases.sort();
    cases.retain(|case| asked.filter.as_ref().is_none_or(|text| case.to_string_lossy().contains(text)));
    if cases.is_empty() {
        eprintln!("duotrace test: no cases (NAME.d with NAME.events or NAME.dtr)");
        return 2;
    }
    let done: Vec<Done> = cases.iter().map(|case| one(case, asked.bless)).collect();
    let count = |wanted: fn(&Verdict) -> bool| done.iter().filter(|case| wanted(&case.verdict)).count();
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let blessed = count(|verdict| matches!(verdict, Verdict::Blessed));
    let passed = done.len() - failed - blessed;
    let more = if blessed > 0 { format!(", {blessed} blessed") } else { String::new() };
    println!("{} cases: {passed} passed, {failed} failed{more}", done.len());
    if let Some(path) = &asked.junit
        && let Err(error) = std::fs::write(path, junit(&done, failed))
    {
        eprintln!("duotrace test: {path}: {error}");
        return 2;
    }
    u8::from(failed > 0)
}

fn ask(words: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or_else(|| format!("{word} requires an argument"));
        match word.as_str() {
            "--bless" => asked.bless = true,
            "--junit" => asked.junit = Some(value()?),
            "--filter" => asked.filter = Some(value()?),
            word if word.starts_with('-') => return Err(format!("illegal option {word}")),
            place => asked.places.push(place.into()),
        }
    }
    if asked.places.is_empty() { Err("no directory".into()) } else { Ok(asked) }
}

/// The scripts below a directory that have events.
fn find(place: &Path, cases: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if place.is_file() {
        cases.push(place.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, cases)?;
        } else if path.extension().is_some_and(|ext| ext == "d") && events_of(&path).is_some() {
            cases.push(path);
        }
    }
    Ok(())
}

/// The events that a script runs over.
fn events_of(script: &Path) -> Option<PathBuf> {
    ["events", "dtr"].into_iter().map(|ext| script.with_extension(ext)).find(|path| path.is_file())
}

fn one(script: &Path, bless: bool) -> Done {
    let name = script.with_extension("").display().to_string();
    let start = Instant::now();
    let got = output(script).unwrap_or_else(|error| format!("dtrace: {error}\n").into_bytes());
    let seconds = start.elapsed().as_secs_f64();
    let expected = script.with_extension("out");
    let want = std::fs::read(&expected).ok();
    let verdict = if want.as_ref() == Some(&got) {
        Verdict::Passed
    } else if bless {
        match std::fs::write(&expected, &got) {
            Ok(()) => Verdict::Blessed,
            Err(error) => Verdict::Failed(format!("{}: {error}\n", expected.display())),
        }
    } else {
        match want {
            Some(want) => Verdict::Failed(diff(&want, &got)),
            None => Verdict::Failed(format!("{} is missing: --bless makes it\n", expected.display())),
        }
    };
    match &verdict {
        Verdict::Passed => println!("ok      {name}"),
        Verdict::Blessed => println!("blessed {name}"),
        Verdict::Failed(why) => print!("FAILED  {name}\n{why}"),
    }
    Done { name, seconds, verdict }
}

/// What the script prints.
fn output(script: &Path) -> Result<Vec<u8>, String> {
    let events = events_of(script).ok_or("no events")?;
    let mut backend = replay::open(&events.display().to_string(), false, Window::default())?;
    let text = std::fs::read_to_string(script).map_err(|error| error.to_string())?;
    let name = script.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut options = Options::new();
    let text = ProgramText { name: name.clone(), text, kind: ProgramKind::Script };
    backend.set_own_program(replay::is_own(&backend, std::slice::from_ref(&text)));
    let config = CompileConfig { args: vec![name.clone()], ..CompileConfig::default() };
    let compiled = sema::compile(&[text], &config, &mut options, &mut backend);
    if let Some(diag) = compiled.error() {
        let line = diag.span.map_or(0, |span| compiled.sources.position(span).line);
        return Err(format!("failed to compile script {name}: line {line}: {}", diag.message));
    }
    let mut session = backend.load(&compiled.program, &options).map_err(|error| format!("{error:?}"))?;
    let mut host = Memory(Vec::new());
    let target = backend.meta("target").and_then(|pid| pid.parse().ok()).unwrap_or(0);
    let probe = |id| backend.probe(id).cloned();
    let finished = consumer::run(
        &compiled.program,
        session.as_mut(),
        &probe,
        &options,
        &[target],
        &mut host,
        &mut Always,
    );
    match finished {
        Ok(finished) if finished.status != 0 => host.warn(&format!("exit status {}", finished.status)),
        Ok(_) => {}
        Err(error) => host.warn(&error.to_string()),
    }
    Ok(host.0)
}

/// Keeps the output.
struct Memory(Vec<u8>);

impl Host for Memory {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OutputClosed> {
        Ok(())
    }

    fn warn(&mut self, line: &str) {
        self.0.extend(format!("dtrace: {line}\n").bytes());
    }

    fn system(&mut self, command: &[u8]) {
        self.warn(&format!("system({}) is not performed in a test", String::from_utf8_lossy(command)));
    }

    fn freopen(&mut self, path: Option<&[u8]>) -> Result<(), String> {
        if let Some(path) = path {
            self.warn(&format!("freopen({}) is not performed in a test", String::from_utf8_lossy(path)));
        }
        Ok(())
    }

    fn ftruncate(&mut self) {}

    fn environment(&self) -> &dyn Environment {
        &Utc
    }
}

struct Always;

impl Control for Always {
    fn stop(&mut self) -> Stop {
        Stop::No
    }
}

/// Lines that differ, `-` expected and `+` found, with what is alike at both ends left out.
fn diff(want: &[u8], got: &[u8]) -> String {
    let (want, got) = (String::from_utf8_lossy(want), String::from_utf8_lossy(got));
    let (want, got): (Vec<&str>, Vec<&str>) = (want.lines().collect(), got.lines().collect());
    let head = want.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let (rest_want, rest_got) = (want.get(head..).unwrap_or(&[]), got.get(head..).unwrap_or(&[]));
    let tail = rest_want.iter().rev().zip(rest_got.iter().rev()).take_while(|(a, b)| a == b).count();
    let mut out = format!("  @@ line {}\n", head + 1);
    if let Some(before) = head.checked_sub(1).and_then(|line| want.get(line)) {
        out.push_str(&format!("    {before}\n"));
    }
    for (mark, lines) in [('-', rest_want), ('+', rest_got)] {
        let lines = lines.get(..lines.len() - tail).unwrap_or(&[]);
        lines.iter().take(50).for_each(|line| out.push_str(&format!("  {mark} {line}\n")));
        if lines.len() > 50 {
            out.push_str(&format!("  {mark} ... {} lines more\n", lines.len() - 50));
        }
    }
    if head == want.len() && head == got.len() {
        out.push_str("  only line ends or bytes that are not text differ\n");
    }
    out
}

/// The report that build servers read.
fn junit(done: &[Done], failed: usize) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"duotrace\" tests=\"{}\" failures=\"{failed}\">\n",
        done.len()
    );
    for case in done {
        let name = escaped(&case.name);
        out.push_str(&format!("  <testcase name=\"{name}\" time=\"{:.3}\"", case.seconds));
        match &case.verdict {
            Verdict::Failed(why) => {
                let why = escaped(why);
                out.push_str(&format!(
                    ">\n    <failure message=\"output differs\">{why}</failure>\n  </testcase>\n"
                ));
            }
            _ => out.push_str("/>\n"),
        }
    }
    out.push_str("</testsuite>\n");
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            // XML has no way to write other control characters.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_show_what_changed() {
        let shown = diff(b"a\nb\nc\n", b"a\nx\nc\n");
        assert_eq!(shown, "  @@ line 2\n    a\n  - b\n  + x\n");
        assert_eq!(escaped("a<b&\"\u{1}"), "a&lt;b&amp;&quot;\u{fffd}");
    }
}
