//! libbpf's low-level calls on single objects, made safe by checking lengths first.
//!
//! Only wrappers that are one system call in libbpf 1.7 are used.

use super::Error;
use libbpf_sys as raw;
use std::ffi::{CStr, CString, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// libbpf 1.x returns `-errno`.
fn check(call: &str, result: i32) -> Result<i32, Error> {
    if result < 0 { Err(Error::new(call, -result)) } else { Ok(result) }
}

fn owned(call: &str, result: i32) -> Result<OwnedFd, Error> {
    let fd = check(call, result).map_err(Error::with_privileges)?;
    // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sizes of a map's key and of its value as user space sees it (all CPUs' parts for a per-CPU map).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub key: usize,
    pub value: usize,
}

impl Sizes {
    fn check(self, call: &str, key: usize, value: usize) -> Result<(), Error> {
        if key != self.key || value != self.value {
            let text = format!("key of {} and value of {} bytes expected", self.key, self.value);
            return Err(Error::other(call, text));
        }
        Ok(())
    }
}

const LOOKUP: &str = "bpf(BPF_MAP_LOOKUP_ELEM)";
const UPDATE: &str = "bpf(BPF_MAP_UPDATE_ELEM)";

/// Reads a value; `false` when there is no such key.
pub(super) fn lookup(fd: BorrowedFd<'_>, sizes: Sizes, key: &[u8], value: &mut [u8]) -> Result<bool, Error> {
    sizes.check(LOOKUP, key.len(), value.len())?;
    // SAFETY: the kernel reads `sizes.key` and writes `sizes.value` bytes, which the slices have.
    let result =
        unsafe { raw::bpf_map_lookup_elem(fd.as_raw_fd(), key.as_ptr().cast(), value.as_mut_ptr().cast()) };
    found(LOOKUP, result)
}

fn found(call: &str, result: i32) -> Result<bool, Error> {
    if result == -libc::ENOENT {
        return Ok(false);
    }
    check(call, result).map(|_| true)
}

pub(super) fn update(
    fd: BorrowedFd<'_>,
    sizes: Sizes,
    key: &[u8],
    value: &[u8],
    flags: u64,
) -> Result<(), Error> {
    sizes.check(UPDATE, key.len(), value.len())?;
    // SAFETY: the kernel reads `sizes.key` and `sizes.value` bytes, which the slices have.
    let result = unsafe {
        raw::bpf_map_update_elem(fd.as_raw_fd(), key.as_ptr().cast(), value.as_ptr().cast(), flags)
    };
    check(UPDATE, result).map(|_| ())
}

/// One step of a batch read: keys and values of up to as many entries as the buffers hold.
pub(super) struct Batch<'a> {
    /// Where the step before ended; `None` for the first.
    pub after: Option<&'a mut Vec<u8>>,
    pub keys: &'a mut [u8],
    pub values: &'a mut [u8],
    pub delete: bool,
}

/// Reads (and deletes) a batch: the number of entries, the mark to go on from, and whether it was the last.
/// `ENOSPC` (a hash bucket larger than the buffers) is an error.
pub(super) fn lookup_batch(
    fd: BorrowedFd<'_>,
    sizes: Sizes,
    batch: Batch<'_>,
) -> Result<(usize, Vec<u8>, bool), Error> {
    let call =
        if batch.delete { "bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH)" } else { "bpf(BPF_MAP_LOOKUP_BATCH)" };
    if sizes.key == 0 || sizes.value == 0 {
        return Err(Error::other(call, "not a map with keys and values"));
    }
    let room = (batch.keys.len() / sizes.key).min(batch.values.len() / sizes.value);
    let mut count = u32::try_from(room).unwrap_or(u32::MAX);
    // The kernel writes a bucket number (4 bytes) for hashes and a key for arrays.
    let mut mark = vec![0u8; sizes.key.max(8)];
    let options =
        raw::bpf_map_batch_opts { sz: size_of::<raw::bpf_map_batch_opts>() as _, ..Default::default() };
    let step = if batch.delete { raw::bpf_map_lookup_and_delete_batch } else { raw::bpf_map_lookup_batch };
    let from = match batch.after {
        Some(after) if after.len() == mark.len() => after.as_mut_ptr(),
        Some(_) => return Err(Error::other(call, "mark of another map")),
        None => std::ptr::null_mut(),
    };
    // SAFETY: `count` entries fit both buffers by the division above; both marks have room for a key and for a bucket number.
    let result = unsafe {
        step(
            fd.as_raw_fd(),
            from.cast::<c_void>(),
            mark.as_mut_ptr().cast(),
            batch.keys.as_mut_ptr().cast(),
            batch.values.as_mut_ptr().cast(),
            &mut count,
            &options,
        )
    };
    let last = !found(call, result)?;
    Ok((count as usize, mark, last))
}

