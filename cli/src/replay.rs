//! `--record` and `--replay`: files, what they say about themselves, what the user is told.

use crate::flags::{Flag, Given};
use crate::texts::{self, Named};
use crate::{report, sys};
use duotrace_core::backend::{LibraryPart, Session};
use duotrace_core::ir::Program;
use duotrace_core::probe::{Probe, ProbeId, is_glob};
use duotrace_core::sema::{ProgramKind, ProgramText};
use duotrace_replay::file::{Answer, FileError, Machine, Window};
use duotrace_replay::record::{Plan, Recording, Summary};
use duotrace_replay::{Replay, synthetic};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Flags that decide what a program does, by the name they have in a recording.
const KEPT: [(Flag, &str); 8] = [
    (Flag::Option, "option"),
    (Flag::BufferSize, "bufsize"),
    (Flag::Conformance, "conformance"),
    (Flag::Quiet, "quiet"),
    (Flag::Flow, "flow"),
    (Flag::Destructive, "destructive"),
    (Flag::ZeroMatches, "zdefs"),
    (Flag::Verbose, "verbose"),
];

/// Kinds of program texts by name.
const KINDS: [(ProgramKind, &str); 6] = [
    (ProgramKind::Script, "script"),
    (ProgramKind::Name, "name"),
    (ProgramKind::Function, "function"),
    (ProgramKind::Module, "module"),
    (ProgramKind::Provider, "provider"),
    (ProgramKind::Id, "id"),
];

/// A time of `--from` or `--until`, since the recording's first event.
pub fn time(flag: &str, value: &str) -> Result<u64, String> {
    synthetic::duration(value).map_err(|error| format!("{flag}: {error} (as 250us, 40ms, 2s)"))
}

/// The part of a recording that was asked for.
pub fn window(given: &Given) -> Result<Window, String> {
    let mut window = Window::default();
    if let Some(value) = given.values(Flag::From).last() {
        window.from = time("--from", value)?;
    }
    if let Some(value) = given.values(Flag::Until).last() {
        window.until = time("--until", value)?;
    }
    Ok(window)
}

/// Opens a recording; the error is a line for the user.
pub fn open(path: &str, realtime: bool, window: Window) -> Result<Replay, String> {
    let mut replay = match Path::new(path).extension().is_some_and(|ext| ext == "events") {
        true => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| format!("failed to open {path}: {}", texts::reason(&error)))?;
            Replay::from_text(&text).map_err(|error| format!("{path}: {error}"))?
        }
        false => Replay::open(Path::new(path)).map_err(|error| match error {
            FileError::Io(error) => {
                format!("failed to open {path}: {}", texts::reason(&error))
            }
            error => format!("{path}: {error}"),
        })?,
    };
    replay.set_realtime(realtime);
    replay.set_window(window);
    Ok(replay)
}

/// What a recording says about its making.
pub fn meta(
    given: &Given,
    programs: &[ProgramText],
    names: &[Named],
    targets: &[u32],
    library: &[LibraryPart<'_>],
) -> Vec<(String, String)> {
    let mut meta = vec![("duotrace".to_string(), env!("CARGO_PKG_VERSION").to_string())];
    let mut add = |name: &str, value: &str| meta.push((name.to_string(), value.to_string()));
    for (flag, value) in &given.flags {
        if let Some((_, name)) = KEPT.iter().find(|(kept, _)| kept == flag) {
            add(&format!("flag:{name}"), value);
        }
    }
    given.args.iter().for_each(|arg| add("arg", arg));
    for (name, id) in sys::identities() {
        add(&format!("macro:{name}"), &id.to_string());
    }
    for (program, named) in programs.iter().zip(names) {
        let kind = KINDS.iter().find(|(kind, _)| *kind == program.kind).map_or("", |(_, name)| name);
        add("kind", kind);
        add("name", &named.given);
        add("text", &program.text);
    }
    if let Some(target) = targets.first() {
        add("target", &target.to_string());
    }
    // The types that its probes' arguments have: an edited script may want others of them.
    library.iter().for_each(|part| add(duotrace_replay::LIBRARY, &format!("{}\n{}", part.words, part.text)));
    meta
}

/// The programs that were recorded; their options come before those in `given`.
pub fn programs(replay: &Replay, given: &mut Given) -> (Vec<ProgramText>, Vec<Named>) {
    let (mut programs, mut names, mut flags, mut args) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut kind, mut name) = (ProgramKind::Script, String::new());
    for (key, value) in &replay.overview().meta {
        match key.as_str() {
            "arg" => args.push(value.clone()),
            "kind" => {
                let known = KINDS.iter().find(|(_, name)| name == value);
                kind = known.map_or(ProgramKind::Script, |(kind, _)| *kind);
            }
            "name" => name.clone_from(value),
            "text" => {
                let what = if kind == ProgramKind::Script { "script" } else { "description" };
                let end = name.find(['{', '/', ';']).filter(|_| what != "script").unwrap_or(name.len());
                let short = name.get(..end).unwrap_or(&name).to_string();
                let file = if what == "script" { name.clone() } else { String::new() };
                programs.push(ProgramText { name: file, text: value.clone(), kind });
                names.push(Named { what, name: short, given: name.clone() });
            }
            key => {
                let flag = key.strip_prefix("flag:");
                let kept = KEPT.iter().find(|(_, name)| Some(*name) == flag);
                flags.extend(kept.map(|(flag, _)| (*flag, value.clone())));
            }
        }
    }
    flags.append(&mut given.flags);
    given.flags = flags;
    if given.args.is_empty() {
        given.args = args;
    }
    (programs, names)
}

