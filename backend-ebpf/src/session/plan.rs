//! From clauses and their probes to as few BPF programs as can serve them, and where each is attached.

use super::returns::Returns;
use crate::codegen::layout::{walk, walk_body};
use crate::codegen::{ArgSource, ErrorProbe, Hook, PidFilter, ProbeIdentity, SiteGroup};
use crate::kernel::link::Site;
use crate::kernel::perf_event::Rate;
use crate::provider::{self, How, Known, UserSite, usdt};
use crate::symbols::recipe::Recipe;
use duotrace_core::ir::{Clause, ClauseId, ExprKind, Program};
use duotrace_core::probe::ProbeId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a program is attached.
#[derive(Clone, Debug, PartialEq)]
pub enum Attach {
    Begin,
    End,
    SysEnter,
    SysExit,
    RawTracepoint(String),
    /// The same, through the BTF id that the program was loaded for.
    BtfTracepoint(String),
    Timers(Vec<Timer>),
    /// In one process or in all, by file.
    Uprobes {
        pid: Option<u32>,
        files: BTreeMap<Arc<PathBuf>, Vec<Site>>,
    },
}

/// A timer and the probe it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    pub rate: Rate,
    pub every_cpu: bool,
    pub probe: ProbeId,
}

/// What distinguishes the programs of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    hook: Hook,
    clauses: Vec<ClauseId>,
    args: Vec<ArgSource>,
    filter: PidFilter,
    at_entry: bool,
    at_return: bool,
    provider_pid: bool,
    condition: Option<Arc<Recipe>>,
    /// BEGIN, END and raw tracepoints have a program of their own.
    alone: Option<ProbeId>,
}

/// The programs to make, in the order of first use, and their attachments.
#[derive(Debug, Default)]
pub struct Plan {
    pub groups: Vec<SiteGroup>,
    /// One for each group.
    pub attach: Vec<Attach>,
    /// The clauses of ERROR.
    pub errors: Option<ErrorProbe>,
    index: HashMap<Key, usize>,
    probes: Vec<BTreeSet<ProbeId>>,
    /// Arguments that each clause reads.
    used: Vec<BTreeSet<usize>>,
    /// How returns are traced.
    returns: Returns,
    /// USDT probes that are attached in every process: the first process's number stands for all.
    pub everywhere: Vec<Arc<usdt::Point>>,
}

/// Clauses of one probe, in program order.
#[derive(Debug)]
struct Wanted<'a> {
    known: &'a Known,
    everywhere: bool,
    clauses: Vec<ClauseId>,
}

