//! From clauses and their probes to as few BPF programs as can serve them, and where each is attached.

mod join;

use super::returns::Returns;
use crate::codegen::{ArgSource, ErrorProbe, Hook, Kept, PidFilter, ProbeIdentity, Service, SiteGroup};
use crate::kernel::link::{KernelSite, Site};
use crate::kernel::perf_event::{Counter, Rate};
use crate::provider::{self, How, Keep, Known, UserSite, usdt};
use crate::symbols::recipe::{LookWhen, Recipe};
use duotrace_core::ir::walk::walk_clause;
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
    /// A kernel function's entry or return, by its BTF id.
    Function {
        id: u32,
        at_return: bool,
    },
    /// Kernel functions' entries or returns, by name.
    Kprobes {
        at_return: bool,
        sites: Vec<KernelSite>,
    },
    Timers(Vec<Timer>),
    /// In one process or in all, by file.
    Uprobes {
        pid: Option<u32>,
        files: BTreeMap<Arc<PathBuf>, Vec<Site>>,
        /// The sites are entries of functions whose returns are meant.
        at_return: bool,
    },
}

/// A timer or counter and the probe it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    pub ticks: Ticks,
    pub every_cpu: bool,
    pub probe: ProbeId,
}

/// What a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ticks {
    Clock(Rate),
    Counter(Counter),
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
    keep: Option<Kept>,
    looks_at: Option<u64>,
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
    /// Functions and values whose words in `layout::KEPT` are taken.
    kept: Vec<(String, Arc<Recipe>)>,
    /// Does the script want stacks of processes?
    probes: Vec<BTreeSet<ProbeId>>,
    /// Arguments that each clause reads.
    used: Vec<BTreeSet<usize>>,
    /// How returns are traced.
    returns: Returns,
    /// Does some probe tell of waits for locks?
    waits: bool,
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
        if plan.waits {
            // Programs of one tracepoint run in the order in which they are attached: the last one forgets.
            plan.serve(Service::WaitBegins, "contention_begin");
            plan.serve(Service::WaitEnded, "contention_end");
        }
        plan.identify();
        plan.join();
        // What the pid provider finds later is traced where it returns: of a process that runs, not all is known.
        plan.returns.settle();
        plan
    }

    /// The probes of a group.
    pub fn probes(&self, group: usize) -> impl Iterator<Item = ProbeId> {
        self.probes.get(group).into_iter().flatten().copied()
    }

    /// Adds a program without clauses.
    fn serve(&mut self, service: Service, tracepoint: &str) {
        let attach = Attach::RawTracepoint(tracepoint.to_string());
        self.groups.push(SiteGroup {
            hook: Hook::RawTracepoint,
            clauses: Vec::new(),
            identity: ProbeIdentity::Const(ProbeId(0)),
            args: Vec::new(),
            filter: PidFilter::Any,
            guard: Vec::new(),
            task: None,
            service: Some(service),
            errno: false,
            provider_pid: false,
            at_entry: false,
            session: false,
            also: None,
            condition: None,
            looks_at: None,
            keep: None,
        });
        self.attach.push(attach);
        self.probes.push(BTreeSet::new());
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
                let args = [ArgSource::KernelPc, ArgSource::UserPc];
                let timer = Timer { ticks: Ticks::Clock(*rate), every_cpu: *every_cpu, probe: id };
                self.timer(clauses, &args, timer);
            }
            How::Counter { counter, args } => {
                let timer = Timer { ticks: Ticks::Counter(*counter), every_cpu: true, probe: id };
                self.timer(clauses, args, timer);
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
            How::Kernel { tracepoint, typed, guard, args, task, wait } => {
                self.waits |= *wait;
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
            How::Function { id: function, at_return, args } => {
                let attach = Attach::Function { id: *function, at_return: *at_return };
                self.group(Hook::Function, clauses, args, Some(id), id, attach);
            }
            How::Kprobe { function, at_return, args } => {
                let key = Key {
                    hook: Hook::Kprobe,
                    clauses: clauses.to_vec(),
                    args: self.trimmed(clauses, args),
                    filter: PidFilter::Any,
                    at_entry: !at_return,
                    at_return: *at_return,
                    provider_pid: false,
                    condition: None,
                    looks_at: None,
                    keep: None,
                    alone: None,
                };
                let attach = Attach::Kprobes { at_return: *at_return, sites: Vec::new() };
                let at = self.by_key(key, id, attach);
                if let Some(Attach::Kprobes { sites, .. }) = self.attach.get_mut(at) {
                    sites.push(KernelSite { function: function.clone(), cookie: u64::from(id.0) });
                }
            }
            How::Pid { pid, sites } => {
                let reads_offset = clauses
                    .iter()
                    .any(|id| self.used.get(id.0 as usize).is_none_or(|used| used.contains(&0)));
                let at_return = !reads_offset && self.returns.allow(*pid, clauses, sites);
                for site in sites {
                    self.uprobe(site, clauses, Some(*pid), false, at_return, id);
                }
            }
            How::Usdt { pid, point } => {
                let pid = (!everywhere).then_some(*pid);
                for site in &point.sites {
                    match site.look {
                        Some(when) => self.look(point, site, when, clauses, pid, id),
                        // A walk of frames ends at the return address that is put in.
                        None => {
                            let at_return = site.returns_of.is_some() && !self.returns.stacks_are_seen();
                            self.uprobe(site, clauses, pid, true, at_return, id);
                        }
                    }
                }
            }
        }
    }

    fn timer(&mut self, clauses: &[ClauseId], args: &[ArgSource], timer: Timer) {
        let attach = Attach::Timers(Vec::new());
        let at = self.group(Hook::PerfEvent, clauses, args, None, timer.probe, attach);
        if let Some(Attach::Timers(timers)) = self.attach.get_mut(at) {
            timers.push(timer);
        }
    }

    fn uprobe(
        &mut self,
        site: &UserSite,
        clauses: &[ClauseId],
        pid: Option<u32>,
        provider_pid: bool,
        at_return: bool,
        id: ProbeId,
    ) {
        let keep = site.keep.as_ref().map(|keep| self.keep(keep, &site.path, pid, id));
        let key = Key {
            hook: Hook::Uprobe,
            clauses: clauses.to_vec(),
            args: self.trimmed(clauses, &site.args),
            filter: pid.map_or(PidFilter::Any, PidFilter::Pid),
            at_entry: site.at_entry,
            at_return,
            provider_pid,
            condition: site.condition.clone(),
            keep,
            looks_at: None,
            alone: None,
        };
        let at = self.by_key(key, id, Attach::Uprobes { pid, files: BTreeMap::new(), at_return });
        if let Some(Attach::Uprobes { files, .. }) = self.attach.get_mut(at) {
            let sites = files.entry(Arc::clone(&site.path)).or_default();
            let place = Site {
                offset: if at_return { site.returns_of.unwrap_or(site.offset) } else { site.offset },
                ref_ctr_offset: site.semaphore,
                // Which return it was is not known then.
                cookie: u64::from(if at_return { 0 } else { site.within }) << 32 | u64::from(id.0),
            };
            // All returns of a function are one place then.
            if !at_return || !sites.contains(&place) {
                sites.push(place);
            }
        }
    }

    /// Looks at the threads of a file's processes.
    fn look(
        &mut self,
        point: &usdt::Point,
        site: &UserSite,
        when: LookWhen,
        clauses: &[ClauseId],
        pid: Option<u32>,
        id: ProbeId,
    ) {
        let (hook, attach) = match when {
            LookWhen::Profile => (Hook::PerfEvent, Attach::Timers(Vec::new())),
            LookWhen::OffCpu => (Hook::RawTracepoint, Attach::RawTracepoint("sched_switch".to_owned())),
        };
        let key = Key {
            hook,
            clauses: clauses.to_vec(),
            args: self.trimmed(clauses, &site.args),
            filter: pid.map_or(PidFilter::Any, PidFilter::Pid),
            at_entry: false,
            at_return: false,
            provider_pid: true,
            condition: site.condition.clone(),
            keep: None,
            looks_at: Some(point.number()),
            alone: (when == LookWhen::OffCpu).then_some(id),
        };
        let at = self.by_key(key, id, attach);
        if let Some(Attach::Timers(timers)) = self.attach.get_mut(at)
            && let Some(rate) = provider::profile::rate(&point.name)
        {
            timers.push(Timer { ticks: Ticks::Clock(rate), every_cpu: true, probe: id });
        }
    }

    /// Plants what keeps something at a function's entry, for its returns: before these, so that no return finds nothing
    /// that it should find.
    fn keep(&mut self, keep: &Keep, path: &Arc<PathBuf>, pid: Option<u32>, id: ProbeId) -> Kept {
        let word = (keep.function.clone(), Arc::clone(&keep.value));
        let slot = self.kept.iter().position(|other| *other == word).unwrap_or_else(|| {
            self.kept.push(word);
            self.kept.len() - 1
        });
        let slot = slot as u32;
        let key = Key {
            hook: Hook::Uprobe,
            clauses: Vec::new(),
            args: Vec::new(),
            filter: pid.map_or(PidFilter::Any, PidFilter::Pid),
            at_entry: true,
            at_return: false,
            provider_pid: false,
            condition: Some(Arc::clone(&keep.value)),
            keep: Some(Kept { slot, stores: true }),
            looks_at: None,
            alone: None,
        };
        let at = self.by_key(key, id, Attach::Uprobes { pid, files: BTreeMap::new(), at_return: false });
        if let Some(Attach::Uprobes { files, .. }) = self.attach.get_mut(at) {
            let sites = files.entry(Arc::clone(path)).or_default();
            // A function has one entry and several returns.
            if !sites.iter().any(|site| site.offset == keep.offset) {
                sites.push(Site { offset: keep.offset, ref_ctr_offset: 0, cookie: u64::from(id.0) });
            }
        }
        Kept { slot, stores: false }
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
            keep: None,
            looks_at: None,
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
                    service: None,
                    errno: false,
                    provider_pid: key.provider_pid,
                    at_entry: key.at_entry,
                    session: key.hook == Hook::Uprobe && key.at_return && self.returns.has_sessions(),
                    also: None,
                    condition: key.condition.clone(),
                    keep: key.keep,
                    looks_at: key.looks_at,
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
            // One that was joined knows already, and has the other's probes too.
            let several = probes.len() > 1 || group.args.contains(&ArgSource::CookieHigh);
            if several && group.also.is_none() && matches!(group.identity, ProbeIdentity::Const(_)) {
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
    walk_clause(clause, &mut look);
    used
}
