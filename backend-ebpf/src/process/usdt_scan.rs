//! USDT probes of running processes: which mapped files have notes, and which processes map them.

use super::maps;
use super::pids;
use crate::symbols::elf::{Elf, FileId};
use crate::symbols::recipe::LookWhen;
use crate::symbols::usdt::{self, UsdtSite};
use duotrace_core::probe::{glob_match, is_glob};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Knows probes in files that have no notes: the virtual providers.
pub trait Finder: std::fmt::Debug {
    /// Could a file of this name have any? To be answered without looking at it.
    fn concerns(&self, name: &str) -> bool;

    /// The probes of a file.
    fn find(&self, elf: &Elf, name: &str) -> Virtual;
}

/// What a [`Finder`] found.
#[derive(Clone, Debug, Default)]
pub struct Virtual {
    pub sites: Vec<UsdtSite>,
    /// Where there is a problem: the providers that are missing for it.
    pub providers: Vec<String>,
    pub problem: Option<String>,
}

/// A file with USDT probes.
#[derive(Debug)]
pub struct UsdtFile {
    pub id: FileId,
    /// The file to open for attaching.
    pub path: PathBuf,
    /// `probemod`: the last part of the path.
    pub module: String,
    pub sites: Vec<UsdtSite>,
    pub elf: Elf,
    /// Are the probes those of virtual providers?
    pub is_virtual: bool,
}

/// Probes that a file could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub providers: Vec<String>,
    /// Why it has none, and what to do.
    pub text: String,
}

/// What a scan saw.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The files with probes.
    pub files: BTreeMap<FileId, Arc<UsdtFile>>,
    /// Which of them each process maps. Processes without any are not listed.
    pub processes: BTreeMap<i32, Vec<FileId>>,
    /// Files that are the executable of a process (module `a.out`).
    pub executables: BTreeSet<FileId>,
    /// Files whose virtual probes are not known.
    pub problems: BTreeMap<FileId, Arc<Problem>>,
}

/// Which processes a match is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pids {
    /// Every process that maps the file, now or later (`postgresql*`).
    All,
    /// These, ascending.
    Only(Vec<i32>),
}

/// One probe of one file that satisfies a description: all its sites.
#[derive(Clone, Debug)]
pub struct UsdtMatch {
    pub file: Arc<UsdtFile>,
    /// Of the note, without a pid.
    pub provider: String,
    pub function: String,
    pub name: String,
    /// Indexes in `file.sites`.
    pub sites: Vec<usize>,
    pub pids: Pids,
    /// The processes that map the file now and are meant: for `-l`, which lists one probe per process.
    pub mapped_by: Vec<i32>,
}

/// Finds files with notes, remembering what it has seen by device and inode.
#[derive(Debug, Default)]
pub struct Scanner {
    seen: HashMap<FileId, Seen>,
    finder: Option<Rc<dyn Finder>>,
}

/// What is known of a file.
#[derive(Clone, Debug)]
enum Seen {
    Nothing,
    Probes(Arc<UsdtFile>),
    Problem(Arc<Problem>),
}

impl Scanner {
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// One that also asks a finder.
    pub fn with(finder: Rc<dyn Finder>) -> Scanner {
        Scanner { seen: HashMap::new(), finder: Some(finder) }
    }

    /// One that has seen nothing yet, but finds the same.
    pub fn fresh(&self) -> Scanner {
        Scanner { seen: HashMap::new(), finder: self.finder.clone() }
    }

    /// Every process there is.
    pub fn all(&mut self) -> Scan {
        let mut scan = Scan::default();
        for pid in pids() {
            self.add(pid, &mut scan);
        }
        scan
    }

    /// One process; empty when it is gone.
    pub fn process(&mut self, pid: i32) -> Scan {
        let mut scan = Scan::default();
        self.add(pid, &mut scan);
        scan
    }

    /// Has this file been read?
    pub fn knows(&self, id: FileId) -> bool {
        self.seen.contains_key(&id)
    }

    /// Adds what one process maps to a scan.
    pub fn add(&mut self, pid: i32, scan: &mut Scan) {
        // Reading may fail because the process has ended or is another user's: it has no probes for us.
        let Ok(objects) = maps::objects(pid) else { return };
        for object in objects {
            let seen = match self.seen.entry(object.id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    // What cannot be opened now may be later, through another process.
                    let Ok(elf) = object.open(pid) else { continue };
                    new.insert(look(elf, object.id, &object.name, self.finder.as_deref()))
                }
            };
            if let Seen::Problem(problem) = seen {
                scan.problems.insert(object.id, Arc::clone(problem));
            }
            if let Seen::Probes(file) = seen {
                scan.files.insert(object.id, Arc::clone(file));
                if object.is_exe {
                    scan.executables.insert(object.id);
                }
                let ids = scan.processes.entry(pid).or_default();
                if !ids.contains(&object.id) {
                    ids.push(object.id);
                }
            }
        }
    }

    /// Adds a file that was seen being mapped, for its process may have ended since: the next one that runs it
    /// shall find it attached.
    pub fn add_mapped(&mut self, id: FileId, path: &Path, scan: &mut Scan) {
        if self.knows(id) {
            return;
        }
        // Another file of that name is not the one that was mapped.
        let Some(elf) = Elf::open(path).ok().filter(|elf| elf.id() == Some(id)) else { return };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let seen = look(elf, id, &name, self.finder.as_deref());
        match &seen {
            Seen::Probes(file) => drop(scan.files.insert(id, Arc::clone(file))),
            Seen::Problem(problem) => drop(scan.problems.insert(id, Arc::clone(problem))),
            Seen::Nothing => {}
        }
        self.seen.insert(id, seen);
    }

    /// A file by path, whether or not a process runs it; `None` when it has no probes.
    pub fn file(&mut self, path: &Path) -> Option<Arc<UsdtFile>> {
        let elf = Elf::open(path).ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        load(elf, FileId::default(), name)
    }
}

