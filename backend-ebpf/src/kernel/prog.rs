//! Programs: loaded without a verifier log, and once more with one when the kernel refuses.

use super::map::object_name;
use super::{Error, btf_blob, sys};
use crate::codegen::asm::Function;
use crate::codegen::insn::Insn;
use libbpf_sys as raw;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What a program is attached to, which decides its context and its helpers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A uprobe through a perf event. Context: `struct pt_regs`.
    Uprobe,
    /// Many uprobes of one file through one link (kernel 6.6). Context: `struct pt_regs`.
    UprobeMulti,
    /// Entry and return of uprobes in one program (kernel 6.13). Context: `struct pt_regs`.
    UprobeSession,
    /// A kernel function's entry or return through a perf event. Context: `struct pt_regs`.
    Kprobe,
    /// Many kernel functions through one link (kernel 5.18). Context: `struct pt_regs`.
    KprobeMulti,
    /// A tracepoint without its record. Context: its `u64` arguments.
    RawTracepoint,
    /// A tracepoint with its record as context.
    Tracepoint,
    /// A sampling perf event. Context: `struct bpf_perf_event_data`.
    PerfEvent,
    /// A raw tracepoint with typed arguments; the number is the BTF id of its `btf_trace_*` typedef.
    TracepointBtf(u32),
    /// A kernel function's entry, by its BTF id.
    Fentry(u32),
    /// A kernel function's return, by its BTF id.
    Fexit(u32),
}

impl Kind {
    /// Program type, expected attach type and attach BTF id.
    fn numbers(self) -> (u32, u32, u32) {
        match self {
            Kind::Uprobe => (raw::BPF_PROG_TYPE_KPROBE, 0, 0),
            Kind::UprobeMulti => (raw::BPF_PROG_TYPE_KPROBE, raw::BPF_TRACE_UPROBE_MULTI, 0),
            Kind::UprobeSession => (raw::BPF_PROG_TYPE_KPROBE, raw::BPF_TRACE_UPROBE_SESSION, 0),
            Kind::Kprobe => (raw::BPF_PROG_TYPE_KPROBE, 0, 0),
            Kind::KprobeMulti => (raw::BPF_PROG_TYPE_KPROBE, raw::BPF_TRACE_KPROBE_MULTI, 0),
            Kind::RawTracepoint => (raw::BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0),
            Kind::Tracepoint => (raw::BPF_PROG_TYPE_TRACEPOINT, 0, 0),
            Kind::PerfEvent => (raw::BPF_PROG_TYPE_PERF_EVENT, 0, 0),
            Kind::TracepointBtf(id) => (raw::BPF_PROG_TYPE_TRACING, raw::BPF_TRACE_RAW_TP, id),
            Kind::Fentry(id) => (raw::BPF_PROG_TYPE_TRACING, raw::BPF_TRACE_FENTRY, id),
            Kind::Fexit(id) => (raw::BPF_PROG_TYPE_TRACING, raw::BPF_TRACE_FEXIT, id),
        }
    }

    /// The name by which BTF calls the program's context.
    pub(super) fn context_name(self) -> &'static str {
        match self {
            Kind::Uprobe | Kind::UprobeMulti | Kind::UprobeSession | Kind::Kprobe | Kind::KprobeMulti => {
                "bpf_user_pt_regs_t"
            }
            Kind::RawTracepoint => "bpf_raw_tracepoint_args",
            Kind::PerfEvent => "bpf_perf_event_data",
            _ => "pt_regs",
        }
    }
}

/// A program to load: instructions with map descriptors in place.
#[derive(Clone, Debug)]
pub struct ProgSpec<'a> {
    /// What it will be attached to.
    pub kind: Kind,
    /// A name for `bpftool`; the kernel keeps 15 characters.
    pub name: &'a str,
    /// The instructions.
    pub insns: &'a [Insn],
    /// Its functions; only needed when there is more than one.
    pub functions: &'a [Function],
    /// May it sleep (user memory is faulted in)? Uprobes only.
    pub sleepable: bool,
}

/// A loaded program. Dropping it closes the descriptor; links keep the program alive.
#[derive(Debug)]
pub struct Prog {
    fd: OwnedFd,
    kind: Kind,
}

/// Why a program was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The process may not load programs, or something else failed before the verifier looked.
    Kernel(Error),
    /// The verifier refused the program.
    Refused(Refusal),
}

