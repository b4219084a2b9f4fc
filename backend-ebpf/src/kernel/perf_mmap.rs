//! Learning of processes and libraries that start later: the kernel's own side-band events.
//!
//! One dummy event on each CPU reports fork, exit, exec and every new executable
//! mapping, system-wide, into a ring per CPU. It costs nothing while no program starts. Record layouts: perf_event_open(2).

use super::region::Region;
use super::sys::{self, PerfAttr};
use super::{Error, cpus, perf_event};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

const TYPE_SOFTWARE: u32 = 1;
const DUMMY: u64 = 9;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
/// Bytes that `sample_id_all` with TID and TIME adds to each record: pid, tid, time.
const TRAILER: usize = 16;
const FLAG_DISABLED: u64 = 1;
const FLAG_MMAP: u64 = 1 << 8;
const FLAG_COMM: u64 = 1 << 9;
const FLAG_TASK: u64 = 1 << 13;
const FLAG_WATERMARK: u64 = 1 << 14;
const FLAG_SAMPLE_ID_ALL: u64 = 1 << 18;
const FLAG_MMAP2: u64 = 1 << 23;
const FLAG_COMM_EXEC: u64 = 1 << 24;
const FLAG_USE_CLOCKID: u64 = 1 << 25;

const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_EXIT: u32 = 4;
const RECORD_FORK: u32 = 7;
const RECORD_MMAP2: u32 = 10;
/// `misc` bit of a COMM record: the name changed because of exec.
const MISC_COMM_EXEC: u16 = 1 << 13;

/// Offsets in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// Something happened to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Nanoseconds of CLOCK_MONOTONIC, as `bpf_ktime_get_ns` gives them.
    pub time: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// What.
    pub what: What,
}

/// Kinds of [`Happening`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file was mapped with permission to execute.
    Map {
        /// First address.
        start: u64,
        /// Bytes.
        len: u64,
        /// Offset in the file, in bytes.
        file_offset: u64,
        /// Device of the file.
        major: u32,
        /// Device of the file.
        minor: u32,
        /// Inode number; 0 for memory without a file.
        inode: u64,
        /// Path as the process sees it (its own mount namespace), or `[vdso]`, `//anon`.
        path: PathBuf,
    },
    /// The process runs another program now.
    Exec {
        /// The new name, at most 15 bytes.
        comm: Vec<u8>,
    },
    /// A thread got another name.
    Rename {
        /// The new name, at most 15 bytes.
        comm: Vec<u8>,
    },
    /// A process or a thread began.
    Fork {
        /// The process that made it; the same as `pid` for a new thread.
        parent: u32,
    },
    /// A thread ended; the process too if `pid` and `tid` are equal.
    Exit,
    /// So many records had no room: look at `/proc` again.
    Lost(u64),
}

#[derive(Debug)]
struct Ring {
    region: Region,
    page: usize,
    size: usize,
    event: OwnedFd,
}

/// The rings of all CPUs.
#[derive(Debug)]
pub struct Watch {
    rings: Vec<Ring>,
    scratch: Vec<u8>,
}

impl Watch {
    /// Starts watching with a ring of `pages` pages (a power of two) on each online CPU.
    pub fn start(pages: usize) -> Result<Watch, Error> {
        let page = sys::page_size();
        let size = pages.max(1).next_power_of_two() * page;
        let attr = PerfAttr {
            type_: TYPE_SOFTWARE,
            config: DUMMY,
            sample_type: SAMPLE_TID | SAMPLE_TIME,
            flags: FLAG_DISABLED
                | FLAG_MMAP
                | FLAG_MMAP2
                | FLAG_COMM
                | FLAG_COMM_EXEC
                | FLAG_TASK
                | FLAG_SAMPLE_ID_ALL
                | FLAG_WATERMARK
                | FLAG_USE_CLOCKID,
            // Wake a poller after the first record.
            wakeup: 1,
            clockid: libc::CLOCK_MONOTONIC,
            ..PerfAttr::default()
        };
        let mut rings = Vec::new();
        for cpu in cpus::online()? {
            let event = sys::perf_event_open(attr, None, -1, cpu as i32).map_err(|errno| {
                Error::new(format!("perf_event_open(mmap events, cpu {cpu})"), errno).with_privileges()
            })?;
            let region = Region::map(event.as_fd(), 0, page + size, true, "perf ring")?;
            rings.push(Ring { region, page, size, event });
        }
        for ring in &rings {
            perf_event::enable(&ring.event, true)?;
        }
        Ok(Watch { rings, scratch: Vec::new() })
    }