/// Are these the programs that were recorded?
pub fn is_own(replay: &Replay, programs: &[ProgramText]) -> bool {
    let texts = replay.overview().meta.iter().filter(|(key, _)| key == "text");
    texts.map(|(_, text)| text).eq(programs.iter().map(|program| &program.text))
}

/// Other names of modules in descriptions, which only the traced system can resolve: `a.out` is the program itself.
pub fn aliases(
    program: &Program,
    probe: &dyn Fn(ProbeId) -> Option<Probe>,
    meta: &mut Vec<(String, String)>,
) {
    for enabling in program.clauses.iter().flat_map(|clause| &clause.probes) {
        let desc = &enabling.desc;
        let found = enabling.probes.first().and_then(|id| probe(*id));
        let named = !desc.module.is_empty() && !is_glob(&desc.module);
        if let Some(found) = found.filter(|found| named && found.module != desc.module) {
            let alias = (format!("alias:{}:{}", desc.provider, desc.module), found.module);
            if !meta.contains(&alias) {
                meta.push(alias);
            }
        }
    }
}

/// The macro variables of the tracer that recorded: `$pid`, `$uid`, ...
pub fn macros(replay: &Replay) -> Vec<(String, String)> {
    let named = |(key, value): &(String, String)| {
        let name = key.strip_prefix("macro:")?;
        let known = sys::identities().iter().any(|(known, _)| *known == name);
        // A number and nothing else: it becomes program text.
        (known && value.parse::<i64>().is_ok()).then(|| (name.to_string(), value.clone()))
    };
    replay.overview().meta.iter().filter_map(named).collect()
}

/// A session that also fills a file.
pub fn recording<'a>(
    path: &str,
    session: Box<dyn Session>,
    plan: Plan,
    meta: &[(String, String)],
    types: &[Answer],
    probe: &'a dyn Fn(ProbeId) -> Option<Probe>,
) -> Result<Recording<'a, BufWriter<File>>, String> {
    for note in &plan.notes {
        report::line(&format!("not recorded: {note}"));
    }
    let file = File::create(path);
    let file = file.map_err(|error| format!("failed to open {path}: {}", texts::reason(&error)))?;
    let meta: Vec<(&str, &str)> = meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let machine = Machine::here(sys::wall_offset());
    Recording::new(session, plan, BufWriter::new(file), machine, &meta, types, probe)
        .map_err(|error| format!("failed to write {path}: {error}"))
}

/// Says how a recording went.
pub fn report(path: &str, summary: &Summary) {
    let mut text = format!("recorded {} events to {path}", summary.events);
    if summary.lost > 0 {
        text.push_str(&format!(", {} lost", summary.lost));
    }
    if summary.unknown > 0 {
        text.push_str(&format!(", {} seen twice or of unknown probes left out", summary.unknown));
    }
    report::line(&text);
}
