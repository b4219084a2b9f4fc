//! What differs between the libraries called libdtrace.
//!
//! Two families: the **Sun** one (illumos, FreeBSD, macOS: one layout, but for the
//! length of a function's name and a few calls), and **Oracle's** (Linux), which
//! shares names with it and little else. Facts come from the systems' own
//! `dtrace.h`; no library checks a caller's idea of its structures, so what is
//! read through them is copied out at once into the neutral types below.

pub mod oracle;
pub mod sun;

use std::ffi::{CStr, c_char, c_void};

/// Whose libdtrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Oracle's for Linux, version 2.
    Oracle,
    /// illumos: function names of 128 bytes.
    Illumos,
    /// FreeBSD: function names of 192 bytes.
    FreeBsd,
    /// macOS: as illumos.
    MacOs,
}

impl Family {
    /// The family's name, for `DUOTRACE_LIBDTRACE_ABI` and messages.
    pub fn name(self) -> &'static str {
        match self {
            Family::Oracle => "oracle",
            Family::Illumos => "illumos",
            Family::FreeBsd => "freebsd",
            Family::MacOs => "macos",
        }
    }

    /// The family of a name.
    pub fn from_name(name: &str) -> Option<Family> {
        [Family::Oracle, Family::Illumos, Family::FreeBsd, Family::MacOs]
            .into_iter()
            .find(|f| f.name() == name)
    }

    /// The family of a library of the Sun family on this system.
    pub fn native_sun() -> Family {
        if cfg!(target_os = "macos") {
            Family::MacOs
        } else if cfg!(target_os = "freebsd") {
            Family::FreeBsd
        } else {
            Family::Illumos
        }
    }

    /// Is it Oracle's?
    pub fn is_oracle(self) -> bool {
        self == Family::Oracle
    }
}

/// `DTRACE_CONSUME_*`: the same in both families but for ABORT, which nobody returns.
pub const CONSUME_THIS: i32 = 0;
/// Do not print this record.
pub const CONSUME_NEXT: i32 = 1;
/// `DTRACE_AGGWALK_NEXT`.
pub const AGGWALK_NEXT: i32 = 0;
/// `DTRACE_HANDLE_OK`.
pub const HANDLE_OK: i32 = 0;
/// `DTRACE_WORKSTATUS_DONE`; OKAY is 0, ERROR is -1.
pub const WORK_DONE: i32 = 1;

/// `DTRACEACT_*`.
pub mod act {
    /// `trace()`, and most of what records one value.
    pub const DIFEXPR: u16 = 1;
    pub const EXIT: u16 = 2;
    pub const PRINTF: u16 = 3;
    pub const PRINTA: u16 = 4;
    /// Performed by the library: the argument says what.
    pub const LIBACT: u16 = 5;
    pub const TRACEMEM: u16 = 6;
    /// Sun: the dynamic size of a `tracemem()`; Oracle: `pcap()`.
    pub const TRACEMEM_DYNSIZE: u16 = 7;
    pub const USTACK: u16 = 0x101;
    pub const JSTACK: u16 = 0x102;
    pub const USYM: u16 = 0x103;
    pub const UMOD: u16 = 0x104;
    pub const UADDR: u16 = 0x105;
    pub const SYSTEM: u16 = 0x203;
    pub const FREOPEN: u16 = 0x204;
    pub const STACK: u16 = 0x401;
    pub const SYM: u16 = 0x402;
    pub const MOD: u16 = 0x403;
    /// First code of the aggregating functions.
    pub const AGGREGATION: u16 = 0x700;
}

/// Numbers of the library's own actions, from the first one (`DT_ACT_PRINTF`), which follows the last
/// subroutine's number and so differs from version to version.
pub mod libact {
    pub const CLEAR: u64 = 15;
    pub const NORMALIZE: u64 = 16;
    pub const DENORMALIZE: u64 = 17;
    pub const TRUNC: u64 = 18;
    pub const FTRUNCATE: u64 = 21;
    pub const SETOPT: u64 = 28;
}

/// The first number of the library's own actions in Oracle's 2.0.7 (measured: `exit()` is 0x3b, `clear()` 0x3f).
pub const ORACLE_ACT_BASE: u64 = 48;

/// One record of a clause, or one part of an aggregation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecDesc {
    /// `DTRACEACT_*`.
    pub action: u16,
    pub size: u32,
    /// From the start of the clause's data.
    pub offset: u32,
    /// The action's argument; its meaning is the action's.
    pub arg: u64,
    /// Sun: the statement (`dtrace_stmtdesc_t *`).
    pub uarg: u64,
    /// Format data of printf and its kin, as the library's pointer; 0 for none.
    pub format: u64,
}

/// A probe's description, copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeName {
    pub id: u32,
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
}

/// What a clause delivered: where to find the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Firing {
    /// Number of the enabling: statement or ECB, from 0.
    pub clause: u32,
    /// Address of the records' description: tells one description from another.
    pub desc: u64,
    /// The probe's number.
    pub probe: u32,
    /// Address of the probe's description.
    pub pdesc: u64,
    pub cpu: u32,
    /// Start of the clause's data.
    pub data: u64,
    /// Bytes of it, by the description; 0 where the library does not tell (Oracle's 2.0.7).
    pub size: u32,
}

