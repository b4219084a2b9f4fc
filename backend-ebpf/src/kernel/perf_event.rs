//! Perf events: the carriers of tracepoints, single uprobes and timers.

use super::sys::{self, PerfAttr};
use super::{Error, cpus};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

const TYPE_SOFTWARE: u32 = 1;
const TYPE_TRACEPOINT: u32 = 2;
const CPU_CLOCK: u64 = 0;
const FLAG_EXCLUDE_USER: u64 = 1 << 4;
const FLAG_EXCLUDE_KERNEL: u64 = 1 << 5;
const FLAG_EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const FLAG_FREQ: u64 = 1 << 10;
const PERF_EVENT_IOC_ENABLE: u64 = 0x2400;
const PERF_EVENT_IOC_DISABLE: u64 = 0x2401;

/// How often a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So many times a second of the CPU's busy time.
    Hertz(u64),
    /// Every so many nanoseconds.
    Nanoseconds(u64),
}

/// Switches an open event on or off.
pub fn enable(event: &OwnedFd, on: bool) -> Result<(), Error> {
    use std::os::fd::AsFd;
    let request = if on { PERF_EVENT_IOC_ENABLE } else { PERF_EVENT_IOC_DISABLE };
    sys::ioctl(event.as_fd(), request, 0).map_err(|errno| Error::new("ioctl(PERF_EVENT_IOC_ENABLE)", errno))
}

/// A software clock on one CPU, sampling whatever runs there.
pub fn cpu_clock(rate: Rate, cpu: u32) -> Result<OwnedFd, Error> {
    let (sample, flags) = match rate {
        Rate::Hertz(hertz) => (hertz, FLAG_FREQ),
        Rate::Nanoseconds(period) => (period, 0),
    };
    let attr = PerfAttr { type_: TYPE_SOFTWARE, config: CPU_CLOCK, sample, flags, ..PerfAttr::default() };
    sys::perf_event_open(attr, None, -1, cpu as i32).map_err(|errno| {
        let error = Error::new(format!("perf_event_open(cpu-clock, cpu {cpu})"), errno);
        match errno {
            libc::EINVAL => error.hint("above kernel.perf_event_max_sample_rate, or a period of 0"),
            _ => error.with_privileges(),
        }
    })
}

/// A counter of the processor or of the kernel, and after how many counts it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// `PERF_TYPE_*` and the event's number there (`linux/perf_event.h`).
    pub type_: u32,
    pub config: u64,
    pub period: u64,
    /// Does it count in user mode; in the kernel?
    pub user: bool,
    pub kernel: bool,
}

/// A counter on one CPU, whatever runs there.
pub fn counter(counter: Counter, cpu: u32) -> Result<OwnedFd, Error> {
    let mut flags = FLAG_EXCLUDE_HYPERVISOR;
    if !counter.user {
        flags |= FLAG_EXCLUDE_USER;
    }
    if !counter.kernel {
        flags |= FLAG_EXCLUDE_KERNEL;
    }
    let Counter { type_, config, period, .. } = counter;
    let attr = PerfAttr { type_, config, sample: period, flags, ..PerfAttr::default() };
    sys::perf_event_open(attr, None, -1, cpu as i32).map_err(|errno| {
        Error::new(format!("perf_event_open(type {type_}, event {config:#x}, cpu {cpu})"), errno)
            .with_privileges()
    })
}

/// A tracepoint by the number in tracefs (`events/CATEGORY/NAME/id`). A program on it sees all CPUs.
pub fn tracepoint(id: u64) -> Result<OwnedFd, Error> {
    let attr = PerfAttr { type_: TYPE_TRACEPOINT, config: id, sample: 1, ..PerfAttr::default() };
    sys::perf_event_open(attr, None, -1, 0)
        .map_err(|errno| Error::new(format!("perf_event_open(tracepoint {id})"), errno).with_privileges())
}

/// The `uprobe` or `kprobe` event source: its type number and the bits of its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProbeSource {
    type_: u32,
    retprobe_bit: u32,
    ref_ctr_shift: Option<u32>,
}

