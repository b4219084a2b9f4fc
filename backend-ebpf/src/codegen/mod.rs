//! From the typed program to BPF instructions: no kernel objects are made here.
//!
//! Input: a [`Program`] and, per BPF program wanted, a [`SiteGroup`] (which
//! clauses, where arguments come from, how the probe is known). Output: an
//! [`Image`]: map descriptions, assembled programs, and the memory layout that
//! `session` needs to read aggregations, drops and records.
//!
//! `layout` decides where everything lives, `context` emits, `expr`, `string`,
//! `place`, `stmt`, `agg`, `record` lower the language, `prologue` and `fault`
//! frame it, `runtime/` holds the routines that run in the kernel, `decode`
//! reads back what they left.

pub mod asm;
pub mod decode;
pub mod insn;
pub mod layout;
pub mod listing;
pub mod offsets;

mod agg;
mod args;
mod arith;
mod builtin;
mod calls;
mod context;
mod copying;
mod expr;
mod fault;
pub mod forks;
mod lock;
pub mod namespace;
mod place;
mod prologue;
mod recipe;
mod record;
mod runtime;
mod stmt;
mod string;
#[cfg(test)]
mod tests;
mod threads;
pub mod vtime;

use crate::kernel::MapSpec;
use crate::symbols::recipe::Recipe;
use asm::MapId;
use duotrace_core::diagnostic::{Diag, Span, Tag};
use duotrace_core::ir::{ClauseId, Program};
use duotrace_core::probe::{Probe, ProbeId};
pub use layout::Layout;
use std::sync::Arc;

/// What kind of kernel hook a BPF program runs on: decides its context and program type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// BEGIN, END: a raw_tracepoint program run by BPF_PROG_TEST_RUN in our own process.
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
    /// A raw tracepoint whose arguments the verifier knows the types of.
    BtfTracepoint,
    /// The same for a kernel function: ctx[n] = n-th argument, then what it returns.
    Function,
    /// Entry or return of a kernel function: context is the kernel's `struct pt_regs` there.
    Kprobe,
}

impl Hook {
    /// Does the verifier know what the context's words point to?
    pub fn is_typed(self) -> bool {
        matches!(self, Hook::BtfTracepoint | Hook::Function)
    }
}

/// How a program learns which probe fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeIdentity {
    /// Only one is possible.
    Const(ProbeId),
    /// The attach cookie's low 32 bits are the probe's number.
    Cookie,
    /// Its high 32 bits are: the low ones are the probe at the entry, of the same program.
    CookieHigh,
    /// Indexed by system call number: 0 means not enabled here.
    BySyscall(Vec<u32>),
}

/// Where one probe argument comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArgSource {
    /// A field of the hook's pt_regs: byte offset, then truncated to `bytes` and extended.
    Reg {
        offset: u16,
        bytes: u8,
        signed: bool,
    },
    /// User memory at `[base + index * scale + disp]`, registers as pt_regs offsets.
    UserMem {
        base: Option<u16>,
        index: Option<u16>,
        scale: u8,
        disp: i64,
        bytes: u8,
        signed: bool,
    },
    /// A constant.
    Const(i64),
    /// An address so far from the instruction of the probe.
    PcRelative(i64),
    /// A field of the pt_regs of a kernel function ([`Hook::Kprobe`]).
    KernelReg(u16),
    /// So many bytes of another source, extended.
    Narrow {
        from: Box<ArgSource>,
        bytes: u8,
        signed: bool,
    },
    /// n-th context word (raw tracepoints; SysExit: 1 is the return value).
    Ctx(u16),
    /// n-th system call argument, read from the pt_regs that ctx[0] points to.
    SyscallArg(u8),
    /// The upper 32 bits of the attach cookie (pid return probes: offset of the returning instruction).
    CookieHigh,
    /// perf event: kernel pc if in the kernel (else 0) / user pc if in user mode (else 0).
    KernelPc,
    UserPc,
    /// What a recipe of a virtual probe yields.
    Recipe(Arc<Recipe>),
    /// What lies in memory, some steps away from another source; 0 where a step cannot be read.
    Deref {
        from: Box<ArgSource>,
        steps: Vec<Step>,
        user: bool,
    },
    /// Another source and a distance: the address of a part of a structure.
    Offset(Box<ArgSource>, i32),
    /// The sum of two sources.
    Sum(Box<ArgSource>, Box<ArgSource>),
    /// Another source with the sign turned: an error number.
    Negated(Box<ArgSource>),
    /// Some bits of another source.
    Bits {
        from: Box<ArgSource>,
        shift: u8,
        mask: u32,
    },
    /// One of two sources.
    Select(Box<Test>, Box<ArgSource>, Box<ArgSource>),
    /// Is the current thread the first of its process?
    MainThread,
    /// The current thread's `struct task_struct`.
    CurrentTask,
    /// Of the wait for a lock that ends here.
    Wait(Wait),
    /// The argument does not exist: reads as 0.
    Absent,
}