impl Plan {
    /// Plans a script. `known` knows every probe that the program names.
    pub fn new<'a>(
        program: &Program,
        known: &dyn Fn(ProbeId) -> Option<&'a Known>,
        returns: Returns,
    ) -> Plan {
        let used = program.clauses.iter().map(used_args).collect();
        let mut plan = Plan { used, returns, ..Plan::default() };
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        let mut by_probe: HashMap<ProbeId, usize> = HashMap::new();
        let mut by_point: Vec<(Arc<usdt::Point>, usize)> = Vec::new();
        for (index, clause) in program.clauses.iter().enumerate() {
            let clause_id = ClauseId(index as u32);
            for enabling in &clause.probes {
                // A probe of several processes runs the clause once for each firing, not once for each process.
                let mut done = BTreeSet::new();
                for known in enabling.probes.iter().filter_map(|id| known(*id)) {
                    let at = match &known.how {
                        How::Usdt { point, .. } if usdt::is_everywhere(&enabling.desc, &point.provider) => {
                            match by_point.iter().find(|(other, _)| other == point) {
                                Some((_, at)) => *at,
                                None => {
                                    by_point.push((Arc::clone(point), wanted.len()));
                                    wanted.push(Wanted { known, everywhere: true, clauses: Vec::new() });
                                    wanted.len() - 1
                                }
                            }
                        }
                        _ => *by_probe.entry(known.probe.id).or_insert_with(|| {
                            wanted.push(Wanted { known, everywhere: false, clauses: Vec::new() });
                            wanted.len() - 1
                        }),
                    };
                    if done.insert(at)
                        && let Some(wanted) = wanted.get_mut(at)
                    {
                        wanted.clauses.push(clause_id);
                    }
                }
            }
        }
        plan.everywhere = by_point.into_iter().map(|(point, _)| point).collect();
        for wanted in &wanted {
            plan.place(wanted.known, wanted.everywhere, &wanted.clauses);
        }
        plan.identify();
        // What is found later is traced where it returns: of a process that runs, not all is known.
        plan.returns = Returns::default();
        plan
    }

    /// The probes of a group.
    pub fn probes(&self, group: usize) -> impl Iterator<Item = ProbeId> {
        self.probes.get(group).into_iter().flatten().copied()
    }

    /// Adds a probe that was found while running, in one process or everywhere. Gives nothing back: the new groups
    /// stand at the end.
    pub fn add(&mut self, known: &Known, everywhere: bool, clauses: &[ClauseId]) {
        self.place(known, everywhere, clauses);
    }

    /// Forgets which groups can take more sites: what comes now gets programs of its own, from the returned number on.
    pub fn seal(&mut self) -> usize {
        self.index.clear();
        self.groups.len()
    }

    fn place(&mut self, known: &Known, everywhere: bool, clauses: &[ClauseId]) {
        let id = known.probe.id;
        let words = |sources: &[ArgSource]| sources.to_vec();
        match &known.how {
            How::Fault => {
                self.errors = Some(ErrorProbe { probe: id, clauses: clauses.to_vec() });
            }
            How::Ourselves => {
                let attach = if id == provider::BEGIN { Attach::Begin } else { Attach::End };
                self.group(Hook::TestRun, clauses, &[], Some(id), id, attach);
            }
            How::Timer { rate, every_cpu } => {
                let args = words(&[ArgSource::KernelPc, ArgSource::UserPc]);
                let at = self.group(Hook::PerfEvent, clauses, &args, None, id, Attach::Timers(Vec::new()));
                if let Some(Attach::Timers(timers)) = self.attach.get_mut(at) {
                    timers.push(Timer { rate: *rate, every_cpu: *every_cpu, probe: id });
                }
            }
            How::Syscall { number, at_return } => {
                let at = match at_return {
                    true => {
                        let args = words(&[ArgSource::Ctx(1), ArgSource::Ctx(1)]);
                        self.group(Hook::SysExit, clauses, &args, None, id, Attach::SysExit)
                    }
                    false => {
                        let args: Vec<ArgSource> = (0..6).map(ArgSource::SyscallArg).collect();
                        self.group(Hook::SysEnter, clauses, &args, None, id, Attach::SysEnter)
                    }
                };
                if let Some(group) = self.groups.get_mut(at) {
                    group.errno = *at_return;
                    if let ProbeIdentity::BySyscall(table) = &mut group.identity {
                        let number = *number as usize;
                        if table.len() <= number {
                            table.resize(number + 1, 0);
                        }
                        if let Some(entry) = table.get_mut(number) {
                            *entry = id.0;
                        }
                    }
                }
            }
            How::RawTracepoint { name } => {
                let args: Vec<ArgSource> = (0..12).map(ArgSource::Ctx).collect();
                let attach = Attach::RawTracepoint(name.clone());
                self.group(Hook::RawTracepoint, clauses, &args, Some(id), id, attach);
            }
            How::Kernel { tracepoint, typed, guard, args, task } => {
                let (hook, attach) = match typed {
                    true => (Hook::BtfTracepoint, Attach::BtfTracepoint(tracepoint.clone())),
                    false => (Hook::RawTracepoint, Attach::RawTracepoint(tracepoint.clone())),
                };
                let at = self.group(hook, clauses, args, Some(id), id, attach);
                if let Some(group) = self.groups.get_mut(at) {
                    group.guard.clone_from(guard);
                    group.task = *task;
                }
            }
            How::Pid { pid, sites } => {
                let reads_offset = clauses
                    .iter()
                    .any(|id| self.used.get(id.0 as usize).is_none_or(|used| used.contains(&0)));
                let entries = match reads_offset {
                    true => None,
                    false => self.returns.entries(*pid, clauses, sites),
                };
                for site in entries.as_deref().unwrap_or(sites) {
                    self.uprobe(site, clauses, Some(*pid), false, id);
                }
            }
            How::Usdt { pid, point } => {
                for site in &point.sites {
                    self.uprobe(site, clauses, (!everywhere).then_some(*pid), true, id);
                }
            }
        }
    }

    fn uprobe(
        &mut self,
        site: &UserSite,
        clauses: &[ClauseId],
        pid: Option<u32>,
        provider_pid: bool,
        id: ProbeId,
    ) {
        let key = Key {
            hook: Hook::Uprobe,
            clauses: clauses.to_vec(),
            args: self.trimmed(clauses, &site.args),
            filter: pid.map_or(PidFilter::Any, PidFilter::Pid),
            at_entry: site.at_entry,
            at_return: site.at_return,
            provider_pid,
            condition: site.condition.clone(),
            alone: None,
        };
        let at = self.by_key(key, id, Attach::Uprobes { pid, files: BTreeMap::new() });
        if let Some(Attach::Uprobes { files, .. }) = self.attach.get_mut(at) {
            files.entry(Arc::clone(&site.path)).or_default().push(Site {
                offset: site.offset,
                ref_ctr_offset: site.semaphore,
                cookie: u64::from(site.within) << 32 | u64::from(id.0),
            });
        }
    }

    /// The arguments that the clauses read; what none of them reads must not make programs differ.
    fn trimmed(&self, clauses: &[ClauseId], args: &[ArgSource]) -> Vec<ArgSource> {
        let used = |n: &usize| {
            clauses.iter().any(|id| self.used.get(id.0 as usize).is_some_and(|used| used.contains(n)))
        };
        let mut out: Vec<ArgSource> = args
            .iter()
            .enumerate()
            .map(|(n, source)| if used(&n) { source.clone() } else { ArgSource::Absent })
            .collect();
        while out.last() == Some(&ArgSource::Absent) {
            out.pop();
        }
        out
    }

    fn group(
        &mut self,
        hook: Hook,
        clauses: &[ClauseId],
        args: &[ArgSource],
        alone: Option<ProbeId>,
        id: ProbeId,
        attach: Attach,
    ) -> usize {
        // The sampled program counters are also where `caller` and the like look: they stay.
        let args = if hook == Hook::PerfEvent { args.to_vec() } else { self.trimmed(clauses, args) };
        let key = Key {
            hook,
            clauses: clauses.to_vec(),
            args,
            filter: PidFilter::Any,
            at_entry: false,
            at_return: false,
            provider_pid: false,
            condition: None,
            alone,
        };
        self.by_key(key, id, attach)
    }

    /// The group of a key, made if there is none.
    fn by_key(&mut self, key: Key, id: ProbeId, attach: Attach) -> usize {
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None => {
                let identity = match key.hook {
                    Hook::SysEnter | Hook::SysExit => ProbeIdentity::BySyscall(Vec::new()),
                    _ => ProbeIdentity::Const(id),
                };
                self.groups.push(SiteGroup {
                    hook: key.hook,
                    clauses: key.clauses.clone(),
                    identity,
                    args: key.args.clone(),
                    filter: key.filter,
                    guard: Vec::new(),
                    task: None,
                    errno: false,
                    provider_pid: key.provider_pid,
                    at_entry: key.at_entry,
                    at_return: key.at_return,
                    condition: key.condition.clone(),
                });
                self.attach.push(attach);
                self.probes.push(BTreeSet::new());
                self.index.insert(key, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        if let Some(probes) = self.probes.get_mut(at) {
            probes.insert(id);
        }
        at
    }

    /// Groups of several probes learn from the cookie which one fired.
    pub fn identify(&mut self) {
        for (group, probes) in self.groups.iter_mut().zip(&self.probes) {
            let several = probes.len() > 1 || group.args.contains(&ArgSource::CookieHigh);
            if several && matches!(group.identity, ProbeIdentity::Const(_)) {
                group.identity = ProbeIdentity::Cookie;
            }
        }
    }
}

/// Which `argN` a clause reads.
fn used_args(clause: &Clause) -> BTreeSet<usize> {
    let mut used = BTreeSet::new();
    let mut look = |expr: &duotrace_core::ir::Expr| {
        if let ExprKind::Arg(n) = expr.kind {
            used.insert(n as usize);
        }
    };
    clause.predicate.iter().for_each(|expr| walk(expr, &mut look));
    walk_body(&clause.body, &mut look);
    used
}
