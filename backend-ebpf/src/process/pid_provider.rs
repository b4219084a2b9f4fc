//! The pid provider: from `pid123:module:function:name` to places in files.

use super::maps::{self, Object};
use crate::symbols::code::{self, CodeError, Cost, Leave};
use crate::symbols::demangle;
use crate::symbols::elf::{Elf, ElfError, Function};
use crate::symbols::go::GoText;
use crate::symbols::lookup::{self, LookupError};
use duotrace_core::probe::{glob_match, is_glob};
use std::fmt;
use std::path::PathBuf;

/// What kind of probe a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidProbe {
    Entry,
    /// The instruction that leaves: `arg0` is its offset in the function, `arg1` the return value.
    Return(Leave),
    Offset,
}

/// One place to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidSite {
    /// The file to open for attaching.
    pub path: PathBuf,
    /// Where the uprobe goes.
    pub file_offset: u64,
    /// `probemod`: the object's name (the executable's own, never `a.out`).
    pub module: String,
    /// `probefunc`; `-` for an absolute offset.
    pub function: String,
    /// Offset in the function of the instruction (0 for entries, even where an `endbr64` is skipped).
    pub offset: u64,
    pub probe: PidProbe,
    pub cost: Cost,
    /// Of a return: where its function is entered, if nothing but returns leave it and it does not call itself.
    pub entry: Option<u64>,
}

impl PidSite {
    /// `probename`: `entry`, `return`, or the offset in hexadecimal.
    pub fn name(&self) -> String {
        match self.probe {
            PidProbe::Entry => "entry".to_owned(),
            PidProbe::Return(_) => "return".to_owned(),
            PidProbe::Offset => format!("{:x}", self.offset),
        }
    }
}

/// Why there are no sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PidError {
    /// No such process, or it may not be read.
    Process {
        pid: i32,
        error: String,
    },
    /// No object of that name is mapped; with those that are.
    Module {
        pid: i32,
        module: String,
        mapped: Vec<String>,
    },
    Elf(ElfError),
    /// A function named without globs is missing.
    Function(LookupError),
    /// A function named without globs cannot be taken apart.
    Code(CodeError),
    /// An offset that is not the beginning of an instruction.
    Offset {
        function: String,
        offset: u64,
    },
    /// A name that is no probe's.
    Name {
        name: String,
    },
    /// Addresses without a function (`-`) in something else than the executable.
    Dash {
        module: String,
    },
    /// The return of a Go function.
    Go {
        function: String,
    },
    /// More sites than allowed.
    TooMany {
        limit: usize,
    },
}

impl fmt::Display for PidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidError::Process { pid, error } => write!(f, "failed to grab process {pid}: {error}"),
            PidError::Module { pid, module, mapped } => {
                write!(f, "process {pid} has no module {module} (it has {})", mapped.join(", "))
            }
            PidError::Elf(e) => e.fmt(f),
            PidError::Function(e) => e.fmt(f),
            PidError::Code(e) => e.fmt(f),
            PidError::Offset { function, offset } => {
                write!(f, "offset {offset:#x} is not the beginning of an instruction of {function}")
            }
            PidError::Name { name } => {
                write!(
                    f,
                    "\"{name}\" is no probe of a function: entry, return or an offset in hexadecimal digits"
                )
            }
            PidError::Dash { module } => write!(f, "addresses are those of a.out only, not of {module}"),
            PidError::Go { function } => write!(
                f,
                "{function} is Go code: it may return on another thread than it began on, so there are no return probes"
            ),
            PidError::TooMany { limit } => write!(f, "the description matches more than {limit} probes"),
        }
    }
}

impl std::error::Error for PidError {}

/// What a probe description asks for; the patterns are D's, empty for all.
#[derive(Clone, Copy, Debug)]
pub struct PidPattern<'a> {
    pub module: &'a str,
    pub function: &'a str,
    pub name: &'a str,
    /// How many sites at most.
    pub limit: usize,
}