/// What is known of a wait for a lock, between two tracepoints of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// What kind of lock it is and how it is waited for: the flags of `contention_begin`; 0 where that was not seen.
    Flags,
    /// How long it took, in ns.
    Time,
}

/// What a program without clauses does for those that have some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Notes that a wait for a lock begins.
    WaitBegins,
    /// Forgets it, when all others have seen its end.
    WaitEnded,
}

/// One step through memory: from an address to what is stored near it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Distance from the address.
    pub offset: i32,
    pub bytes: u8,
    pub signed: bool,
}

impl ArgSource {
    /// A pointer stored at an offset in the kernel structure that this points to.
    pub fn pointer(self, offset: u32) -> ArgSource {
        self.field(offset, 8, false)
    }

    /// A number stored at an offset in the kernel structure that this points to.
    pub fn field(self, offset: u32, bytes: u8, signed: bool) -> ArgSource {
        let step = Step { offset: offset.cast_signed(), bytes, signed };
        match self {
            ArgSource::Deref { from, mut steps, user: false } => {
                steps.push(step);
                ArgSource::Deref { from, steps, user: false }
            }
            from => ArgSource::Deref { from: Box::new(from), steps: vec![step], user: false },
        }
    }
}

/// A condition on where a probe fires: it is part of the probe, not of the script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    pub source: ArgSource,
    /// Is the value one of these?
    pub one_of: Vec<i32>,
    /// Or rather none of them?
    pub not: bool,
}

impl Test {
    /// The source has this value.
    pub fn is(source: ArgSource, value: i32) -> Test {
        Test { source, one_of: vec![value], not: false }
    }

    /// The source has another value.
    pub fn is_not(source: ArgSource, value: i32) -> Test {
        Test { source, one_of: vec![value], not: true }
    }
}

/// Which processes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PidFilter {
    /// All.
    Any,
    /// Only this process (tgid in the initial pid namespace).
    Pid(u32),
}

/// A word of the thread's in `layout::KEPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    pub slot: u32,
    /// Is it written here? The program has no clauses then, and `condition` is the value.
    pub stores: bool,
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
    /// All of these must hold, or the probe has not fired.
    pub guard: Vec<Test>,
    /// The context word that is the task whose probe this is, where that is not the current one
    /// (`sched:::on-cpu`); only for `Hook::BtfTracepoint`.
    pub task: Option<u16>,
    /// It has no clauses, but does this.
    pub service: Option<Service>,
    /// errno is meaningful (system call returns): negative return values give it.
    pub errno: bool,
    /// `probeprov` has the pid appended at run time (USDT providers).
    pub provider_pid: bool,
    /// Is the first user frame's return address at [rsp] (function entry)? For `ucaller` and `ustack`.
    pub at_entry: bool,
    /// Attached as a session to the entries of functions, for what happens at their returns.
    pub session: bool,
    /// What fires from the same program: with a session at the entries of just these functions, else before this one.
    pub also: Option<Box<SiteGroup>>,
    /// A virtual probe's condition: where it is 0 nothing fired.
    pub condition: Option<Arc<Recipe>>,
    /// A virtual probe at a return that wants something of the entry; or the program at the entry that keeps it.
    pub keep: Option<Kept>,
    /// A virtual probe that looks at threads: the number (`layout::threads`) of the file whose threads they are.
    pub looks_at: Option<u64>,
}