/// Read once: a file for each of a thousand sites would be slow.
static UPROBE: OnceLock<ProbeSource> = OnceLock::new();
static KPROBE: OnceLock<ProbeSource> = OnceLock::new();

impl ProbeSource {
    fn uprobe() -> Result<ProbeSource, Error> {
        Self::get(&UPROBE, "uprobe", "the kernel has no uprobes (CONFIG_UPROBE_EVENTS)")
    }

    fn kprobe() -> Result<ProbeSource, Error> {
        Self::get(&KPROBE, "kprobe", "the kernel has no kprobes (CONFIG_KPROBE_EVENTS)")
    }

    fn get(known: &OnceLock<ProbeSource>, name: &str, without: &str) -> Result<ProbeSource, Error> {
        match known.get() {
            Some(source) => Ok(*source),
            None => ProbeSource::read(name, without).map(|source| *known.get_or_init(|| source)),
        }
    }

    fn read(source: &str, without: &str) -> Result<ProbeSource, Error> {
        let read = |name: &str| {
            let path = format!("/sys/bus/event_source/devices/{source}/{name}");
            std::fs::read_to_string(&path)
                .map_err(|error| Error::io(format!("read {path}"), &error).hint(without))
        };
        let type_ = read("type")?
            .trim()
            .parse()
            .map_err(|_| Error::other(format!("{source} event source"), "no type"))?;
        // `config:0` and `config:32-63`
        let bit = |text: String| {
            let bits = text.trim().strip_prefix("config:")?.to_string();
            bits.split('-').next()?.parse::<u32>().ok().filter(|bit| *bit < 64)
        };
        let retprobe_bit = bit(read("format/retprobe")?).unwrap_or(0);
        let ref_ctr_shift = read("format/ref_ctr_offset").ok().and_then(bit);
        Ok(ProbeSource { type_, retprobe_bit, ref_ctr_shift })
    }
}

/// Entry or return of a kernel function, by its name.
pub fn kprobe(name: &str, at_return: bool) -> Result<OwnedFd, Error> {
    let call = || format!("perf_event_open(kprobe {name})");
    let source = ProbeSource::kprobe()?;
    let name = CString::new(name).map_err(|_| Error::new(call(), libc::EINVAL))?;
    let config = u64::from(at_return) << source.retprobe_bit;
    let attr = PerfAttr { type_: source.type_, config, sample: 1, ..PerfAttr::default() };
    let cpu = cpus::online()?.first().map_or(0, |cpu| *cpu as i32);
    sys::perf_event_open(attr, Some(&name), -1, cpu).map_err(|errno| {
        let error = Error::new(call(), errno);
        match errno {
            libc::ENOENT | libc::EADDRNOTAVAIL | libc::EINVAL => {
                error.hint("there is no such function to probe")
            }
            _ => error.with_privileges(),
        }
    })
}

/// One uprobe of a file, in every process (`pid` -1) or in one.
pub fn uprobe(
    path: &Path,
    offset: u64,
    ref_ctr_offset: u64,
    at_return: bool,
    pid: i32,
) -> Result<OwnedFd, Error> {
    use std::os::unix::ffi::OsStrExt;
    let call = || format!("perf_event_open(uprobe {}+{offset:#x})", path.display());
    let source = ProbeSource::uprobe()?;
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::new(call(), libc::EINVAL))?;
    let mut config = u64::from(at_return) << source.retprobe_bit;
    if ref_ctr_offset != 0 {
        let shift = source
            .ref_ctr_shift
            .ok_or_else(|| Error::other(call(), "this kernel cannot count semaphores (needs 4.20)"))?;
        config |= ref_ctr_offset << shift;
    }
    let attr = PerfAttr { type_: source.type_, config, config2: offset, sample: 1, ..PerfAttr::default() };
    let cpu = if pid == -1 { cpus::online()?.first().map_or(0, |cpu| *cpu as i32) } else { -1 };
    sys::perf_event_open(attr, Some(&name), pid, cpu)
        .map_err(|errno| Error::new(call(), errno).with_privileges())
}
