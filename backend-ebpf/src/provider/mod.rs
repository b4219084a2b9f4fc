//! Providers: which probes there are, what their arguments are, how they are attached.
//!
//! One file each and one row each in [`ROWS`]. Nothing is looked for before a description asks for it, and what was
//! found once keeps its number for the life of the [`Registry`].

mod composite;
mod counters;
mod cpc;
mod dtrace;
mod fbt;
mod io;
mod library;
mod lockstat;
mod net;
pub mod pid;
mod plockstat;
mod proc;
pub mod profile;
mod rawtp;
mod sched;
pub mod shelf;
mod syscall;
mod syscall_table;
pub mod usdt;
pub mod virtual_probes;

use crate::codegen::{ArgSource, Test};
use crate::kernel::perf_event::{Counter, Rate};
use crate::process::usdt_scan::{Scan, Scanner};
use crate::symbols::recipe::{LookWhen, Recipe};
use duotrace_core::backend::ProbeMatch;
use duotrace_core::diagnostic::Tag;
use duotrace_core::probe::{Probe, ProbeArg, ProbeDesc, ProbeId, glob_match};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Number of `dtrace:::BEGIN`.
pub const BEGIN: ProbeId = ProbeId(1);
/// Number of `dtrace:::END`.
pub const END: ProbeId = ProbeId(2);
/// Number of `dtrace:::ERROR`.
pub const ERROR: ProbeId = ProbeId(3);

/// What a probe stands on.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// BEGIN and END: run by us.
    Ourselves,
    /// ERROR: run by the programs whose clauses fault.
    Fault,
    /// A timer on one CPU (tick) or on each (profile).
    Timer { rate: Rate, every_cpu: bool },
    /// A counter on each CPU.
    Counter { counter: Counter, args: Vec<ArgSource> },
    /// A system call by number.
    Syscall { number: u32, at_return: bool },
    /// A kernel tracepoint by name.
    RawTracepoint { name: String },
    /// A kernel tracepoint under conditions and with arguments of our own.
    Kernel {
        tracepoint: String,
        /// Through BTF, which gives trusted pointers.
        typed: bool,
        guard: Vec<Test>,
        args: Vec<ArgSource>,
        /// Which argument is the task whose probe this is, if not the current one.
        task: Option<u16>,
        /// Are its arguments about a wait for a lock that ends there?
        wait: bool,
    },
    /// A kernel function's entry or return, by its BTF id.
    Function { id: u32, at_return: bool, args: Vec<ArgSource> },
    /// The same, by its name.
    Kprobe { function: String, at_return: bool, args: Vec<ArgSource> },
    /// Places in the files of one process.
    Pid { pid: u32, sites: Vec<UserSite> },
    /// A USDT probe of a file, as one process has it.
    Usdt { pid: u32, point: Arc<usdt::Point> },
}

/// A place in a file to plant a uprobe at.
#[derive(Clone, Debug, PartialEq)]
pub struct UserSite {
    pub path: Arc<PathBuf>,
    /// Offset in the file.
    pub offset: u64,
    /// Offset in the file of the semaphore, 0 without.
    pub semaphore: u64,
    /// Offset of the instruction in its function: the upper half of the cookie.
    pub within: u32,
    /// arg0, arg1, ... here.
    pub args: Arc<Vec<ArgSource>>,
    /// Is the return address at `[rsp]`?
    pub at_entry: bool,
    /// A virtual probe's condition.
    pub condition: Option<Arc<Recipe>>,
    /// Of a return: where its function is entered in the file, if it can be traced from there.
    pub returns_of: Option<u64>,
    /// What is kept of the function's entry, for `condition` and `args`.
    pub keep: Option<Keep>,
    /// There is no such place, but threads are looked at.
    pub look: Option<LookWhen>,
}

/// What a probe at a function's return wants of its entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Keep {
    /// Offset in the file of the entry.
    pub offset: u64,
    pub function: String,
    pub value: Arc<Recipe>,
}

/// A probe and what it stands on.
#[derive(Clone, Debug)]
pub struct Known {
    pub probe: Probe,
    pub how: How,
}

