//! Processes and libraries that come later: files not seen before are searched for USDT probes as they are mapped.

use super::gate::Gate;
use super::running::{Running, probe_for_programs};
use super::{load, system};
use crate::codegen::{Input, compile, layout};
use crate::kernel::Features;
use crate::kernel::perf_mmap::{Watch, What};
use crate::process::maps;
use crate::process::usdt_scan::{Scan, Scanner, UsdtFile};
use crate::provider::{How, Known, pid, usdt};
use crate::symbols::elf::FileId;
use duotrace_core::backend::{BackendError, LoadError};
use duotrace_core::ir::{ClauseId, Program};
use duotrace_core::probe::{Probe, ProbeArg, ProbeDesc, ProbeId};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// Pages of each CPU's ring of happenings.
const PAGES: usize = 64;

/// How often one look looks.
const ROUNDS: usize = 16;

/// What a description waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum For {
    /// Any process with such USDT probes.
    Anybody,
    /// Libraries of one process with such functions.
    Functions(u32),
    /// Libraries of these processes (one, unless the provider's name ends in a digit) with such USDT probes.
    Usdt(Vec<i32>),
}

/// A description that waits.
#[derive(Clone, Debug)]
struct Waiting {
    clause: ClauseId,
    desc: ProbeDesc,
    what: For,
}

/// The descriptions that wait, and what has been looked at.
#[derive(Debug)]
pub struct Later {
    waiting: Vec<Waiting>,
    watch: Option<Watch>,
    gate: Option<Gate>,
    scanner: Scanner,
}

/// What can satisfy a description later, if anything can.
fn waits(desc: &ProbeDesc) -> Option<For> {
    if desc.id.is_some() || desc.provider.is_empty() {
        return None;
    }
    if let Some(process) = pid::process(&desc.provider) {
        return pid::waits(desc).then_some(For::Functions(process));
    }
    if usdt::is_everywhere(desc, desc.provider.trim_end_matches('*')) {
        return Some(For::Anybody);
    }
    let pids = usdt::candidates(&desc.provider);
    (!pids.is_empty()).then_some(For::Usdt(pids))
}

/// Is it a program without a dynamic linker, at which the gate is?
fn is_static(file: &UsdtFile) -> bool {
    file.elf.interpreter().is_none() && !file.module.contains(".so")
}

/// Files that processes mapped.
#[derive(Debug, Default)]
struct Mapped {
    /// Those that were not known, with a process each and the path that it has for them.
    new: BTreeMap<FileId, (i32, PathBuf)>,
    /// All of the processes that descriptions name.
    by_named: BTreeMap<i32, BTreeSet<FileId>>,
    lost: bool,
}

/// A probe that was found, and the clauses that want it.
#[derive(Debug)]
struct Found {
    how: How,
    everywhere: bool,
    names: [String; 4],
    args: Option<Vec<ProbeArg>>,
    clauses: Vec<ClauseId>,
}

impl Later {
    /// `None` when no description can get more: then nothing is watched.
    pub fn new(program: &Program, scanner: Scanner) -> Option<Later> {
        let mut waiting = Vec::new();
        for (index, clause) in program.clauses.iter().enumerate() {
            for enabling in &clause.probes {
                if let Some(what) = waits(&enabling.desc) {
                    let clause = ClauseId(index as u32);
                    waiting.push(Waiting { clause, desc: enabling.desc.clone(), what });
                }
            }
        }
        (!waiting.is_empty()).then(|| Later { waiting, watch: None, gate: None, scanner })
    }

    /// A scanner that finds the same files.
    pub fn scanner(&self) -> Scanner {
        self.scanner.fresh()
    }

    /// The processes that descriptions name.
    fn named(&self) -> BTreeSet<i32> {
        let pids = self.waiting.iter().flat_map(|waiting| match &waiting.what {
            For::Anybody => Vec::new(),
            For::Functions(pid) => vec![pid.cast_signed()],
            For::Usdt(pids) => pids.clone(),
        });
        pids.collect()
    }

    /// Begins to watch.
    pub fn start(&mut self, features: &Features) -> Result<(), BackendError> {
        self.watch = Some(Watch::start(PAGES).map_err(system)?);
        let named = self.named();
        let anybody = self.waiting.iter().any(|waiting| waiting.what == For::Anybody);
        let only = named.first().filter(|_| named.len() == 1 && !anybody).map(|pid| pid.cast_unsigned());
        // Without a gate the first moments of what comes are missed, which is told when it happens.
        self.gate = Gate::new(features, only).ok();
        if let Some(gate) = &mut self.gate {
            for pid in named {
                for object in maps::objects(pid).unwrap_or_default() {
                    if object.name.starts_with("ld") {
                        gate.guard(&object.open_path(pid));
                    }
                }
            }
        }
        Ok(())
    }