/// Sizes that options set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `-x aggsize`: bytes of keyed aggregations for each CPU (and bank).
    pub aggsize: u32,
    /// `-x dynvarsize`: bytes of one associative array.
    pub dynvarsize: u32,
    /// `-x bufsize`: bytes of the ring of records.
    pub bufsize: u32,
    /// Bytes of `alloca` and `copyin` memory in one firing.
    pub scratchsize: u32,
    /// `-x nspec`: speculations at a time.
    pub nspec: u32,
    /// `-x cpu`: only firings on this processor count.
    pub cpu: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            aggsize: 4 << 20,
            dynvarsize: 1 << 20,
            bufsize: 4 << 20,
            scratchsize: 4096,
            nspec: 1,
            cpu: None,
        }
    }
}

/// Offsets into `struct task_struct`, from BTF; a builtin that needs a missing one is refused. [`offsets`] finds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelOffsets {
    /// `task->se.sum_exec_runtime`, in ns.
    pub sum_exec_runtime: Option<u32>,
    /// `task->real_parent`.
    pub real_parent: Option<u32>,
    /// `task->tgid`.
    pub tgid: Option<u32>,
    /// `task->pid`: the thread.
    pub pid: Option<u32>,
    /// `task->comm`, 16 bytes.
    pub comm: Option<u32>,
    /// `task->cred`.
    pub cred: Option<u32>,
    /// `cred->uid`; the gid follows it.
    pub uid: Option<u32>,
    pub euid: Option<u32>,
    pub egid: Option<u32>,
    /// `task->thread.fsbase`: where the thread's `struct pthread` is.
    pub thread_pointer: Option<u32>,
    /// For `sid`, `pgid`, `psargs`.
    pub process: Option<ProcessOffsets>,
    /// For `zonename`.
    pub zone: Option<ZoneOffsets>,
    /// For `cwd`, `root`, `d_path()`.
    pub paths: Option<PathOffsets>,
    /// For returns that are traced from the entry.
    pub returns: Option<ReturnOffsets>,
}

/// What a session needs to know of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnOffsets {
    /// BTF id of `bpf_session_is_return`.
    pub is_return: u32,
    /// `task->utask`, and in it how many traced calls are under way.
    pub utask: u32,
    pub depth: u32,
}

/// What leads from a task to its group, session and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessOffsets {
    /// `task->signal`, and in it `pids`.
    pub signal: u32,
    pub pids: u32,
    /// `pid->numbers[0].nr`; what a namespace has for an inode.
    pub number: u32,
    pub inum: u32,
    /// `task->mm`, and in it where the arguments are.
    pub mm: u32,
    pub arg_start: u32,
    pub arg_end: u32,
}

/// What leads from a task to the name of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneOffsets {
    /// `task->thread_pid`, and `pid->level`: how deep its pid namespace is.
    pub thread_pid: u32,
    pub level: u32,
    /// `task->nsproxy->uts_ns`, and in it `name.nodename`.
    pub nsproxy: u32,
    pub uts_ns: u32,
    pub nodename: u32,
}

/// What leads from a task to its directories, and from a `struct path` up to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathOffsets {
    /// `task->fs`, and in it two `struct path`.
    pub fs: u32,
    pub pwd: u32,
    pub root: u32,
    /// `struct path`.
    pub mnt: u32,
    pub dentry: u32,
    /// `struct dentry`.
    pub parent: u32,
    pub name: u32,
    /// `vfsmount->mnt_root`, and where the vfsmount is in its `struct mount`.
    pub mnt_root: u32,
    pub mount_mnt: u32,
    pub mount_parent: u32,
    pub mountpoint: u32,
}

/// The kernel that programs are made for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Possible CPUs.
    pub ncpu: u32,
    /// Global functions may take the context (6.8).
    pub global_ctx: bool,
    /// Sign-extending moves, `gotol` and the rest of ISA v4 (6.6).
    pub isa_v4: bool,
    /// Links of many uprobes run programs only for the threads of their process.
    pub links_filter: bool,
    /// `session` keeps account of threads at `sched_switch`, for `vtimestamp`.
    pub watches_switches: bool,
    /// Are programs at system calls called by a function that keeps preemption off (6.13, "tracing/bpf: disable preemption
    /// in syscall probe")? It has a frame on the stack.
    pub guards_syscalls: bool,
    /// Where the numbers of processes are not those of the whole system.
    pub namespace: Option<namespace::Namespace>,
    /// Offsets of kernel structures.
    pub offsets: KernelOffsets,
}