    /// Descriptors to poll for reading.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.iter().map(|ring| ring.event.as_fd())
    }

    /// Hands over all that happened since the last call, CPU by CPU (sort by `time` to order across CPUs).
    pub fn drain(&mut self, mut happening: impl FnMut(Happening)) {
        for ring in &self.rings {
            drain(ring, &mut self.scratch, &mut happening);
        }
    }
}

fn drain(ring: &Ring, record: &mut Vec<u8>, happening: &mut impl FnMut(Happening)) {
    // Acquire and release pair with the kernel's own on the two positions.
    let Some(head) = ring.region.load(DATA_HEAD, Ordering::Acquire) else { return };
    let Some(mut tail) = ring.region.load(DATA_TAIL, Ordering::Relaxed) else { return };
    while tail < head {
        let mut header = [0u8; 8];
        if copy(ring, tail, &mut header).is_none() {
            break;
        }
        let fields = Fields(&header);
        let (Some(kind), Some(misc), Some(len)) = (fields.u32(0), fields.u16(4), fields.u16(6)) else {
            break;
        };
        if usize::from(len) < header.len() {
            break;
        }
        record.clear();
        record.resize(usize::from(len), 0);
        if copy(ring, tail, record).is_none() {
            break;
        }
        if let Some(found) = parse(kind, misc, record) {
            happening(found);
        }
        tail += u64::from(len);
    }
    ring.region.store(DATA_TAIL, tail, Ordering::Release);
}

/// Copies bytes at a position, going round the end of the ring.
fn copy(ring: &Ring, position: u64, out: &mut [u8]) -> Option<()> {
    let at = position as usize & (ring.size - 1);
    let first = out.len().min(ring.size - at);
    let (head, tail) = out.split_at_mut_checked(first)?;
    ring.region.copy_to(ring.page + at, head)?;
    ring.region.copy_to(ring.page, tail)
}

/// Fields of a record by byte offset.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_ne_bytes)
    }

    /// A NUL-padded text from `at` up to the trailer.
    fn text(&self, at: usize) -> Option<Vec<u8>> {
        let end = self.0.len().checked_sub(TRAILER)?;
        let text = self.0.get(at..end)?;
        Some(text.split(|&byte| byte == 0).next().unwrap_or_default().to_vec())
    }
}

fn parse(kind: u32, misc: u16, record: &[u8]) -> Option<Happening> {
    let fields = Fields(record);
    let trailer = record.len().checked_sub(TRAILER)?;
    let time = fields.u64(trailer + 8)?;
    let (pid, tid) = (fields.u32(8)?, fields.u32(12)?);
    let (pid, tid, what) = match kind {
        RECORD_LOST => (fields.u32(trailer)?, fields.u32(trailer + 4)?, What::Lost(fields.u64(16)?)),
        RECORD_COMM => {
            let comm = fields.text(16)?;
            let what = if misc & MISC_COMM_EXEC != 0 { What::Exec { comm } } else { What::Rename { comm } };
            (pid, tid, what)
        }
        // pid, ppid, tid, ptid
        RECORD_FORK => (pid, fields.u32(16)?, What::Fork { parent: tid }),
        RECORD_EXIT => (pid, fields.u32(16)?, What::Exit),
        RECORD_MMAP2 => {
            let what = What::Map {
                start: fields.u64(16)?,
                len: fields.u64(24)?,
                file_offset: fields.u64(32)?,
                major: fields.u32(40)?,
                minor: fields.u32(44)?,
                inode: fields.u64(48)?,
                path: PathBuf::from(std::ffi::OsString::from_vec(fields.text(72)?)),
            };
            (pid, tid, what)
        }
        _ => return None,
    };
    Some(Happening { time, pid, tid, what })
}
