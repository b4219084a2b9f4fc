//! Links: what ties a program to its probes. Dropping a link detaches.

use super::bpf::{self, UprobeMulti};
use super::perf_event::{self, Counter, Rate};
use super::{Error, Kind, Prog};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// An attachment. Closing many costs the kernel one grace period each for perf events, one in all for a multi link.
#[derive(Debug)]
pub struct Link {
    // Fields are closed in this order: the link before the event it stands on.
    link: OwnedFd,
    event: Option<OwnedFd>,
}

impl Link {
    /// Its descriptors, in the order in which they are to be closed.
    pub(super) fn into_descriptors(self) -> impl Iterator<Item = OwnedFd> {
        std::iter::once(self.link).chain(self.event)
    }

    #[cfg(test)]
    pub(super) fn of(descriptor: OwnedFd) -> Link {
        Link { link: descriptor, event: None }
    }
}

/// A place in a file where a program shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Offset in the file (not the address) of the instruction.
    pub offset: u64,
    /// Offset in the file of the USDT semaphore to count up while attached; 0 for none.
    pub ref_ctr_offset: u64,
    /// What `bpf_get_attach_cookie` returns there.
    pub cookie: u64,
}

impl Site {
    /// A site without a semaphore.
    pub fn new(offset: u64, cookie: u64) -> Site {
        Site { offset, ref_ctr_offset: 0, cookie }
    }
}

/// `ENOTSUPP` of linux/errno.h, which no header of the C library has.
const ENOTSUPP: i32 = 524;

/// Attaches to sites of one file, in every process that maps it now or later (`pid` `None`) or in one.
///
/// The program's [`Kind`] decides how: one link for all (`UprobeMulti`, `UprobeSession`) or one link and
/// one perf event for each (`Uprobe`). `at_return` runs the program when the function that starts at the site returns.
pub fn attach_uprobes(
    prog: &Prog,
    path: &Path,
    sites: &[Site],
    at_return: bool,
    pid: Option<u32>,
) -> Result<Vec<Link>, Error> {
    if sites.is_empty() {
        return Ok(Vec::new());
    }
    let describe = |error: Error| Error { call: format!("{} on {}", error.call, path.display()), ..error };
    if prog.kind() == Kind::Uprobe {
        return sites.iter().map(|site| one_uprobe(prog, path, site, at_return, pid)).collect();
    }
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| describe(Error::new("bpf(BPF_LINK_CREATE, uprobe_multi)", libc::EINVAL)))?;
    let offsets: Vec<u64> = sites.iter().map(|site| site.offset).collect();
    let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
    let ref_ctr_offsets: Vec<u64> = match sites.iter().any(|site| site.ref_ctr_offset != 0) {
        true => sites.iter().map(|site| site.ref_ctr_offset).collect(),
        false => Vec::new(),
    };
    let multi = UprobeMulti {
        path: &name,
        offsets: &offsets,
        ref_ctr_offsets: &ref_ctr_offsets,
        cookies: &cookies,
        pid: pid.unwrap_or(0),
        at_return,
        session: prog.kind() == Kind::UprobeSession,
    };
    let link = bpf::link_uprobe_multi(prog.as_fd(), &multi).map_err(describe)?;
    Ok(vec![Link { link, event: None }])
}

/// As [`attach_uprobes`], but an instruction that cannot be probed does not keep the others from it: gives
/// how many there were.
pub fn attach_uprobes_if_possible(
    prog: &Prog,
    path: &Path,
    sites: &[Site],
    at_return: bool,
    pid: Option<u32>,
) -> Result<(Vec<Link>, usize), Error> {
    let file = File::open(path).ok();
    let start = |site: &Site| start(file.as_ref(), site.offset);
    let (calls, sites): (Vec<Site>, Vec<Site>) = sites.iter().partition(|site| is_system_call(start(site)));
    let mut refused = calls.len();
    match attach_uprobes(prog, path, &sites, at_return, pid) {
        Ok(links) => return Ok((links, refused)),
        Err(error) if error.errno == ENOTSUPP => {}
        Err(error) => return Err(error),
    }
    // To look for one among thousands by halves takes the kernel minutes: those that it mostly is go first.
    let (odd, plain): (Vec<Site>, Vec<Site>) = sites.iter().partition(|site| has_odd_prefix(start(site)));
    let mut links = Vec::new();
    for sites in [plain, odd] {
        let (more, also) = attach_halves(prog, path, &sites, at_return, pid)?;
        links.extend(more);
        refused += also;
    }
    Ok((links, refused))
}

/// The first bytes of an instruction; zeroes where the file cannot be read.
fn start(file: Option<&File>, offset: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    if let Some(file) = file.filter(|_| cfg!(target_arch = "x86_64")) {
        // What was not read stays 0.
        let _ = file.read_at(&mut bytes, offset);
    }
    bytes
}

/// `syscall`, `sysenter`, `int`: the kernel lets the processor step over a copy of the instruction, and the way back from a
/// system call does not stop until one more has run, which is the next one's copy in a wrong place. If that goes by its own address
/// (as after the system call in glibc's `brk`), the process dies.
fn is_system_call(bytes: [u8; 4]) -> bool {
    matches!(bytes, [0x0f, 0x05 | 0x34, ..] | [0xcd, ..])
}

