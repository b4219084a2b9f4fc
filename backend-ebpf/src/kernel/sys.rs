//! System calls that neither `libc` nor `libbpf-sys` offers in the shape needed here.
//!
//! libbpf's `bpf_prog_load` and `bpf_btf_load` retry and log on their own and probe the kernel
//! first; the calls here are the one `bpf(2)` each that is meant, so that a refusal can be told from a lack of privilege.

use crate::codegen::insn::Insn;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// An error number.
pub(super) type Errno = i32;

pub(super) fn errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// `BPF_PROG_LOAD`'s part of `union bpf_attr`, up to the fields of Linux 5.15.
#[repr(C)]
#[derive(Default)]
struct ProgLoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoadAttr {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    pad: u32,
}

/// One function of a program for the verifier (`struct bpf_func_info`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuncInfo {
    /// Index of the function's first instruction.
    pub insn_off: u32,
    /// Its `FUNC` in the program's BTF.
    pub type_id: u32,
}

/// What `BPF_PROG_LOAD` reads.
pub(super) struct ProgLoad<'a> {
    pub prog_type: u32,
    pub expected_attach_type: u32,
    pub flags: u32,
    pub name: [u8; 16],
    pub insns: &'a [Insn],
    pub license: &'a std::ffi::CStr,
    pub btf: Option<BorrowedFd<'a>>,
    pub func_info: &'a [FuncInfo],
    pub attach_btf_id: u32,
}

/// A `bpf(2)` call that returns a descriptor.
///
/// # Safety
/// `attr` must be the layout that `command` expects and every address in it valid for what the command does there.
unsafe fn bpf_fd<T>(command: libc::c_int, attr: &mut T) -> Result<OwnedFd, Errno> {
    // Five tries as libbpf does: the verifier gives EAGAIN when a signal is pending.
    for _ in 0..5 {
        // SAFETY: `attr` lives through the call and its size is passed; the rest is the caller's promise.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
        if fd >= 0 {
            // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
        }
        if errno() != libc::EAGAIN {
            break;
        }
    }
    Err(errno())
}

/// Loads a program. With a log buffer the verifier writes into it, NUL-terminated.
pub(super) fn prog_load(load: &ProgLoad<'_>, log: Option<&mut [u8]>) -> Result<OwnedFd, Errno> {
    let mut attr = ProgLoadAttr {
        prog_type: load.prog_type,
        insn_cnt: load.insns.len() as u32,
        insns: load.insns.as_ptr() as u64,
        license: load.license.as_ptr() as u64,
        prog_flags: load.flags,
        prog_name: load.name,
        expected_attach_type: load.expected_attach_type,
        attach_btf_id: load.attach_btf_id,
        ..ProgLoadAttr::default()
    };
    if let Some(btf) = load.btf {
        attr.prog_btf_fd = btf.as_raw_fd() as u32;
        attr.func_info_rec_size = size_of::<FuncInfo>() as u32;
        attr.func_info = load.func_info.as_ptr() as u64;
        attr.func_info_cnt = load.func_info.len() as u32;
    }
    if let Some(log) = log {
        attr.log_level = 1;
        attr.log_buf = log.as_mut_ptr() as u64;
        attr.log_size = log.len() as u32;
    }
    // SAFETY: instructions, licence, function records and log are slices that outlive the call, passed with their lengths.
    unsafe { bpf_fd(5, &mut attr) }
}

pub(super) fn btf_load(blob: &[u8]) -> Result<OwnedFd, Errno> {
    let mut attr =
        BtfLoadAttr { btf: blob.as_ptr() as u64, btf_size: blob.len() as u32, ..BtfLoadAttr::default() };
    // SAFETY: the blob outlives the call and its length is passed.
    unsafe { bpf_fd(18, &mut attr) }
}

/// `struct perf_event_attr` as of `PERF_ATTR_SIZE_VER5`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerfAttr {
    pub type_: u32,
    pub size: u32,
    pub config: u64,
    /// Period, or frequency when the flag says so.
    pub sample: u64,
    pub sample_type: u64,
    pub read_format: u64,
    pub flags: u64,
    pub wakeup: u32,
    pub bp_type: u32,
    pub config1: u64,
    pub config2: u64,
    pub branch_sample_type: u64,
    pub sample_regs_user: u64,
    pub sample_stack_user: u32,
    pub clockid: i32,
    pub sample_regs_intr: u64,
    pub aux_watermark: u32,
    pub sample_max_stack: u16,
    pub reserved: u16,
}

/// Opens a perf event. `path` is for uprobe events, whose `config1` is an address the kernel reads.
pub(super) fn perf_event_open(
    mut attr: PerfAttr,
    path: Option<&CString>,
    pid: i32,
    cpu: i32,
) -> Result<OwnedFd, Errno> {
    attr.size = size_of::<PerfAttr>() as u32;
    if let Some(path) = path {
        attr.config1 = path.as_ptr() as u64;
    }
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    // SAFETY: the attribute and the path outlive the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(&attr),
            pid,
            cpu,
            -1 as libc::c_int,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(errno());
    }
    // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `ioctl` without a memory argument.
pub(super) fn ioctl(fd: BorrowedFd<'_>, request: u64, argument: u64) -> Result<(), Errno> {
    // SAFETY: the requests used with it (perf's ENABLE, DISABLE) take a number.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request as _, argument) };
    if result < 0 { Err(errno()) } else { Ok(()) }
}

/// `membarrier(command, 0, 0)`.
pub(super) fn membarrier(command: libc::c_int) -> Result<i64, Errno> {
    // SAFETY: membarrier touches no memory of the caller.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// A file system of a kind, mounted nowhere: for `openat` below it, as long as the descriptor lives.
pub(super) fn detached_mount(kind: &CStr) -> std::io::Result<OwnedFd> {
    let owned = |result: libc::c_long| match RawFd::try_from(result) {
        // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(std::io::Error::last_os_error()),
    };
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    // SAFETY: the name is a C string; the calls take no other memory.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    let null = std::ptr::null::<libc::c_void>();
    // SAFETY: this command takes null pointers only.
    let made =
        unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0) };
    if made < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call takes numbers only.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })
}

/// Opens a file below a directory for reading.
pub(super) fn open_at(top: BorrowedFd<'_>, path: &str) -> std::io::Result<OwnedFd> {
    let path = CString::new(path)?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = unsafe { libc::openat(top.as_raw_fd(), path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Bytes in a page.
pub(super) fn page_size() -> usize {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}