fn link_options() -> raw::bpf_link_create_opts {
    raw::bpf_link_create_opts { sz: size_of::<raw::bpf_link_create_opts>() as _, ..Default::default() }
}

/// Sites of one file for one link.
pub(super) struct UprobeMulti<'a> {
    pub path: &'a CStr,
    pub offsets: &'a [u64],
    /// Empty, or one for each offset (0: none).
    pub ref_ctr_offsets: &'a [u64],
    /// Empty, or one for each offset.
    pub cookies: &'a [u64],
    /// 0: every process.
    pub pid: u32,
    pub at_return: bool,
    pub session: bool,
}

pub(super) fn link_uprobe_multi(prog: BorrowedFd<'_>, sites: &UprobeMulti<'_>) -> Result<OwnedFd, Error> {
    let call = "bpf(BPF_LINK_CREATE, uprobe_multi)";
    let count = sites.offsets.len();
    let fits = |len: usize| len == 0 || len == count;
    if !fits(sites.ref_ctr_offsets.len()) || !fits(sites.cookies.len()) {
        return Err(Error::other(call, "as many cookies and semaphores as offsets expected"));
    }
    let or_null = |slice: &[u64]| if slice.is_empty() { std::ptr::null() } else { slice.as_ptr() };
    let mut options = link_options();
    options.__bindgen_anon_1.uprobe_multi = raw::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 {
        flags: if sites.at_return { raw::BPF_F_UPROBE_MULTI_RETURN } else { 0 },
        cnt: count as u32,
        path: sites.path.as_ptr(),
        offsets: sites.offsets.as_ptr().cast(),
        ref_ctr_offsets: or_null(sites.ref_ctr_offsets).cast(),
        cookies: or_null(sites.cookies),
        pid: sites.pid,
        ..Default::default()
    };
    let attach = if sites.session { raw::BPF_TRACE_UPROBE_SESSION } else { raw::BPF_TRACE_UPROBE_MULTI };
    // SAFETY: path and arrays outlive the call; each array has `cnt` elements or is null.
    owned(call, unsafe { raw::bpf_link_create(prog.as_raw_fd(), 0, attach, &options) })
}

/// Attaches a program to kernel functions by name, each with its cookie.
pub(super) fn link_kprobe_multi(
    prog: BorrowedFd<'_>,
    names: &[CString],
    cookies: &[u64],
    at_return: bool,
) -> Result<OwnedFd, Error> {
    let call = "bpf(BPF_LINK_CREATE, kprobe_multi)";
    if names.len() != cookies.len() {
        return Err(Error::other(call, "as many cookies as functions expected"));
    }
    let mut pointers: Vec<*const std::ffi::c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let mut options = link_options();
    options.__bindgen_anon_1.kprobe_multi = raw::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
        flags: if at_return { raw::BPF_F_KPROBE_MULTI_RETURN } else { 0 },
        cnt: names.len() as u32,
        syms: pointers.as_mut_ptr(),
        cookies: cookies.as_ptr(),
        ..Default::default()
    };
    // SAFETY: names, the array of pointers to them and cookies outlive the call; both arrays have `cnt` elements.
    owned(call, unsafe { raw::bpf_link_create(prog.as_raw_fd(), 0, raw::BPF_TRACE_KPROBE_MULTI, &options) })
}