/// What a file has.
fn look(elf: Elf, id: FileId, name: &str, finder: Option<&dyn Finder>) -> Seen {
    if usdt::has_notes(&elf) {
        return load(elf, id, name.to_owned()).map_or(Seen::Nothing, Seen::Probes);
    }
    let Some(finder) = finder.filter(|finder| finder.concerns(name)) else { return Seen::Nothing };
    let Virtual { sites, providers, problem } = finder.find(&elf, name);
    if !sites.is_empty() {
        let module = name.to_owned();
        return Seen::Probes(Arc::new(UsdtFile {
            id,
            path: elf.path().to_owned(),
            module,
            sites,
            elf,
            is_virtual: true,
        }));
    }
    problem.map_or(Seen::Nothing, |text| Seen::Problem(Arc::new(Problem { providers, text })))
}

fn load(elf: Elf, id: FileId, module: String) -> Option<Arc<UsdtFile>> {
    if !usdt::has_notes(&elf) {
        return None;
    }
    let sites = usdt::sites(&elf).ok().filter(|s| !s.is_empty())?;
    let id = if id == FileId::default() { elf.id()? } else { id };
    Some(Arc::new(UsdtFile { id, path: elf.path().to_owned(), module, sites, elf, is_virtual: false }))
}

/// Does a provider pattern match `provider` followed by any pid, so that processes to come are meant too?
pub fn matches_any_pid(pattern: &str, provider: &str) -> bool {
    // A pattern that accepts these accepts any number: no pattern of a script names them all.
    let samples = ["1", "20", "345", "6789", "98765", "432109", "4194304"];
    samples.iter().all(|pid| glob_match(pattern, &format!("{provider}{pid}")))
}

/// The probe `profile-N` that a description's name means: the rate is the description's.
fn at_rate(name: &str) -> Option<&str> {
    const CUSTOMARY: &str = "profile-997";
    match is_glob(name) || name.is_empty() {
        true => glob_match(name, CUSTOMARY).then_some(CUSTOMARY),
        false => name.starts_with("profile-").then_some(name),
    }
}

impl Scan {
    /// Has the process USDT probes of this provider in some file?
    fn has_real(&self, pid: i32, provider: &str) -> bool {
        let files = self.processes.get(&pid).into_iter().flatten().filter_map(|id| self.files.get(id));
        files.filter(|file| !file.is_virtual).any(|f| f.sites.iter().any(|site| site.provider == provider))
    }

    /// The probes that satisfy a description. The provider pattern is matched against the note's provider followed
    /// by the pid: `postgresql1234` is one process, `postgresql*` all.
    pub fn matching(&self, provider: &str, module: &str, function: &str, name: &str) -> Vec<UsdtMatch> {
        let mut out = Vec::new();
        for (id, file) in &self.files {
            let mapping: Vec<i32> =
                self.processes.iter().filter(|(_, ids)| ids.contains(id)).map(|(pid, _)| *pid).collect();
            let mut groups: BTreeMap<(&str, &str, String), Vec<usize>> = BTreeMap::new();
            let mut fits: BTreeMap<&str, bool> = BTreeMap::new();
            for (i, s) in file.sites.iter().enumerate() {
                let module_fits =
                    glob_match(module, &file.module) || (module == "a.out" && self.executables.contains(id));
                let alias_of = s.recipes.as_ref().and_then(|recipes| recipes.alias_of.as_ref());
                if alias_of.is_some_and(|other| glob_match(provider, &format!("{other}1"))) {
                    continue;
                }
                let provider_fits = || {
                    matches_any_pid(provider, &s.provider)
                        || mapping.iter().any(|pid| glob_match(provider, &format!("{}{pid}", s.provider)))
                };
                let look = s.recipes.as_ref().and_then(|recipes| recipes.look);
                let meant = match look.map(|look| look.when) {
                    Some(LookWhen::Profile) => at_rate(name),
                    _ => Some(s.name.as_str()).filter(|own| glob_match(name, own)),
                };
                let Some(own) = meant.filter(|_| module_fits) else { continue };
                if !*fits.entry(&s.provider).or_insert_with(provider_fits) {
                    continue;
                }
                let within = s.function(&file.elf);
                if glob_match(function, &within) {
                    groups.entry((&s.provider, own, within)).or_default().push(i);
                }
            }
            for ((note_provider, name, function), sites) in groups {
                let fits = |pid: &&i32| glob_match(provider, &format!("{note_provider}{pid}"));
                let mut mapped_by: Vec<i32> = mapping.iter().filter(fits).copied().collect();
                let mut all = matches_any_pid(provider, note_provider);
                if file.is_virtual {
                    // A real provider of the same name wins; a probe in every process must not fire beside it.
                    let before = mapped_by.len();
                    mapped_by.retain(|pid| !self.has_real(*pid, note_provider));
                    all &= mapped_by.len() == before;
                }
                if mapped_by.is_empty() && !all {
                    continue;
                }
                out.push(UsdtMatch {
                    file: Arc::clone(file),
                    provider: note_provider.to_owned(),
                    function,
                    name: name.to_owned(),
                    sites,
                    pids: if all { Pids::All } else { Pids::Only(mapped_by.clone()) },
                    mapped_by,
                });
            }
        }
        out
    }
}