/// What the verifier says about a program that it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `EACCES` and `EINVAL` for a forbidden instruction, `E2BIG` for a program too complex.
    pub errno: i32,
    /// The instruction the verifier stopped at.
    pub insn: Option<usize>,
    /// The complaint: the last lines that are no instructions or states.
    pub reason: String,
    /// The log, or its last mebibyte.
    pub log: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Kernel(error) => error.fmt(f),
            LoadError::Refused(refusal) => {
                write!(f, "the kernel's verifier refused the program: {}", refusal.reason)?;
                match refusal.insn {
                    Some(insn) => write!(f, " (instruction {insn})"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl From<Error> for LoadError {
    fn from(error: Error) -> LoadError {
        LoadError::Kernel(error)
    }
}

/// Sizes of the log buffer. The first holds the end of any log on kernels that keep the end (6.4 and
/// later); older ones keep the beginning, so that the whole log must fit.
const LOG_SIZES: [usize; 2] = [1 << 20, 64 << 20];

impl Prog {
    /// Loads a program.
    pub fn load(spec: &ProgSpec<'_>) -> Result<Prog, LoadError> {
        let types = match spec.functions.len() {
            0 | 1 => None,
            _ => Some(btf_blob::function_types(spec.kind, spec.functions)?),
        };
        let (prog_type, expected_attach_type, attach_btf_id) = spec.kind.numbers();
        let load = sys::ProgLoad {
            prog_type,
            expected_attach_type,
            attach_btf_id,
            flags: if spec.sleepable { raw::BPF_F_SLEEPABLE } else { 0 },
            name: object_name(spec.name),
            insns: spec.insns,
            license: c"Dual MIT/GPL",
            btf: types.as_ref().map(|types| types.fd.as_fd()),
            func_info: types.as_ref().map_or(&[], |types| &types.info),
        };
        let errno = match sys::prog_load(&load, None) {
            Ok(fd) => return Ok(Prog { fd, kind: spec.kind }),
            Err(errno) => errno,
        };
        for size in LOG_SIZES {
            let mut log = vec![0u8; size];
            let answer = match sys::prog_load(&load, Some(&mut log)) {
                // It may pass now, for instance when memory was short before.
                Ok(fd) => return Ok(Prog { fd, kind: spec.kind }),
                Err(errno) => errno,
            };
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
            log.truncate(end);
            let log = String::from_utf8_lossy(&log).into_owned();
            if answer == libc::ENOSPC && !has_end(&log) && size < LOG_SIZES[1] {
                continue;
            }
            if !log.trim().is_empty() {
                // The first answer, for a log too long turns the second into ENOSPC.
                return Err(LoadError::Refused(Refusal::new(errno, log)));
            }
            break;
        }
        Err(LoadError::Kernel(explain(spec, errno)))
    }

    /// What it was loaded for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The descriptor's number.
    pub fn raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Prog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A refusal that came without a log.
fn explain(spec: &ProgSpec<'_>, errno: i32) -> Error {
    let error = Error::new(format!("bpf(BPF_PROG_LOAD, {:?} {})", spec.kind, spec.name), errno);
    match errno {
        libc::E2BIG => error.hint(format!(
            "{} instructions; the limit is 1,000,000, or 4096 without CAP_BPF",
            spec.insns.len()
        )),
        libc::EINVAL => error.hint("this kernel does not know the program type or an attribute"),
        _ => error.with_privileges(),
    }
}

impl Refusal {
    fn new(errno: i32, mut log: String) -> Refusal {
        let insn = log.lines().rev().find_map(instruction_index);
        let complaint: Vec<&str> = log
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !is_chatter(line) && instruction_index(line).is_none())
            .collect();
        let from = complaint.len().saturating_sub(2);
        let reason = complaint.get(from..).unwrap_or_default().join("; ");
        let reason = if reason.is_empty() { super::error::errno_text(errno) } else { reason };
        let mut from = log.len().saturating_sub(LOG_SIZES[0]);
        while !log.is_char_boundary(from) {
            from += 1;
        }
        Refusal { errno, insn, reason, log: log.split_off(from) }
    }
}

/// Does the log have its last lines? The very last is `processed 12 insns (limit ...`.
fn has_end(log: &str) -> bool {
    log.lines().next_back().is_some_and(|line| line.starts_with("processed "))
}

/// The index of a line such as `12: (bf) r1 = r10`.
fn instruction_index(line: &str) -> Option<usize> {
    let (number, rest) = line.trim_start().split_once(": (")?;
    let is_code = rest.as_bytes().get(2) == Some(&b')');
    if is_code { number.parse().ok() } else { None }
}

/// Lines of the log that tell of progress, not of a fault.
fn is_chatter(line: &str) -> bool {
    const STARTS: [&str; 20] = [
        "processed ",
        "verification time",
        "stack depth",
        "max_states_per_insn",
        "from ",
        "func#",
        "Func#",
        "Validating ",
        "last_idx",
        "first_idx",
        "regs=",
        "parent ",
        "mark_precise",
        "propagating ",
        "caller:",
        "callee:",
        "returning from callee:",
        "to caller at ",
        "frame",
        "arg#",
    ];
    // `12: R0=...` and `R0_w=...`: the state before an instruction.
    let state = match line.split_once(": ") {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => line,
    };
    is_register_state(state) || STARTS.iter().any(|start| state.starts_with(start))
}

/// `R0=`, `R10_w=`: a state; `R0 unbounded memory access` is a complaint.
fn is_register_state(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('R') else { return false };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(['=', '_'])
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_last_instruction_and_the_complaint_are_found() {
        let log = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (79) r1 = *(u64 *)(r1 +8)       ; R1_w=scalar()\n\
                   1: (79) r0 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'\n\
                   processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0\n";
        let refusal = Refusal::new(libc::EACCES, log.to_string());
        assert_eq!(refusal.insn, Some(1));
        assert_eq!(refusal.reason, "R1 invalid mem access 'scalar'");
    }
}
