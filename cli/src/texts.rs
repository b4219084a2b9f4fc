//! The program texts of a command line: scripts, one-liners, libraries.

use crate::cpp;
use crate::flags::{Flag, Given};
use duotrace_core::options::{Options, opt};
use duotrace_core::sema::{ProgramKind, ProgramText};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A text that could not be read: a line for the user.
pub type TextError = String;

/// How messages call a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// `script` or `description`.
    pub what: &'static str,
    /// A path, or the description up to its predicate or actions.
    pub name: String,
    /// What was given.
    pub given: String,
}

/// The kind of text that a flag gives.
fn kind(flag: Flag) -> Option<ProgramKind> {
    Some(match flag {
        Flag::Script => ProgramKind::Script,
        Flag::Name => ProgramKind::Name,
        Flag::Function => ProgramKind::Function,
        Flag::Module => ProgramKind::Module,
        Flag::Provider => ProgramKind::Provider,
        Flag::ProbeId => ProgramKind::Id,
        _ => return None,
    })
}

/// Reads the programs in order.
pub fn programs(given: &Given, options: &Options) -> Result<(Vec<ProgramText>, Vec<Named>), TextError> {
    let (mut texts, mut names) = (Vec::new(), Vec::new());
    for (flag, value) in &given.flags {
        let Some(kind) = kind(*flag) else { continue };
        if kind == ProgramKind::Script {
            let text = script(Path::new(value), options)?;
            texts.push(ProgramText { name: value.clone(), text, kind });
            names.push(Named { what: "script", name: value.clone(), given: value.clone() });
        } else {
            texts.push(ProgramText { name: String::new(), text: value.clone(), kind });
            let end = value.find(['{', '/', ';']).unwrap_or(value.len());
            let name = value.get(..end).unwrap_or(value).to_string();
            names.push(Named { what: "description", name, given: value.clone() });
        }
    }
    Ok((texts, names))
}

fn script(path: &Path, options: &Options) -> Result<String, TextError> {
    let shown = path.display();
    if options.flag(opt::CPP) {
        fs::metadata(path).map_err(|error| format!("failed to open {shown}: {}", reason(&error)))?;
        return cpp::run(path, options).map_err(|error| format!("failed to compile script {shown}: {error}"));
    }
    let bytes = match path.to_str() {
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
        }
        _ => fs::read(path),
    };
    let bytes = bytes.map_err(|error| format!("failed to open {shown}: {}", reason(&error)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The system's words, without "(os error 2)".
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

/// The D libraries of `-L`, `-x libdir` and `-x syslibdir`, in an order in which each comes after those that
/// it depends on (`#pragma D depends_on library NAME`).
pub fn libraries(options: &Options) -> Result<Vec<ProgramText>, TextError> {
    if options.flag(opt::NOLIBS) {
        return Ok(Vec::new());
    }
    let mut libraries: BTreeMap<String, (PathBuf, String)> = BTreeMap::new();
    let folders =
        options.text(opt::SYSLIBDIR).into_iter().chain(options.list(opt::LIBDIR).iter().map(String::as_str));
    for folder in folders {
        let entries = fs::read_dir(folder)
            .map_err(|error| format!("failed to open library directory {folder}: {}", reason(&error)))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if name.ends_with(".d") && path.is_file() {
                let text = script(&path, &Options::new())?;
                libraries.insert(name, (path, text));
            }
        }
    }
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for name in libraries.keys() {
        visit(name, &libraries, &mut Vec::new(), &mut done, &mut order)?;
    }
    Ok(order
        .into_iter()
        .filter_map(|name| libraries.get(&name))
        .map(|(path, text)| ProgramText {
            name: path.display().to_string(),
            text: text.clone(),
            kind: ProgramKind::Library,
        })
        .collect())
}

/// Depth first. `path`: the libraries that lead here.
fn visit(
    name: &str,
    libraries: &BTreeMap<String, (PathBuf, String)>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) -> Result<(), TextError> {
    if let Some(start) = path.iter().position(|other| other == name) {
        let cycle = path.get(start..).unwrap_or(&[]).join(" -> ");
        return Err(format!("library dependency cycle: {cycle} -> {name}"));
    }
    let Some((file, text)) = libraries.get(name).filter(|_| done.insert(name.to_string())) else {
        return Ok(());
    };
    path.push(name.to_string());
    for line in text.lines().filter(|line| line.trim_start().starts_with('#')) {
        let Some((_, other)) = line.split_once("depends_on library ") else { continue };
        let other = other.trim();
        if !libraries.contains_key(other) {
            let message =
                format!("library {} depends on {other}, which is in no library directory", file.display());
            return Err(message);
        }
        visit(other, libraries, path, done, order)?;
    }
    path.pop();
    order.push(name.to_string());
    Ok(())
}
