//! A script that is loaded: start, poll, snapshots, stop.

mod deliver;

use super::banks::Banks;
use super::cost::{self, Costs};
use super::later::Later;
use super::load::{self, Maps};
use super::losses::Losses;
use super::plan::{Attach, Plan, Ticks};
use super::returns::Returns;
use super::symbols::SessionSymbols;
use super::tables::Tables;
use super::threads::Threads;
use super::watcher::Watcher;
use super::{EbpfConfig, forks, switches, sys, system, values};
use crate::codegen::layout::{self, control};
use crate::codegen::{Image, Input, compile, listing};
use crate::kernel::leave::leave;
use crate::kernel::link::{self, Link};
use crate::kernel::map::MappedArray;
use crate::kernel::ringbuf::RingBuffer;
use crate::kernel::{Features, Kind, Prog, cpus, rcu, test_run};
use crate::process::child::Child;
use crate::process::grab::Grab;
use crate::process::maps;
use crate::process::usdt_scan::Scanner;
use crate::provider::shelf::Shelf;
use crate::provider::{How, Known};
use duotrace_core::aggregate::Aggregation;
use duotrace_core::backend::{BackendError, Event, LoadError, Session, Sink};
use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::{AggId, ClauseId, Program};
use duotrace_core::options::{Options, opt};
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::record::Symbols;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long to wait before looking at the ring's fill again: records do not wake anybody. At a million records a second
/// and bytes in the tens this is less than the smallest ring takes.
const SLICE: Duration = Duration::from_millis(40);
/// The same while records come.
const BUSY_SLICE: Duration = Duration::from_millis(5);

/// Of so many processes that have the script's probes the code is looked at before anything fires.
const KNOWN_AT_START: usize = 64;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Loaded,
    Started,
    Stopped,
}

/// A loaded script.
#[derive(Debug)]
pub struct Running {
    // Links go first, so that nothing fires into what is torn down.
    links: Vec<(usize, Link)>,
    switches: Option<Watcher>,
    forks: Vec<Watcher>,
    pub(super) program: Program,
    pub(super) plan: Plan,
    pub(super) image: Image,
    pub(super) maps: Maps,
    pub(super) progs: Vec<Prog>,
    pub(super) known: Rc<Shelf<Known>>,
    pub(super) features: Rc<Features>,
    pub(super) options: Options,
    control: MappedArray,
    losses: Losses,
    ring: RingBuffer,
    pub(super) banks: Banks,
    symbols: SessionSymbols,
    children: Vec<Child>,
    grabs: Vec<Grab>,
    ended: Vec<u32>,
    /// Does any record hold addresses of processes?
    user_addresses: bool,
    /// Does anything that is printed name addresses of processes?
    names_users: bool,
    exit_seen: bool,
    /// Does the script call `copyout()`?
    copies_out: bool,
    state: State,
    later: Option<Later>,
    /// Offset of `task_struct.pid`, where the script needs any.
    task_pid: Option<u32>,
    tables: Option<Tables>,
    /// `-x explain`, `-x cpulimit`.
    costs: Option<Costs>,
    threads: Option<Threads>,
    /// `-x cpu`.
    cpu: Option<u32>,
    /// Instructions that the kernel does not probe, until they have been told of.
    refused: usize,
    /// Probes found while running, by clause.
    pub(super) more: Vec<usize>,
}

/// A probe as programs know it: the process of a USDT provider is appended when it fires.
pub(super) fn probe_for_programs(known: &Shelf<Known>, id: ProbeId) -> Option<Probe> {
    let known = known.get((id.0 as usize).checked_sub(1)?)?;
    let mut probe = known.probe.clone();
    if let How::Usdt { point, .. } = &known.how {
        probe.provider.clone_from(&point.provider);
    }
    Some(probe)
}

/// The programs of a plan, and the offset of `task_struct.pid` if they need any.
fn compiled(
    program: &Program,
    options: &Options,
    plan: &Plan,
    known: &Shelf<Known>,
    features: &Features,
) -> Result<(Image, Option<u32>), LoadError> {
    let input = Input {
        program,
        groups: &plan.groups,
        limits: load::limits(program, options),
        target: load::target(program, &plan.groups, features)?,
        errors: plan.errors.clone(),
        probe: &|id| probe_for_programs(known, id),
    };
    let image = compile(&input).map_err(LoadError::Script)?;
    load::check_sizes(program, options)?;
    Ok((image, input.target.offsets.pid))
}

