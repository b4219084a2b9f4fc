//! Processes and libraries that come later: files not seen before are searched for USDT probes as they are mapped.

use super::running::{Running, probe_for_programs};
use super::{load, system};
use crate::codegen::{Input, compile, layout};
use crate::kernel::perf_mmap::{Watch, What};
use crate::process::usdt_scan::{Scan, Scanner};
use crate::provider::{How, Known, usdt};
use crate::symbols::elf::FileId;
use duotrace_core::backend::{BackendError, LoadError};
use duotrace_core::ir::{ClauseId, Program};
use duotrace_core::probe::{Probe, ProbeDesc, ProbeId};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Pages of each CPU's ring of happenings.
const PAGES: usize = 64;

/// The descriptions that wait, and what has been looked at.
#[derive(Debug)]
pub struct Later {
    waiting: Vec<(ClauseId, ProbeDesc)>,
    watch: Option<Watch>,
    scanner: Scanner,
}

/// Can a description be satisfied by a process that starts later?
fn waits(desc: &ProbeDesc) -> bool {
    desc.id.is_none()
        && usdt::is_everywhere(desc, desc.provider.trim_end_matches('*'))
        && !desc.provider.is_empty()
}

impl Later {
    /// `None` when no description is open-ended: then nothing is watched.
    pub fn new(program: &Program, scanner: Scanner) -> Option<Later> {
        let mut waiting = Vec::new();
        for (index, clause) in program.clauses.iter().enumerate() {
            for enabling in &clause.probes {
                if waits(&enabling.desc) {
                    waiting.push((ClauseId(index as u32), enabling.desc.clone()));
                }
            }
        }
        (!waiting.is_empty()).then(|| Later { waiting, watch: None, scanner })
    }

    /// Begins to watch.
    pub fn start(&mut self) -> Result<(), BackendError> {
        self.watch = Some(Watch::start(PAGES).map_err(system)?);
        Ok(())
    }

    /// Readable when something was mapped.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.watch.iter().flat_map(Watch::fds)
    }

    /// Attaches to what is new; gives warnings.
    pub fn look(&mut self, session: &mut Running) -> Vec<String> {
        let mut pids = BTreeSet::new();
        let mut mapped = BTreeMap::new();
        let mut lost = false;
        let scanner = &self.scanner;
        if let Some(watch) = &mut self.watch {
            watch.drain(|happening| match happening.what {
                What::Map { major, minor, inode, path, .. } if inode != 0 => {
                    let id = FileId { dev: libc::makedev(major, minor), ino: inode };
                    if !scanner.knows(id) {
                        pids.insert(happening.pid.cast_signed());
                        mapped.insert(id, path);
                    }
                }
                What::Lost(_) => lost = true,
                _ => {}
            });
        }
        if pids.is_empty() && !lost {
            return Vec::new();
        }
        let mut scan = Scan::default();
        match lost {
            true => scan = self.scanner.all(),
            false => pids.into_iter().for_each(|pid| self.scanner.add(pid, &mut scan)),
        }
        for (id, path) in mapped {
            self.scanner.add_mapped(id, &path, &mut scan);
        }
        let mut found: BTreeMap<usize, Vec<ClauseId>> = BTreeMap::new();
        let mut points = Vec::new();
        for (clause, desc) in &self.waiting {
            for everywhere in usdt::everywhere(&scan, desc) {
                let point = &everywhere.point;
                if session.plan.everywhere.contains(point) {
                    continue;
                }
                let at = points.iter().position(|(other, _): &(Arc<usdt::Point>, _)| other == point);
                let at = at.unwrap_or_else(|| {
                    points.push((Arc::clone(point), everywhere.args.clone()));
                    points.len() - 1
                });
                let clauses = found.entry(at).or_default();
                if !clauses.contains(clause) {
                    clauses.push(*clause);
                }
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        let from = session.plan.seal();
        for (at, clauses) in found {
            let Some((point, args)) = points.get(at) else { continue };
            let id = ProbeId(session.known.len() as u32 + 1);
            let probe = Probe {
                id,
                provider: point.provider.clone(),
                module: point.module.clone(),
                function: point.function.clone(),
                name: point.name.clone(),
                args: Some(args.clone()),
            };
            let known = Known { probe, how: How::Usdt { pid: 0, point: Arc::clone(point) } };
            session.plan.add_everywhere(&known, &clauses);
            session.plan.everywhere.push(Arc::clone(point));
            session.known.push(known);
            for clause in clauses {
                if let Some(count) = session.more.get_mut(clause.0 as usize) {
                    *count += 1;
                }
            }
        }
        session.plan.identify();
        match session.extend(from) {
            Ok(()) => Vec::new(),
            Err(error) => vec![format!("a program that started later could not be traced: {error}")],
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
                    && matches!(known.get(index).map(|known| &known.how), Some(How::Usdt { pid: 0, .. }))
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
        self.attach(from, false)
    }
}