    /// Readable when something was mapped.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.watch.iter().flat_map(Watch::fds).chain(self.gate.iter().map(Gate::fd))
    }

    /// Tells the gate whether we are there to open it.
    pub fn attend(&self, attending: bool) {
        if let Some(gate) = &self.gate {
            gate.attend(attending);
        }
    }

    /// Attaches to what is new; gives warnings.
    pub fn look(&mut self, session: &mut Running) -> Vec<String> {
        self.attend(true);
        let mut warnings = Vec::new();
        // Those who come while we are at it have waited for long already: them too, within reason.
        for _ in 0..ROUNDS {
            let until = self.gate.as_mut().map(Gate::hear);
            let mapped = self.mapped();
            if mapped.lost || !mapped.new.is_empty() || !mapped.by_named.is_empty() {
                warnings.extend(self.attach(session, &mapped));
            }
            let Some(gate) = &self.gate else { break };
            gate.open(until.unwrap_or(0));
            if !gate.is_knocked_at() {
                break;
            }
        }
        self.attend(false);
        warnings
    }

    /// What the kernel tells of.
    fn mapped(&mut self) -> Mapped {
        let mut mapped = Mapped::default();
        let named = self.named();
        let scanner = &self.scanner;
        if let Some(watch) = &mut self.watch {
            watch.drain(|happening| match happening.what {
                What::Map { major, minor, inode, path, .. } if inode != 0 => {
                    let id = FileId { dev: libc::makedev(major, minor), ino: inode };
                    let pid = happening.pid.cast_signed();
                    if named.contains(&pid) {
                        mapped.by_named.entry(pid).or_default().insert(id);
                    }
                    if !scanner.knows(id) {
                        mapped.new.insert(id, (pid, path));
                    }
                }
                What::Lost(_) => mapped.lost = true,
                _ => {}
            });
        }
        mapped
    }

    /// How many processes did not wait for the probes that were found: what they fired until now is missed.
    fn early(&mut self, scan: &Scan, mapped: &Mapped, found: &[Found]) -> usize {
        let late = self.gate.as_mut().map(Gate::late);
        let went_on = |pid: i32| late.as_ref().is_none_or(|late| late.contains(&pid));
        let mut pids = BTreeSet::new();
        for new in found {
            match &new.how {
                // Threads are looked at from now on: nothing has fired that could be missed.
                How::Usdt { point, .. } if point.sites.iter().all(|site| site.look.is_some()) => {}
                How::Usdt { point, .. } => {
                    let mapping = scan.processes.iter().filter(|(_, files)| files.contains(&point.file));
                    let first = mapped.new.get(&point.file).map(|(pid, _)| *pid);
                    let unguarded = scan.files.get(&point.file).is_some_and(|file| is_static(file));
                    let mapping = mapping.map(|(pid, _)| *pid).chain(first);
                    pids.extend(mapping.filter(|pid| unguarded || went_on(*pid)));
                }
                How::Pid { pid, .. } => pids.extend(Some(pid.cast_signed()).filter(|pid| went_on(*pid))),
                _ => {}
            }
        }
        pids.len()
    }

    fn attach(&mut self, session: &mut Running, mapped: &Mapped) -> Vec<String> {
        let mut scan = Scan::default();
        let pids: BTreeSet<i32> =
            mapped.new.values().map(|(pid, _)| *pid).chain(mapped.by_named.keys().copied()).collect();
        match mapped.lost {
            true => scan = self.scanner.all(),
            false => pids.into_iter().for_each(|pid| self.scanner.add(pid, &mut scan)),
        }
        for (id, (pid, path)) in &mapped.new {
            self.scanner.add_mapped(*id, path, &mut scan);
            if let Some(gate) = &mut self.gate
                && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld"))
                && let Ok(objects) = maps::objects(*pid)
                && let Some(linker) = objects.iter().find(|object| object.id == *id)
            {
                gate.guard(&linker.open_path(*pid));
            }
        }
        let mut found: Vec<Found> = Vec::new();
        // Of a library with thousands of functions, only those of a known name need a closer look.
        let key = |probe: &Probe| {
            [&probe.provider, &probe.module, &probe.function, &probe.name].map(String::as_str).join(":")
        };
        let names: HashSet<String> = session.known.iter().map(|known| key(&known.probe)).collect();
        for waiting in &self.waiting {
            for new in waiting.find(&scan, mapped) {
                let old = match &new.how {
                    How::Usdt { point, .. } if new.everywhere => session.plan.everywhere.contains(point),
                    how => {
                        names.contains(&new.names.join(":"))
                            && session.known.iter().any(|known| known.how == *how)
                    }
                };
                if old {
                    continue;
                }
                match found
                    .iter_mut()
                    .find(|other| other.how == new.how && other.everywhere == new.everywhere)
                {
                    Some(other) if other.clauses.contains(&waiting.clause) => {}
                    Some(other) => other.clauses.push(waiting.clause),
                    None => found.push(new),
                }
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        let early = self.early(&scan, mapped, &found);
        if early > 0 {
            let noun = if early == 1 { "process" } else { "processes" };
            warnings.push(format!("{early} {noun} ran for a moment before new probes were enabled"));
        }
        let from = session.plan.seal();
        for Found { how, everywhere, names, args, clauses } in found {
            let id = ProbeId(session.known.len() as u32 + 1);
            let [provider, module, function, name] = names;
            let known = Known { probe: Probe { id, provider, module, function, name, args }, how };
            session.plan.add(&known, everywhere, &clauses);
            if let (How::Usdt { point, .. }, true) = (&known.how, everywhere) {
                session.plan.everywhere.push(Arc::clone(point));
            }
            session.known.push(known);
            for clause in clauses {
                if let Some(count) = session.more.get_mut(clause.0 as usize) {
                    *count += 1;
                }
            }
        }
        session.plan.identify();
        if let Err(error) = session.extend(from) {
            warnings.push(format!("a program that started later could not be traced: {error}"));
        }
        warnings
    }
}

impl Waiting {
    /// What a description gets of what was mapped.
    fn find(&self, scan: &Scan, mapped: &Mapped) -> Vec<Found> {
        let desc = &self.desc;
        let usdt = |point: &Arc<usdt::Point>, args: &[ProbeArg], provider: String, pid, everywhere| Found {
            how: How::Usdt { pid, point: Arc::clone(point) },
            everywhere,
            names: [provider, point.module.clone(), point.function.clone(), point.name.clone()],
            args: Some(args.to_vec()),
            clauses: vec![self.clause],
        };
        match &self.what {
            For::Anybody => usdt::everywhere(scan, desc)
                .iter()
                .map(|found| usdt(&found.point, &found.args, found.point.provider.clone(), 0, true))
                .collect(),
            For::Usdt(_) => {
                let matches = usdt::matching(scan, desc);
                let mut out = Vec::new();
                for found in &matches {
                    let (point, args) = usdt::point(found);
                    for pid in &found.mapped_by {
                        let provider = format!("{}{pid}", found.provider);
                        out.push(usdt(&point, &args, provider, pid.cast_unsigned(), false));
                    }
                }
                out
            }
            For::Functions(pid) => {
                let files = mapped.by_named.get(&pid.cast_signed());
                if files.is_none() && !mapped.lost {
                    return Vec::new();
                }
                let wanted = |object: &maps::Object| {
                    mapped.lost || files.is_some_and(|files| files.contains(&object.id))
                };
                let found = pid::probes_of(desc, &wanted).into_iter().map(|(names, how)| {
                    let [module, function, name] = names;
                    Found {
                        how,
                        everywhere: false,
                        names: [desc.provider.clone(), module, function, name],
                        args: None,
                        clauses: vec![self.clause],
                    }
                });
                found.collect()
            }
        }
    }
}

impl Running {
    /// Compiles, loads and attaches the groups from a number on, into the maps that are there.
    fn extend(&mut self, from: usize) -> Result<(), BackendError> {
        let known = &self.known;
        let input = Input {
            program: &self.program,
            groups: &self.plan.groups,
            limits: load::limits(&self.program, &self.options),
            target: load::target(&self.program, &self.plan.groups, &self.features)?,
            errors: self.plan.errors.clone(),
            probe: &|id| probe_for_programs(known, id),
        };
        let broken = |diags: Vec<duotrace_core::diagnostic::Diag>| {
            let text = |diag: &duotrace_core::diagnostic::Diag| match diag.notes.first() {
                Some(note) => format!("{}: {note}", diag.message),
                None => diag.message.clone(),
            };
            BackendError::new(diags.first().map_or(String::new(), text))
        };
        let image = compile(&input).map_err(broken)?;
        load::create_maps(&image.maps, &mut self.maps)?;
        self.banks.map(&self.maps)?;
        if let Some(names) = self.maps.get(&layout::NAMES.0) {
            for index in 0..known.len() {
                let id = ProbeId(index as u32 + 1);
                if let Some(probe) = probe_for_programs(known, id)
                    && known
                        .get(index)
                        .is_some_and(|known| matches!(known.how, How::Usdt { .. } | How::Pid { .. }))
                {
                    // Full when thousands of files came: the names then stay empty.
                    let _ = names.update(&id.0.to_ne_bytes(), &image.layout.names_value(&probe));
                }
            }
        }
        let progs = load::load_programs(
            &image,
            &self.plan.groups,
            &self.plan.attach,
            from,
            &self.maps,
            &self.features,
        )
        .map_err(|error| match error {
            LoadError::System(error) => error,
            LoadError::Script(diags) => broken(diags),
        })?;
        self.progs.extend(progs);
        self.attach(from, false)?;
        self.attach(from, true)
    }
}