/// Does an instruction begin with a prefix that uprobes have no way with: `lock`, or a segment
/// (arch/x86/kernel/uprobes.c, is_prefix_bad())?
fn has_odd_prefix(bytes: [u8; 4]) -> bool {
    const PREFIXES: [u8; 3] = [0x66, 0xf2, 0xf3];
    const BAD: [u8; 5] = [0x26, 0x2e, 0x36, 0x3e, 0xf0];
    bytes.iter().find(|byte| !PREFIXES.contains(byte)).is_some_and(|byte| BAD.contains(byte))
}

fn attach_halves(
    prog: &Prog,
    path: &Path,
    sites: &[Site],
    at_return: bool,
    pid: Option<u32>,
) -> Result<(Vec<Link>, usize), Error> {
    match attach_uprobes(prog, path, sites, at_return, pid) {
        Ok(links) => Ok((links, 0)),
        Err(error) if error.errno == ENOTSUPP && sites.len() > 1 => {
            let (left, right) = sites.split_at(sites.len() / 2);
            let (mut links, mut refused) = attach_halves(prog, path, left, at_return, pid)?;
            let (more, also) = attach_halves(prog, path, right, at_return, pid)?;
            links.extend(more);
            refused += also;
            Ok((links, refused))
        }
        Err(error) if error.errno == ENOTSUPP => Ok((Vec::new(), sites.len())),
        Err(error) => Err(error),
    }
}

fn one_uprobe(
    prog: &Prog,
    path: &Path,
    site: &Site,
    at_return: bool,
    pid: Option<u32>,
) -> Result<Link, Error> {
    let pid = pid.map_or(-1, |pid| pid as i32);
    let event = perf_event::uprobe(path, site.offset, site.ref_ctr_offset, at_return, pid)?;
    on_event(prog, event, site.cookie)
}

fn on_event(prog: &Prog, event: OwnedFd, cookie: u64) -> Result<Link, Error> {
    let link = bpf::link_perf_event(prog.as_fd(), event.as_fd(), cookie)?;
    Ok(Link { link, event: Some(event) })
}

/// Attaches a `RawTracepoint` program to a tracepoint by name (`sys_enter`, `sched_switch`).
/// A cookie other than 0 needs kernel 6.10.
pub fn attach_raw_tracepoint(prog: &Prog, name: &str, cookie: u64) -> Result<Link, Error> {
    let link = bpf::raw_tracepoint_open(prog.as_fd(), Some(name), cookie)?;
    Ok(Link { link, event: None })
}

/// Attaches a program that was loaded for a BTF id (`TracepointBtf`, `Fentry`, `Fexit`) to it.
pub fn attach_btf(prog: &Prog, cookie: u64) -> Result<Link, Error> {
    let link = bpf::raw_tracepoint_open(prog.as_fd(), None, cookie)?;
    Ok(Link { link, event: None })
}

/// Attaches a `Tracepoint` program to a tracepoint by its number in tracefs.
pub fn attach_tracepoint(prog: &Prog, id: u64, cookie: u64) -> Result<Link, Error> {
    on_event(prog, perf_event::tracepoint(id)?, cookie)
}

/// Runs a `PerfEvent` program on a CPU at a rate.
pub fn attach_cpu_clock(prog: &Prog, rate: Rate, cpu: u32, cookie: u64) -> Result<Link, Error> {
    on_event(prog, perf_event::cpu_clock(rate, cpu)?, cookie)
}

/// Runs a `PerfEvent` program on a CPU whenever a counter has counted so far.
pub fn attach_counter(prog: &Prog, counter: Counter, cpu: u32, cookie: u64) -> Result<Link, Error> {
    on_event(prog, perf_event::counter(counter, cpu)?, cookie)
}

/// A kernel function, and what `bpf_get_attach_cookie` returns there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSite {
    pub function: String,
    pub cookie: u64,
}

/// Attaches to entries or returns of kernel functions: through one link (`KprobeMulti`) or one link and one perf event
/// for each (`Kprobe`).
pub fn attach_kprobes(prog: &Prog, sites: &[KernelSite], at_return: bool) -> Result<Vec<Link>, Error> {
    if sites.is_empty() {
        return Ok(Vec::new());
    }
    if prog.kind() == Kind::Kprobe {
        let one =
            |site: &KernelSite| on_event(prog, perf_event::kprobe(&site.function, at_return)?, site.cookie);
        return sites.iter().map(one).collect();
    }
    let names: Result<Vec<CString>, _> =
        sites.iter().map(|site| CString::new(site.function.as_str())).collect();
    let names = names.map_err(|_| Error::new("bpf(BPF_LINK_CREATE, kprobe_multi)", libc::EINVAL))?;
    let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
    let link = bpf::link_kprobe_multi(prog.as_fd(), &names, &cookies, at_return)?;
    Ok(vec![Link { link, event: None }])
}