impl Running {
    /// Compiles, and loads nothing.
    pub fn check(
        program: &Program,
        options: &Options,
        known: &Shelf<Known>,
        features: &Features,
    ) -> Result<(), LoadError> {
        let known_probe = |id: ProbeId| known.get((id.0 as usize).checked_sub(1)?);
        let plan = Plan::new(program, &known_probe, Returns::default());
        compiled(program, options, &plan, known, features)?;
        Ok(())
    }

    /// Compiles and loads.
    pub fn load(
        program: &Program,
        options: &Options,
        known: Rc<Shelf<Known>>,
        config: EbpfConfig,
        scanner: Scanner,
        features: &Rc<Features>,
    ) -> Result<Running, LoadError> {
        let shelf = &known;
        let held = config.children.iter().map(|child| child.pid().cast_unsigned());
        let returns = Returns::new(program, options, features, held.collect());
        let plan = Plan::new(program, &|id: ProbeId| shelf.get((id.0 as usize).checked_sub(1)?), returns);
        load::check_probes(&plan.attach, options)?;
        let (image, task_pid) = compiled(program, options, &plan, shelf, features)?;
        let mut maps = Maps::new();
        load::create_maps(&image.maps, &mut maps)?;
        let progs = load::load_programs(&image, &plan.groups, &plan.attach, 0, &maps, features)?;
        let map = |id: crate::codegen::asm::MapId| {
            maps.get(&id.0).ok_or_else(|| BackendError::new("internal error: a map is missing"))
        };
        let control = map(layout::CONTROL)?.mmap().map_err(system)?;
        let drops = map(layout::DROPS)?.mmap().map_err(system)?;
        let ring = RingBuffer::new(map(layout::EVENTS)?).map_err(system)?;
        let banks = Banks::new(&program.aggregations, &maps)?;
        let fields = program.clauses.iter().flat_map(|clause| &clause.record.fields);
        let user_addresses = fields.map(|field| field.ty).any(values::is_user);
        let mut keys = program.aggregations.iter().flat_map(|agg| &agg.key);
        let mut formats = program.formats.iter().flat_map(|format| format.conversions());
        let names_users = user_addresses
            || keys.any(|ty| values::is_user(*ty))
            || formats.any(|conversion| conversion.row.name == "A");
        let mut grabs = Vec::new();
        for pid in &config.targets {
            if !config.children.iter().any(|child| child.pid().cast_unsigned() == *pid) {
                let grab = Grab::open(pid.cast_signed());
                grabs.push(grab.map_err(|error| BackendError::new(error.to_string()))?);
            }
        }
        let threads = Threads::new(&maps, scanner.fresh())?;
        let later = Later::new(program, scanner);
        let tables = Tables::new(&maps)?;
        Ok(Running {
            links: Vec::new(),
            switches: None,
            forks: Vec::new(),
            task_pid,
            program: program.clone(),
            more: vec![0; program.clauses.len()],
            plan,
            image,
            maps,
            progs,
            known,
            features: Rc::clone(features),
            options: options.clone(),
            control,
            losses: Losses::new(drops, Duration::from_nanos(options.number(opt::STATUSRATE))),
            ring,
            banks,
            symbols: SessionSymbols::default(),
            children: config.children,
            grabs,
            ended: Vec::new(),
            user_addresses,
            names_users,
            exit_seen: false,
            copies_out: layout::copies_out(program),
            state: State::Loaded,
            later,
            tables,
            costs: Costs::new(options).map_err(system)?,
            threads,
            refused: 0,
            cpu: load::limits(program, options).cpu,
        })
    }