/// The sites of a running process. Globs that match nothing give an empty list; a plain name that does not
/// exist is an error that says why.
pub fn sites(pid: i32, pattern: &PidPattern<'_>) -> Result<Vec<PidSite>, PidError> {
    check_name(pattern)?;
    let objects = maps::objects(pid).map_err(|e| {
        let error = match e.kind() {
            std::io::ErrorKind::NotFound => "No such process".to_owned(),
            _ => crate::symbols::elf::io_text(&e),
        };
        PidError::Process { pid, error }
    })?;
    let named: Vec<&Object> = objects.iter().filter(|o| o.is_named(pattern.module)).collect();
    if named.is_empty() && !is_glob(pattern.module) {
        return Err(PidError::Module {
            pid,
            module: pattern.module.to_owned(),
            mapped: objects.iter().map(|o| o.name.clone()).collect(),
        });
    }
    let mut out = Vec::new();
    let mut missing = None;
    for object in named {
        match object.open(pid) {
            Ok(elf) => match sites_in(&elf, &object.name, pattern, &mut out) {
                Err(PidError::Function(e)) => missing = missing.or(Some(e)),
                other => other?,
            },
            Err(e) if !is_glob(pattern.module) => return Err(PidError::Elf(e)),
            Err(_) => {}
        }
    }
    match missing {
        Some(e) if out.is_empty() => Err(PidError::Function(e)),
        _ => Ok(out),
    }
}

/// The sites in some objects of a process, those that it has mapped since: what cannot be done is left out.
pub fn sites_of(pid: i32, pattern: &PidPattern<'_>, wanted: &dyn Fn(&Object) -> bool) -> Vec<PidSite> {
    let mut out = Vec::new();
    if pattern.function == "-" {
        return out;
    }
    for object in maps::objects(pid).unwrap_or_default() {
        if object.is_named(pattern.module)
            && wanted(&object)
            && let Ok(elf) = object.open(pid)
        {
            let _ = sites_in(&elf, &object.name, pattern, &mut out);
        }
    }
    out
}

/// Is the name one that a probe can have?
fn check_name(pattern: &PidPattern<'_>) -> Result<(), PidError> {
    let PidPattern { module, function, name, .. } = *pattern;
    let bad = || PidError::Name { name: name.to_owned() };
    if function == "-" {
        if !matches!(module, "" | "a.out") {
            return Err(PidError::Dash { module: module.to_owned() });
        }
        return hex(name).map(|_| ()).ok_or_else(bad);
    }
    let known = matches!(name, "" | "entry" | "return") || is_glob(name) || hex(name).is_some();
    if known { Ok(()) } else { Err(bad()) }
}

/// The sites of one file, added to `out`.
pub fn sites_in(
    elf: &Elf,
    module: &str,
    pattern: &PidPattern<'_>,
    out: &mut Vec<PidSite>,
) -> Result<(), PidError> {
    let go = glob_match(pattern.name, "return").then(|| GoText::of(elf)).flatten();
    let mut s = Search { elf, module, pattern, go, refused: None, out };
    if pattern.function == "-" {
        return s.absolute();
    }
    if !is_glob(pattern.function) {
        let mut found = lookup::function(elf, pattern.function);
        if found.is_err() {
            // Not a symbol's name, but perhaps what the author calls it.
            let named = elf.functions_where(|n| demangle::is_meant(pattern.function, n));
            if !named.is_empty() {
                found = Ok(named);
            }
        }
        for f in found.map_err(PidError::Function)? {
            s.function(&f, true)?;
        }
        return Ok(());
    }
    for f in elf.functions_where(|n| demangle::is_meant(pattern.function, n)) {
        if !f.indirect {
            s.function(&f, false)?;
        }
    }
    // Nothing but returns of Go functions was meant: say why there are none.
    match s.refused.take() {
        Some(function) if pattern.name == "return" && s.out.is_empty() => Err(PidError::Go { function }),
        _ => Ok(()),
    }
}

struct Search<'a> {
    elf: &'a Elf,
    module: &'a str,
    pattern: &'a PidPattern<'a>,
    go: Option<GoText>,
    /// A function of Go whose returns were left out.
    refused: Option<String>,
    out: &'a mut Vec<PidSite>,
}