/// One element of an aggregation.
#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    pub variable: i64,
    /// Key parts without the variable's number, then the value; offsets are within `key` and `value`.
    pub keys: Vec<RecDesc>,
    pub value_desc: RecDesc,
    /// Packed parameters of lquantize and llquantize where they do not stand in the value.
    pub signature: u64,
    /// Addresses of keys and value, and how many bytes there are (0: not told).
    pub key: u64,
    pub key_size: usize,
    pub value: u64,
    pub value_size: usize,
}

/// A drop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropData {
    pub cpu: u32,
    /// `DTRACEDROP_*`.
    pub kind: i32,
    pub drops: u64,
    pub message: String,
}

/// An error in a clause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrData {
    pub probe: ProbeName,
    pub cpu: u32,
    pub action: i32,
    pub offset: i32,
    pub fault: i32,
    pub addr: u64,
    pub message: String,
}

/// Where a probe's description stands in `dtrace_ecbdesc_t`: in the Sun family after the actions and the predicate.
pub(crate) fn probe_offset(family: Family) -> usize {
    if family.is_oracle() { 0 } else { 24 }
}

/// Records per clause that are believed; the largest that a clause can have by any option is far below.
pub const MAX_RECS: usize = 65_536;
/// Bytes of one record that are believed.
pub const MAX_DATA: u32 = 64 << 20;

/// How many bytes there are at most where the library says so many.
pub fn limit(told: usize) -> usize {
    let most = MAX_DATA as usize;
    if told == 0 { most } else { told.min(most) }
}

impl RecDesc {
    /// Where the part ends.
    pub fn end(&self) -> usize {
        (self.offset as usize).saturating_add(self.size as usize)
    }
}

/// Copies a C string; empty for NULL.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Copies bytes from the library's memory.
///
/// # Safety
/// `from` is 0 or points to at least `len` readable bytes.
pub(crate) unsafe fn bytes(from: u64, len: usize) -> Vec<u8> {
    if from == 0 || len == 0 {
        return vec![0; len];
    }
    // SAFETY: not NULL, and the caller vouches for the length.
    unsafe { std::slice::from_raw_parts(from as usize as *const u8, len) }.to_vec()
}

/// Reads what the callbacks are given, by family.
///
/// # Safety
/// Of each function: the pointer is one that the library of this family passed to the callback in question, and
/// the callback has not returned.
pub(crate) mod read {
    use super::*;

    pub unsafe fn firing(family: Family, data: *const c_void) -> Firing {
        // SAFETY: the caller's.
        unsafe {
            match family {
                Family::Oracle => oracle::firing(data),
                _ => sun::firing(data),
            }
        }
    }

    /// The records of what `firing()` has told, in the same callback.
    pub unsafe fn recs(family: Family, firing: &Firing) -> Vec<RecDesc> {
        // SAFETY: the caller's.
        unsafe {
            match family {
                Family::Oracle => oracle::records(firing.desc as usize as *const c_void),
                _ => sun::records(firing.desc as usize as *const c_void),
            }
        }
    }

    /// One record, as it is passed to the callback for records.
    pub unsafe fn rec(family: Family, rec: *const c_void) -> RecDesc {
        // SAFETY: the caller's.
        unsafe {
            match family {
                Family::Oracle => oracle::rec(&*rec.cast()),
                _ => sun::rec(&*rec.cast()),
            }
        }
    }

    /// A probe's description.
    pub unsafe fn probe(family: Family, desc: *const c_void) -> ProbeName {
        // SAFETY: the caller's.
        unsafe {
            match family {
                Family::Oracle => oracle::probe(desc),
                Family::FreeBsd => sun::probe::<192>(desc),
                Family::Illumos | Family::MacOs => sun::probe::<128>(desc),
            }
        }
    }

    pub unsafe fn element(family: Family, data: *const c_void) -> Element {
        // SAFETY: the caller's.
        unsafe {
            match family {
                Family::Oracle => oracle::element(data),
                _ => sun::element(data),
            }
        }
    }

    pub unsafe fn error(family: Family, data: *const c_void) -> ErrData {
        // SAFETY: the caller's.
        unsafe {
            let raw = &*data.cast::<ErrorData>();
            ErrData {
                probe: probe(family, raw.pdesc),
                cpu: raw.cpu as u32,
                action: raw.action,
                offset: raw.offset,
                fault: raw.fault,
                addr: raw.addr,
                message: text(raw.msg),
            }
        }
    }

    pub unsafe fn drop(data: *const c_void) -> DropData {
        // SAFETY: the caller's.
        unsafe {
            let raw = &*data.cast::<super::DropRaw>();
            DropData { cpu: raw.cpu as u32, kind: raw.kind, drops: raw.drops, message: text(raw.msg) }
        }
    }
}

/// `dtrace_errdata_t`: one shape everywhere.
#[repr(C)]
pub struct ErrorData {
    handle: *const c_void,
    desc: *const c_void,
    pdesc: *const c_void,
    cpu: i32,
    action: i32,
    offset: i32,
    fault: i32,
    addr: u64,
    msg: *const c_char,
}

/// `dtrace_dropdata_t`: one shape everywhere.
#[repr(C)]
pub struct DropRaw {
    handle: *const c_void,
    cpu: i32,
    kind: i32,
    drops: u64,
    total: u64,
    msg: *const c_char,
}

/// `dtrace_proginfo_t`: two attributes of three bytes, four numbers. Room for more behind them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgInfo {
    pub description: [u8; 3],
    pub statement: [u8; 3],
    pub aggregates: u32,
    pub recgens: u32,
    pub matches: u32,
    pub speculations: u32,
    room: [u64; 8],
}
