//! Structures of the Sun family (illumos `usr/src/lib/libdtrace/common/dtrace.h`, `uts/common/sys/dtrace.h`;
//! FreeBSD and macOS have the same but for the length of a function's name, `N`).
//!
//! In an aggregation's element the first record is the variable's number, the last the value; lquantize and
//! llquantize keep their parameters in the value's first word.

use super::{Element, Firing, MAX_RECS, ProbeName, RecDesc, act, text};
use std::ffi::{c_char, c_void};

/// `dtrace_recdesc_t`.
#[repr(C)]
pub struct Rec {
    pub action: u16,
    pub size: u32,
    pub offset: u32,
    pub alignment: u16,
    pub format: u16,
    pub arg: u64,
    pub uarg: u64,
}

/// `dtrace_probedesc_t`.
#[repr(C)]
pub struct Probe<const N: usize> {
    pub id: u32,
    pub provider: [u8; 64],
    pub module: [u8; 64],
    pub function: [u8; N],
    pub name: [u8; 64],
}

/// `dtrace_eprobedesc_t`; the records follow in place.
#[repr(C)]
pub struct EnabledProbe {
    pub epid: u32,
    pub probeid: u32,
    pub uarg: u64,
    pub size: u32,
    pub nrecs: i32,
    pub rec: [Rec; 1],
}

/// `dtrace_probedata_t`.
#[repr(C)]
pub struct ProbeData {
    pub handle: *const c_void,
    pub edesc: *const EnabledProbe,
    pub pdesc: *const c_void,
    pub cpu: i32,
    pub data: *const u8,
    pub flow: i32,
    pub prefix: *const c_char,
    pub indent: i32,
}

/// `dtrace_aggdesc_t`; the records follow in place.
#[repr(C)]
pub struct AggDesc {
    pub name: *const c_char,
    pub varid: i64,
    pub flags: i32,
    pub id: u32,
    pub epid: u32,
    pub size: u32,
    pub nrecs: i32,
    pub pad: u32,
    pub rec: [Rec; 1],
}

/// `dtrace_aggdata_t`, as far as all have it.
#[repr(C)]
pub struct AggData {
    pub handle: *const c_void,
    pub desc: *const AggDesc,
    pub edesc: *const EnabledProbe,
    pub pdesc: *const c_void,
    pub data: *const u8,
    pub normal: u64,
    pub size: usize,
}

/// `dtrace_stmtdesc_t`, up to the format data.
#[repr(C)]
pub struct Statement {
    pub ecb: *const c_void,
    pub action: *const Action,
    pub last: *const Action,
    pub aggregation: *const c_void,
    pub format: *const c_void,
}

/// `dtrace_actdesc_t`.
#[repr(C)]
pub struct Action {
    pub difo: *const c_void,
    pub next: *const Action,
    pub kind: u16,
    pub ntuple: u32,
    pub arg: u64,
    pub uarg: u64,
    pub refcnt: i32,
}

/// # Safety
/// A record with a format index has the statement it belongs to in `uarg`, as `dtrace_stmt_action()` sets it.
pub(super) unsafe fn rec(raw: &Rec) -> RecDesc {
    let statement = raw.uarg as usize as *const Statement;
    let is_formatted = matches!(raw.action, act::PRINTF | act::PRINTA | act::SYSTEM | act::FREOPEN);
    let format = if raw.format != 0 && is_formatted && !statement.is_null() {
        // SAFETY: the caller's; statements live as long as the handle.
        unsafe { (*statement).format as usize as u64 }
    } else {
        0
    };
    RecDesc { action: raw.action, size: raw.size, offset: raw.offset, arg: raw.arg, uarg: raw.uarg, format }
}

/// # Safety
/// `first` is followed by `count - 1` more records.
unsafe fn recs(first: *const Rec, count: i32) -> Vec<RecDesc> {
    let count = usize::try_from(count).unwrap_or(0).min(MAX_RECS);
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, count).iter().map(|raw| rec(raw)).collect() }
}

fn array(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn probe<const N: usize>(desc: *const c_void) -> ProbeName {
    if desc.is_null() {
        return ProbeName::default();
    }
    // SAFETY: the library passed a probe description of this layout.
    let raw = unsafe { &*desc.cast::<Probe<N>>() };
    ProbeName {
        id: raw.id,
        provider: array(&raw.provider),
        module: array(&raw.module),
        function: array(&raw.function),
        name: array(&raw.name),
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn firing(data: *const c_void) -> Firing {
    // SAFETY: the library passed its probe data; a probe's description starts with its number.
    unsafe {
        let raw = &*data.cast::<ProbeData>();
        Firing {
            clause: raw.edesc.as_ref().map_or(0, |edesc| edesc.epid.saturating_sub(1)),
            desc: raw.edesc as usize as u64,
            probe: raw.pdesc.cast::<u32>().as_ref().copied().unwrap_or(0),
            pdesc: raw.pdesc as usize as u64,
            cpu: raw.cpu as u32,
            data: raw.data as usize as u64,
            size: raw.edesc.as_ref().map_or(0, |edesc| edesc.size),
        }
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn records(desc: *const c_void) -> Vec<RecDesc> {
    let edesc = desc.cast::<EnabledProbe>();
    // SAFETY: NULL, or a description of an enabled probe, whose records follow it.
    unsafe {
        match edesc.as_ref() {
            Some(head) => recs((&raw const (*edesc).rec).cast(), head.nrecs),
            None => Vec::new(),
        }
    }
}

/// # Safety
/// See [`super::read`].
pub(super) unsafe fn element(data: *const c_void) -> Element {
    // SAFETY: the library passed an element; the records follow its description.
    unsafe {
        let raw = &*data.cast::<AggData>();
        let Some(desc) = raw.desc.as_ref() else { return Element::default() };
        let mut keys = recs((&raw const (*raw.desc).rec).cast(), desc.nrecs);
        let value_desc = keys.pop().unwrap_or_default();
        if !keys.is_empty() {
            keys.remove(0);
        }
        Element {
            name: text(desc.name),
            variable: desc.varid,
            keys,
            value_desc,
            signature: 0,
            key: raw.data as usize as u64,
            key_size: raw.size,
            value: raw.data as usize as u64,
            value_size: raw.size,
        }
    }
}

/// The number of the first of the library's own actions, told by a statement that contains `clear()`.
///
/// # Safety
/// `statement` is one that `dtrace_stmt_iter()` passed.
pub(crate) unsafe fn action_base(statement: *const c_void) -> Option<u64> {
    // SAFETY: the caller's; the actions are a list that ends with NULL (bounded all the same).
    unsafe {
        let mut action = (*statement.cast::<Statement>()).action;
        for _ in 0..64 {
            let raw = action.as_ref()?;
            if raw.kind == act::LIBACT {
                return raw.arg.checked_sub(super::libact::CLEAR);
            }
            action = raw.next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    #[test]
    fn layouts_are_those_of_the_headers() {
        assert_eq!(size_of::<Rec>(), 32);
        assert_eq!(offset_of!(Rec, arg), 16);
        assert_eq!((size_of::<Probe<128>>(), size_of::<Probe<192>>()), (324, 388));
        assert_eq!(offset_of!(EnabledProbe, rec), 24);
        assert_eq!(offset_of!(AggDesc, rec), 40);
        assert_eq!(offset_of!(AggData, data), 32);
        assert_eq!(offset_of!(Statement, format), 32);
        assert_eq!(offset_of!(ProbeData, data), 32);
    }
}
