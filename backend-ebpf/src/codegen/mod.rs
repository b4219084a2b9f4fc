//! From the typed program to BPF instructions: no kernel objects are made here.
//!
//! Input: a [`Program`] and, per BPF program wanted, a [`SiteGroup`] (which
//! clauses, where arguments come from, how the probe is known). Output: an
//! [`Image`]: map descriptions, assembled programs, and the memory layout that
//! `session` needs to read aggregations, drops and records.

pub mod asm;
pub mod insn;

use duotrace_core::ir::{ClauseId, Program};
use duotrace_core::probe::ProbeId;

/// What kind of kernel hook a BPF program runs on: decides its context and program type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// BEGIN, END, ERROR-less: a raw_tracepoint program run by BPF_PROG_TEST_RUN in our own process.
    TestRun,
    /// uprobe or uretprobe: context is `struct pt_regs` of the user thread.
    Uprobe,
    /// `raw_tp` sys_enter: ctx[0] = pt_regs, ctx[1] = system call number.
    SysEnter,
    /// `raw_tp` sys_exit: ctx[0] = pt_regs, ctx[1] = return value.
    SysExit,
    /// perf event (profile, tick): context is `struct bpf_perf_event_data`.
    PerfEvent,
    /// Any other raw tracepoint: ctx[n] = n-th argument.
    RawTracepoint,
}

/// How a program learns which probe fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeIdentity {
    /// Only one is possible.
    Const(ProbeId),
    /// The attach cookie's low 32 bits are the probe's number.
    Cookie,
    /// Indexed by system call number: 0 means not enabled here.
    BySyscall(Vec<u32>),
}

/// Where one probe argument comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArgSource {
    /// A field of the hook's pt_regs: byte offset, then truncated to `bytes` and extended.
    Reg { offset: u16, bytes: u8, signed: bool },
    /// User memory at `[base + index * scale + disp]`, registers as pt_regs offsets.
    UserMem { base: Option<u16>, index: Option<u16>, scale: u8, disp: i64, bytes: u8, signed: bool },
    /// A constant.
    Const(i64),
    /// n-th context word (raw tracepoints; SysExit: 1 is the return value).
    Ctx(u16),
    /// n-th system call argument, read from the pt_regs that ctx[0] points to.
    SyscallArg(u8),
    /// The upper 32 bits of the attach cookie (pid return probes: offset of the returning instruction).
    CookieHigh,
    /// perf event: kernel pc if in the kernel (else 0) / user pc if in user mode (else 0).
    KernelPc,
    UserPc,
    /// The argument does not exist: reads as 0.
    Absent,
}

/// Which processes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PidFilter {
    /// All.
    Any,
    /// Only this process (tgid in the initial pid namespace).
    Pid(u32),
}

/// One BPF program to generate.
#[derive(Clone, Debug)]
pub struct SiteGroup {
    pub hook: Hook,
    /// Clauses to run, in program order.
    pub clauses: Vec<ClauseId>,
    pub identity: ProbeIdentity,
    /// arg0, arg1, ...
    pub args: Vec<ArgSource>,
    pub filter: PidFilter,
    /// errno is meaningful (system call returns): negative return values give it.
    pub errno: bool,
    /// `probeprov` has the pid appended at run time (USDT providers).
    pub provider_pid: bool,
    /// Is the first user frame's return address at [rsp] (function entry)? For `ucaller` and `ustack`.
    pub at_entry: bool,
}

/// Everything `session` needs: see the fields' types.
#[derive(Debug)]
pub struct Image {}

/// Compiles all programs of a script.
pub fn compile(_program: &Program, _groups: &[SiteGroup]) -> Image {
    Image {}
}