impl Target {
    /// A kernel of which only the number of CPUs is known.
    pub fn oldest(ncpu: u32) -> Target {
        Target {
            ncpu,
            global_ctx: false,
            isa_v4: false,
            links_filter: false,
            watches_switches: false,
            guards_syscalls: false,
            namespace: None,
            offsets: KernelOffsets::default(),
        }
    }
}

/// The ERROR probe and the clauses it runs, in program order.
#[derive(Clone, Debug)]
pub struct ErrorProbe {
    pub probe: ProbeId,
    pub clauses: Vec<ClauseId>,
}

/// Everything that [`compile`] reads.
pub struct Input<'a> {
    pub program: &'a Program,
    /// One BPF program each, in this order in the image.
    pub groups: &'a [SiteGroup],
    pub limits: Limits,
    pub target: Target,
    /// What runs when a clause faults.
    pub errors: Option<ErrorProbe>,
    /// Names of probes, for `probefunc` and its like.
    pub probe: &'a dyn Fn(ProbeId) -> Option<Probe>,
}

/// A map to create before the programs are loaded.
#[derive(Clone, Debug)]
pub struct MapDef {
    /// What the programs call it.
    pub id: MapId,
    pub spec: MapSpec,
    /// Keys and values to store at the start.
    pub init: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A program to load.
#[derive(Clone, Debug)]
pub struct ProgramImage {
    /// The group it was made from.
    pub group: usize,
    /// A name for the kernel.
    pub name: String,
    /// Its code; `span_of` gives an index into [`Image::spans`].
    pub code: asm::Program,
}

/// A compiled script.
#[derive(Clone, Debug)]
pub struct Image {
    /// Every map that some program refers to.
    pub maps: Vec<MapDef>,
    /// One program for each group, in order.
    pub programs: Vec<ProgramImage>,
    /// Where things lie in the maps.
    pub layout: Layout,
    /// D source places of instruction tags; tag 0 is no place.
    pub spans: Vec<Span>,
}

/// Compiles all programs of a script.
///
/// Fails with a diagnostic for each construct that has no lowering.
pub fn compile(input: &Input<'_>) -> Result<Image, Vec<Diag>> {
    // The first pass finds out how many temporaries the clauses need, the second one lays the frame out with just those.
    let first = context::generate(input, Layout::plan(input, layout::MEASURE_TEMPS)?)?;
    let image = context::generate(input, Layout::plan(input, first.layout.temps_used)?)?;
    image.programs.iter().try_for_each(|program| fits(program, input.program))?;
    Ok(image)
}

/// Instructions that the kernel takes in one program (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MOST_INSTRUCTIONS: usize = 1_000_000;
/// Functions that it takes in one (`BPF_MAX_SUBPROGS`).
const MOST_FUNCTIONS: usize = 256;

/// Does the kernel take a program of this size? If not: which clause is too much, and by how much.
fn fits(image: &ProgramImage, program: &Program) -> Result<(), Vec<Diag>> {
    let (code, total) = (&image.code, image.code.insns.len());
    // Every clause is a function; those between them are the runtime's.
    let clause = |name: &str| program.clauses.get(name.strip_prefix("clause_")?.parse::<usize>().ok()?);
    if code.functions.len() > MOST_FUNCTIONS {
        let clauses: Vec<_> = code.functions.iter().filter_map(|function| clause(&function.name)).collect();
        let most = MOST_FUNCTIONS.saturating_sub(code.functions.len() - clauses.len());
        let span = clauses.get(most).map_or_else(Span::default, |clause| clause.span);
        let message = format!(
            "this clause is one too many for its probe: of {} clauses the kernel takes {most} in one program",
            clauses.len()
        );
        return Err(vec![Diag::error(Tag::D_EBPF_TOOBIG, span, message)]);
    }
    if total > MOST_INSTRUCTIONS {
        let sizes = code.functions.iter().map(|function| {
            let size = function.end.saturating_sub(function.start);
            (size, clause(&function.name).map(|clause| clause.span))
        });
        let (size, span) = sizes.max_by_key(|(size, _)| *size).unwrap_or_default();
        let message = format!(
            "this clause is too large: of the {total} instructions of its program {size} are its own, and the kernel takes {MOST_INSTRUCTIONS}"
        );
        return Err(vec![Diag::error(Tag::D_EBPF_TOOBIG, span.unwrap_or_default(), message)]);
    }
    Ok(())
}