/// A provider's row: its name pattern (for documentation) and its search.
struct Row {
    /// The provider's name; `NNN` stands for a process.
    name: &'static str,
    /// Adds the probes that match a description to the search.
    find: fn(&mut Search<'_>),
}

/// The providers, in the order of their probes' numbers.
const ROWS: [Row; 20] = [
    Row { name: "dtrace", find: dtrace::find },
    Row { name: "profile", find: profile::find },
    Row { name: "syscall", find: syscall::find },
    Row { name: "proc", find: |search| composite::find(search, "proc", proc::probes) },
    Row { name: "sched", find: |search| composite::find(search, "sched", sched::probes) },
    Row { name: "io", find: |search| composite::find(search, "io", io::probes) },
    Row { name: "ip", find: |search| composite::find(search, "ip", net::ip) },
    Row { name: "tcp", find: |search| composite::find(search, "tcp", net::tcp) },
    Row { name: "udp", find: |search| composite::find(search, "udp", net::udp) },
    Row { name: "sysinfo", find: |search| composite::find(search, "sysinfo", counters::sysinfo) },
    Row { name: "vminfo", find: counters::find_vminfo },
    Row { name: "mib", find: |search| composite::find(search, "mib", counters::mib) },
    Row { name: "lockstat", find: lockstat::find },
    Row { name: "cpc", find: cpc::find },
    Row { name: "fbt", find: fbt::find },
    Row { name: "rawtp", find: rawtp::find },
    Row { name: "sdt", find: |_| {} },
    Row { name: "pidNNN", find: pid::find },
    Row { name: "plockstatNNN", find: plockstat::find },
    Row { name: "*NNN", find: usdt::find },
];

pub use library::LIBRARY;

/// Names of the providers, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

/// All probes that were ever found.
#[derive(Debug, Default)]
pub struct Registry {
    /// In order of number.
    pub known: Rc<shelf::Shelf<Known>>,
    by_name: HashMap<[String; 4], Vec<ProbeId>>,
    /// Files with USDT probes.
    pub scanner: Scanner,
    /// The system-wide scan, made once.
    pub scan: Option<Arc<Scan>>,
}

/// One search: a description, and what was found for it.
pub struct Search<'a> {
    pub desc: &'a ProbeDesc,
    pub registry: &'a mut Registry,
    found: BTreeSet<ProbeId>,
    /// More may come later.
    pub open_ended: bool,
    /// What was searched, what failed.
    pub notes: Vec<String>,
    /// dtrace's tag for the first note, if it has one.
    pub tag: Option<Tag>,
}

impl Search<'_> {
    /// Has something been found?
    pub fn any(&self) -> bool {
        !self.found.is_empty()
    }

    /// Is the description's provider part a match for a provider of fixed name?
    pub fn is_provider(&self, name: &str) -> bool {
        glob_match(&self.desc.provider, name)
    }

    /// Adds a probe.
    pub fn add(&mut self, names: [&str; 4], args: Option<Vec<ProbeArg>>, how: How) {
        let id = self.registry.add(names, args, how);
        self.found.insert(id);
    }
}

impl Registry {
    /// The probe of a number.
    pub fn get(&self, id: ProbeId) -> Option<&Known> {
        self.known.get((id.0 as usize).checked_sub(1)?)
    }

    /// Finds the probes of a description.
    pub fn find(&mut self, desc: &ProbeDesc) -> ProbeMatch {
        if self.known.is_empty() {
            dtrace::register(self);
        }
        if let Some(number) = desc.id {
            return self.by_number(number);
        }
        let mut search = Search {
            desc,
            registry: self,
            found: BTreeSet::new(),
            open_ended: false,
            notes: Vec::new(),
            tag: None,
        };
        for row in &ROWS {
            (row.find)(&mut search);
        }
        let Search { found, open_ended, mut notes, tag, .. } = search;
        if !found.is_empty() {
            notes.clear();
        }
        ProbeMatch { probes: found.into_iter().collect(), open_ended, notes, tag }
    }

    /// A probe by number: numbers of an earlier `-l` hold, for a listing finds them in the same order.
    fn by_number(&mut self, number: u32) -> ProbeMatch {
        if self.get(ProbeId(number)).is_none() {
            self.find(&ProbeDesc::default());
        }
        match self.get(ProbeId(number)) {
            Some(known) => ProbeMatch { probes: vec![known.probe.id], ..ProbeMatch::default() },
            None => ProbeMatch {
                notes: vec![format!("there are {} probes", self.known.len())],
                ..ProbeMatch::default()
            },
        }
    }

    /// Registers a probe, or gives the number it has.
    pub fn add(&mut self, names: [&str; 4], args: Option<Vec<ProbeArg>>, how: How) -> ProbeId {
        let key = names.map(str::to_owned);
        if let Some(ids) = self.by_name.get(&key) {
            for id in ids {
                if self.get(*id).is_some_and(|known| known.how == how) {
                    return *id;
                }
            }
        }
        let id = ProbeId(self.known.len() as u32 + 1);
        let [provider, module, function, name] = key.clone();
        if self.known.push(Known { probe: Probe { id, provider, module, function, name, args }, how }) {
            self.by_name.entry(key).or_default().push(id);
        }
        id
    }
}

/// Offsets in x86-64's `struct pt_regs` of the System V argument registers, in order.
pub(crate) const ARGUMENT_REGISTERS: [u16; 6] = [112, 104, 96, 88, 72, 64];
/// Offset of `rax`.
pub(crate) const RAX: u16 = 80;
/// Offset of `rip`.
pub(crate) const RIP: u16 = 128;
/// Offset of `rsp`.
pub(crate) const RSP: u16 = 152;