    /// Attaches the programs of groups from a number on; timers only if asked, for they start last.
    pub(super) fn attach(&mut self, from: usize, timers: bool) -> Result<(), BackendError> {
        if self.switches.is_none() {
            self.switches = switches::start(&self.maps, self.task_pid)?;
        }
        for (group, (prog, attach)) in self.progs.iter().zip(&self.plan.attach).enumerate().skip(from) {
            let mut keep = |link: Link| self.links.push((group, link));
            match attach {
                Attach::Begin | Attach::End => {}
                Attach::Timers(wanted) if timers => {
                    let mut online = cpus::online().map_err(system)?;
                    online.retain(|cpu| self.cpu.is_none_or(|only| only == *cpu));
                    for timer in wanted {
                        let count = if timer.every_cpu { online.len() } else { 1 };
                        for cpu in online.iter().take(count) {
                            let cookie = u64::from(timer.probe.0);
                            let link = match timer.ticks {
                                Ticks::Clock(rate) => link::attach_cpu_clock(prog, rate, *cpu, cookie),
                                Ticks::Counter(counter) => link::attach_counter(prog, counter, *cpu, cookie),
                            };
                            keep(link.map_err(system)?);
                        }
                    }
                }
                Attach::Timers(_) => {}
                _ if timers => {}
                Attach::SysEnter => {
                    keep(link::attach_raw_tracepoint(prog, "sys_enter", 0).map_err(system)?);
                }
                Attach::SysExit => {
                    keep(link::attach_raw_tracepoint(prog, "sys_exit", 0).map_err(system)?);
                }
                Attach::Kprobes { at_return, sites } => {
                    if prog.kind() == Kind::Kprobe {
                        sys::raise_file_limit();
                    }
                    link::attach_kprobes(prog, sites, *at_return)
                        .map_err(system)?
                        .into_iter()
                        .for_each(&mut keep);
                }
                Attach::BtfTracepoint(_) | Attach::Function { .. } => {
                    keep(link::attach_btf(prog, 0).map_err(system)?);
                }
                Attach::RawTracepoint(name) => {
                    keep(link::attach_raw_tracepoint(prog, name, 0).map_err(system)?);
                }
                Attach::Uprobes { pid, files, at_return } => {
                    if prog.kind() == Kind::Uprobe {
                        sys::raise_file_limit();
                    }
                    // A session is at both ends.
                    let at_return = *at_return && prog.kind() != Kind::UprobeSession;
                    for (path, sites) in files {
                        match link::attach_uprobes_if_possible(prog, path, sites, at_return, *pid) {
                            Ok((links, refused)) => {
                                links.into_iter().for_each(&mut keep);
                                self.refused += refused;
                            }
                            // The process has ended meanwhile, perhaps with its files: nothing fires there any more.
                            Err(error) if matches!(error.errno, libc::ESRCH | libc::ENOENT) => {
                                // One that nobody has waited for yet has no memory any more.
                                let gone = |pid: u32| {
                                    maps::read(pid.cast_signed()).is_ok_and(|maps| maps.is_empty())
                                        || !std::path::Path::new(&format!("/proc/{pid}")).exists()
                                };
                                if !pid.is_none_or(gone) {
                                    return Err(system(error));
                                }
                            }
                            Err(error) => return Err(system(error)),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs the program of BEGIN or END.
    fn fire(&self, which: &Attach) -> Result<(), BackendError> {
        for (prog, attach) in self.progs.iter().zip(&self.plan.attach) {
            if attach == which {
                test_run::run(prog, &[], self.cpu).map_err(system)?;
            }
        }
        Ok(())
    }

    /// The word of ARMED and EXITING, which lie side by side.
    fn flags(&self) -> u64 {
        self.control.load(control::ARMED as usize).unwrap_or(0)
    }

    fn is_exiting(&self) -> bool {
        self.flags() >> 32 != 0
    }

    fn arm(&self, on: bool) {
        let others = self.flags() & !0xffff_ffff;
        self.control.store(control::ARMED as usize, others | u64::from(on));
    }

    /// Takes down what names addresses and walks stacks of the processes that will fire, as far as they are known now: each
    /// may be gone when its first record is read.
    fn know_processes(&mut self) {
        let known = |id: &ProbeId| match self.known.get((id.0 as usize).checked_sub(1)?)?.how {
            How::Pid { pid, .. } | How::Usdt { pid, .. } => Some(pid),
            _ => None,
        };
        let enablings = self.program.clauses.iter().flat_map(|clause| &clause.probes);
        let enabled: BTreeSet<u32> =
            enablings.flat_map(|enabling| &enabling.probes).filter_map(known).collect();
        let targets = self.children.iter().map(Child::pid).chain(self.grabs.iter().map(Grab::pid));
        let mut pids: BTreeSet<u32> = targets.map(i32::cast_unsigned).collect();
        pids.extend(enabled.into_iter().take(KNOWN_AT_START));
        for pid in pids {
            if self.names_users {
                self.symbols.remember(pid);
            }
            if let Some(tables) = &mut self.tables {
                tables.add(pid.cast_signed(), &self.maps);
            }
        }
    }

    /// Takes away the dearest probes where all together cost more than `-x cpulimit` allows.
    fn guard(&mut self, sink: &mut dyn Sink) {
        let Some(costs) = &mut self.costs else { return };
        let known = &self.known;
        let named = |group| cost::name(&self.plan, known, group);
        if let Some((group, text)) = costs.exceeded(&self.progs, &self.plan.attach, &named) {
            self.links.retain(|(of, _)| *of != group);
            sink.event(Event::Warning(text));
        }
    }

    /// Attaches to files that have been mapped since.
    fn look_for_more(&mut self, sink: &mut dyn Sink) {
        let Some(mut later) = self.later.take() else { return };
        for warning in later.look(self) {
            sink.event(Event::Warning(warning));
        }
        if self.threads.is_none() {
            self.threads = Threads::new(&self.maps, later.scanner()).ok().flatten();
        }
        self.later = Some(later);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing fires any more: who waits for the end need not wait for the kernel to be sure of that.
        leave(std::mem::take(&mut self.links).into_iter().map(|(_, link)| link).collect());
    }
}

impl Session for Running {
    fn start(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        if self.state != State::Loaded {
            return Ok(());
        }
        self.state = State::Started;
        if let Some(later) = &mut self.later {
            later.start(&self.features)?;
        }
        self.attach(0, false)?;
        self.forks = forks::start(&self.maps);
        self.control.store(control::WALL as usize, sys::wall_offset().cast_unsigned());
        if self.names_users {
            self.symbols.watch();
        }
        self.know_processes();
        if self.refused > 0 {
            let count = std::mem::take(&mut self.refused);
            let text = match count {
                1 => "1 instruction cannot be probed on this kernel: it is left out".to_owned(),
                _ => format!("{count} instructions cannot be probed on this kernel: they are left out"),
            };
            sink.event(Event::Warning(text));
        }
        if let Some(threads) = &mut self.threads {
            threads.fill(&self.maps);
        }
        self.fire(&Attach::Begin)?;
        self.arm(true);
        self.attach(0, true)?;
        if let Some(costs) = &mut self.costs {
            costs.start();
        }
        if !self.is_exiting() {
            self.attend(true);
            self.children.iter_mut().for_each(Child::resume);
        }
        // Delivering may mean waiting for a command of the script's: that must not wait for us.
        self.attend(false);
        self.deliver(sink);
        // Who comes before the first look shall wait for it.
        self.attend(true);
        Ok(())
    }

    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        loop {
            self.look_for_more(sink);
            self.note_processes(sink);
            self.guard(sink);
            if self.is_exiting() && !self.exit_seen {
                self.deliver(sink);
                return Ok(());
            }
            if self.deliver_ends(sink) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // A process that waits for a copyout() has stopped.
            let full = self.ring.pending() > self.ring.size() as u64 / 8 || self.copies_out;
            if left.is_zero() || full {
                self.deliver(sink);
            }
            if left.is_zero() {
                return Ok(());
            }
            if self.wait(left.min(SLICE))? {
                self.deliver(sink);
                return Ok(());
            }
        }
    }

    fn snapshot(&mut self, agg: AggId, into: &mut Aggregation) -> Result<(), BackendError> {
        self.symbols.note();
        self.banks.snapshot(agg, into, &self.image.layout, &self.control, &self.symbols)
    }

    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        if self.state == State::Stopped {
            return Ok(());
        }
        let started = self.state == State::Started;
        self.state = State::Stopped;
        self.arm(false);
        rcu::synchronize().map_err(system)?;
        if let Some(costs) = &mut self.costs {
            costs.stop();
        }
        self.deliver(sink);
        if started {
            self.fire(&Attach::End)?;
            self.deliver(sink);
        }
        let (plan, known) = (&self.plan, &self.known);
        self.losses.missed(&self.progs, &|group| cost::name(plan, known, group), sink);
        Ok(())
    }

    fn enabled(&self, clause: ClauseId) -> usize {
        let index = clause.0 as usize;
        let named =
            self.program.clauses.get(index).map_or(0, |clause| {
                clause.probes.iter().map(|enabling| enabling.probes.len()).sum::<usize>()
            });
        named + self.more.get(index).copied().unwrap_or(0)
    }

    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.symbols
    }

    fn explain(&self) -> Option<String> {
        let known = &self.known;
        let named = |group| cost::name(&self.plan, known, group);
        Some(self.costs.as_ref()?.explain(&self.progs, &self.plan.attach, &self.image, &named))
    }

    fn listing(&self, sources: &SourceMap) -> Option<String> {
        let clauses = |group: usize| {
            let group = self.plan.groups.get(group);
            let also = group.and_then(|group| group.also.as_deref());
            let clauses = also.into_iter().chain(group).flat_map(|group| &group.clauses);
            let found = clauses.filter_map(|id| self.program.clauses.get(id.0 as usize));
            let names = found.flat_map(|clause| &clause.probes).map(|enabling| enabling.desc.to_string());
            names.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
        };
        Some(listing::listing(&self.image, sources, &clauses))
    }
}