/// Attaches a program to a perf event; the cookie needs kernel 5.15.
pub(super) fn link_perf_event(
    prog: BorrowedFd<'_>,
    event: BorrowedFd<'_>,
    cookie: u64,
) -> Result<OwnedFd, Error> {
    let mut options = link_options();
    options.__bindgen_anon_1.perf_event.bpf_cookie = cookie;
    // SAFETY: only descriptors and the options are read.
    let result =
        unsafe { raw::bpf_link_create(prog.as_raw_fd(), event.as_raw_fd(), raw::BPF_PERF_EVENT, &options) };
    owned("bpf(BPF_LINK_CREATE, perf_event)", result)
}

/// Attaches a raw tracepoint program by name, or a BTF tracing program without one.
pub(super) fn raw_tracepoint_open(
    prog: BorrowedFd<'_>,
    name: Option<&str>,
    cookie: u64,
) -> Result<OwnedFd, Error> {
    let call = format!("bpf(BPF_RAW_TRACEPOINT_OPEN, {})", name.unwrap_or("btf"));
    let text = name.map(CString::new).transpose().map_err(|_| Error::new(call.as_str(), libc::EINVAL))?;
    let mut options = raw::bpf_raw_tp_opts {
        sz: size_of::<raw::bpf_raw_tp_opts>() as _,
        tp_name: text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()),
        cookie,
    };
    // SAFETY: the name is NUL-terminated and outlives the call.
    owned(&call, unsafe { raw::bpf_raw_tracepoint_open_opts(prog.as_raw_fd(), &mut options) })
}

/// Runs a raw tracepoint program once with up to twelve `u64` arguments; on `cpu` if given.
pub(super) fn test_run(prog: BorrowedFd<'_>, arguments: &[u64], cpu: Option<u32>) -> Result<u32, Error> {
    let mut options = raw::bpf_test_run_opts {
        sz: size_of::<raw::bpf_test_run_opts>() as _,
        ctx_size_in: size_of_val(arguments) as u32,
        cpu: cpu.unwrap_or(0),
        flags: if cpu.is_some() { raw::BPF_F_TEST_RUN_ON_CPU } else { 0 },
        ..Default::default()
    };
    if !arguments.is_empty() {
        options.ctx_in = arguments.as_ptr().cast();
    }
    // SAFETY: the arguments outlive the call and their size is passed.
    let result = unsafe { raw::bpf_prog_test_run_opts(prog.as_raw_fd(), &mut options) };
    check("bpf(BPF_PROG_TEST_RUN)", result).map_err(Error::with_privileges)?;
    Ok(options.retval)
}

/// Switches run time statistics on for as long as the descriptor is open.
pub(super) fn enable_stats() -> Result<OwnedFd, Error> {
    // SAFETY: takes a number only.
    owned("bpf(BPF_ENABLE_STATS)", unsafe { raw::bpf_enable_stats(raw::BPF_STATS_RUN_TIME) })
}

/// What the kernel tells of a loaded program.
pub(super) fn prog_info(prog: BorrowedFd<'_>) -> Result<raw::bpf_prog_info, Error> {
    let mut info = raw::bpf_prog_info::default();
    let mut len = size_of::<raw::bpf_prog_info>() as u32;
    // SAFETY: the kernel writes at most `len` bytes; the array addresses in `info` are zero, so nothing else.
    let result = unsafe { raw::bpf_prog_get_info_by_fd(prog.as_raw_fd(), &mut info, &mut len) };
    check("bpf(BPF_OBJ_GET_INFO_BY_FD)", result)?;
    Ok(info)
}
