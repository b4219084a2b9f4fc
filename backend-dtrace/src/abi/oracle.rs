//! Structures of Oracle's libdtrace 2.0.7 (`dtrace.h`, `dtrace/metadesc.h`, `dtrace/enabling.h`).
//!
//! In an aggregation's element the first key is the variable's number, and the first data record counts
//! generations (of `clear()`); the second is the value.

use super::{Element, Firing, MAX_RECS, ProbeName, RecDesc, text};
use std::ffi::{c_char, c_void};

/// `dtrace_recdesc_t`.
#[repr(C)]
pub struct Rec {
    pub action: u16,
    pub size: u32,
    pub offset: u32,
    pub alignment: u16,
    pub format: *const c_void,
    pub arg: u64,
}

/// `dtrace_probedesc_t`.
#[repr(C)]
pub struct Probe {
    pub id: u32,
    pub provider: *const c_char,
    pub module: *const c_char,
    pub function: *const c_char,
    pub name: *const c_char,
}

/// `dtrace_datadesc_t`.
#[repr(C)]
pub struct DataDesc {
    pub uarg: u64,
    pub size: u32,
    pub nrecs: i32,
    pub recs: *const Rec,
    pub refcnt: i32,
}

/// `dtrace_probedata_t`.
#[repr(C)]
pub struct ProbeData {
    pub handle: *const c_void,
    pub stid: u32,
    pub desc: *const DataDesc,
    pub probe: *const Probe,
    pub cpu: u32,
    pub data: *const u8,
    pub flow: i32,
    pub prefix: *const c_char,
    pub indent: i32,
}

/// `dtrace_aggdesc_t`.
#[repr(C)]
pub struct AggDesc {
    pub name: *const c_char,
    pub varid: u32,
    pub flags: i32,
    pub sig: u64,
    pub normal: u64,
    pub ksize: u32,
    pub dsize: u32,
    pub nkrecs: u32,
    pub keyidx: u32,
    pub krecs: *const Rec,
    pub drecs: *const Rec,
}

/// `dtrace_aggdata_t`.
#[repr(C)]
pub struct AggData {
    pub handle: *const c_void,
    pub desc: *const AggDesc,
    pub key: *const u8,
    pub data: *const u8,
    pub percpu: *const *const u8,
}

pub(super) fn rec(raw: &Rec) -> RecDesc {
    RecDesc {
        action: raw.action,
        size: raw.size,
        offset: raw.offset,
        arg: raw.arg,
        uarg: 0,
        format: raw.format as usize as u64,
    }
}

/// # Safety
/// `recs` points to `count` records, or `count` is 0.
unsafe fn recs(recs: *const Rec, count: usize) -> Vec<RecDesc> {
    if recs.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(recs, count.min(MAX_RECS)) }.iter().map(rec).collect()
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn probe(desc: *const c_void) -> ProbeName {
    if desc.is_null() {
        return ProbeName::default();
    }
    // SAFETY: the library passed a probe description, whose strings are NULL or C strings.
    unsafe {
        let raw = &*desc.cast::<Probe>();
        ProbeName {
            id: raw.id,
            provider: text(raw.provider),
            module: text(raw.module),
            function: text(raw.function),
            name: text(raw.name),
        }
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn firing(data: *const c_void) -> Firing {
    // SAFETY: the library passed its probe data.
    unsafe {
        let raw = &*data.cast::<ProbeData>();
        Firing {
            clause: raw.stid,
            desc: raw.desc as usize as u64,
            probe: raw.probe.as_ref().map_or(0, |probe| probe.id),
            pdesc: raw.probe as usize as u64,
            cpu: raw.cpu,
            data: raw.data as usize as u64,
            size: raw.desc.as_ref().map_or(0, |desc| desc.size),
        }
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn records(desc: *const c_void) -> Vec<RecDesc> {
    // SAFETY: NULL, or a description that lives as long as the handle.
    unsafe {
        match desc.cast::<DataDesc>().as_ref() {
            Some(desc) => recs(desc.recs, usize::try_from(desc.nrecs).unwrap_or(0)),
            None => Vec::new(),
        }
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn element(data: *const c_void) -> Element {
    // SAFETY: the library passed an element; the description has `nkrecs` key records and two data records.
    unsafe {
        let raw = &*data.cast::<AggData>();
        let Some(desc) = raw.desc.as_ref() else { return Element::default() };
        let mut keys = recs(desc.krecs, desc.nkrecs as usize);
        if !keys.is_empty() {
            keys.remove(0);
        }
        let value_desc = recs(desc.drecs, 2).pop().unwrap_or_default();
        Element {
            name: text(desc.name),
            variable: i64::from(desc.varid),
            keys,
            value_desc,
            signature: desc.sig,
            key: raw.key as usize as u64,
            key_size: desc.ksize as usize,
            value: raw.data as usize as u64,
            value_size: desc.dsize as usize,
        }
    }
}