impl Search<'_> {
    fn add(
        &mut self,
        function: &str,
        probe: PidProbe,
        offset: u64,
        file_offset: u64,
        cost: Cost,
    ) -> Result<(), PidError> {
        if self.out.len() >= self.pattern.limit {
            return Err(PidError::TooMany { limit: self.pattern.limit });
        }
        self.out.push(PidSite {
            path: self.elf.path().to_owned(),
            file_offset,
            module: self.module.to_owned(),
            function: function.to_owned(),
            offset,
            probe,
            cost,
            entry: None,
        });
        Ok(())
    }

    /// `-`: the name is an address of the object itself.
    fn absolute(&mut self) -> Result<(), PidError> {
        let bad = |offset| PidError::Offset { function: "-".to_owned(), offset };
        let vaddr = hex(self.pattern.name).ok_or_else(|| bad(0))?;
        let inside = self.elf.segments().iter().any(|s| s.exec && vaddr.wrapping_sub(s.vaddr) < s.filesz);
        let offset = self.elf.vaddr_to_offset(vaddr).filter(|_| inside).ok_or_else(|| bad(vaddr))?;
        if let Some(f) = self.elf.function_at(vaddr)
            && let Ok(code) = code::disassemble(self.elf, &f)
            && code.starts.binary_search(&(vaddr - f.vaddr)).is_err()
        {
            return Err(bad(vaddr));
        }
        let cost = code::classify(self.elf, vaddr).cost();
        self.add("-", PidProbe::Offset, vaddr, offset, cost)
    }

    /// The probes of one function; `exact`: it was named, so what cannot be done is an error.
    fn function(&mut self, f: &Function, exact: bool) -> Result<(), PidError> {
        let name = self.pattern.name;
        if glob_match(name, "entry") {
            let site = code::entry_site(self.elf, f);
            self.add(&f.name, PidProbe::Entry, 0, site.offset, site.kind.cost())?;
        }
        let plain = (!is_glob(name)).then(|| hex(name)).flatten();
        let is_go = self.go.is_some_and(|go| go.has(f));
        if is_go && exact && name == "return" {
            return Err(PidError::Go { function: f.name.clone() });
        }
        let mut returns = glob_match(name, "return");
        if returns && is_go {
            self.refused.get_or_insert_with(|| f.name.clone());
            returns = false;
        }
        let offsets = is_glob(name);
        if plain.is_none() && !returns && !offsets {
            return Ok(());
        }
        let code = match code::disassemble(self.elf, f) {
            Ok(code) => code,
            Err(e) if exact && (plain.is_some() || !is_glob(name)) => return Err(PidError::Code(e)),
            Err(_) => return Ok(()),
        };
        if returns {
            let only = code.leaves.iter().all(|(_, leave)| *leave == Leave::Return);
            let entry = (only && !code.recurses).then(|| code::entry_site(self.elf, f).offset);
            for &(at, leave) in &code.leaves {
                self.at(f, PidProbe::Return(leave), at)?;
                if let Some(site) = self.out.last_mut() {
                    site.entry = entry;
                }
            }
        }
        if let Some(at) = plain {
            if code.starts.binary_search(&at).is_ok() {
                self.at(f, PidProbe::Offset, at)?;
            } else if exact {
                return Err(PidError::Offset { function: f.name.clone(), offset: at });
            }
        }
        if offsets {
            for &at in &code.starts {
                if name.is_empty() || glob_match(name, &format!("{at:x}")) {
                    self.at(f, PidProbe::Offset, at)?;
                }
            }
        }
        Ok(())
    }

    fn at(&mut self, f: &Function, probe: PidProbe, at: u64) -> Result<(), PidError> {
        let cost = code::classify(self.elf, f.vaddr.wrapping_add(at)).cost();
        self.add(&f.name, probe, at, f.offset.wrapping_add(at), cost)
    }
}

/// A hexadecimal offset as in a probe name, with or without `0x`.
fn hex(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("0x").unwrap_or(name);
    digits.bytes().all(|c| c.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}
