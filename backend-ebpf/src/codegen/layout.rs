//! Where everything lives: maps, variables, aggregations, and the frame of a firing.
//!
//! The plan is made once per script, before any code, and is published to
//! `session`, which reads the same memory from the other side. [`super::decode`]
//! uses it to walk aggregation tables.

use super::asm::MapId;
use super::{Input, agg};
use duotrace_core::aggregate::AggFunc;
use duotrace_core::diagnostic::{Diag, Tag};
use duotrace_core::ir::walk::{calls_any, takes_user_stacks};
use duotrace_core::ir::{Clause, Scope, StackSpec, SymbolKind, Ty};

/// Room for temporaries while they are being counted.
pub(super) const MEASURE_TEMPS: u32 = 1 << 20;

/// Bytes of all tables together at most, whatever `aggsize` asks for: they are taken at once.
const TABLES: u32 = 512 << 20;

/// The control page: one mapped value.
pub const CONTROL: MapId = MapId(0);
/// Drop counters: one mapped value, [`Layout::drop_stride`] bytes for each CPU.
pub const DROPS: MapId = MapId(1);
/// The ring of records.
pub const EVENTS: MapId = MapId(2);
/// Scratch memory of firings.
pub const FRAMES: MapId = MapId(3);
/// Global variables: one mapped value.
pub const GLOBALS: MapId = MapId(4);
/// Thread-local variables.
pub const THREADS: MapId = MapId(5);
/// Aggregations without a key: one mapped value.
pub const SLOTS: MapId = MapId(6);
/// Tables of aggregations with a key: `bank * ncpu + cpu`.
pub const AGGS: MapId = MapId(7);
/// Names of probes by number.
pub const NAMES: MapId = MapId(8);
/// Probe numbers by system call number.
pub const SYSCALLS: MapId = MapId(9);
/// Objects of processes, for user stacks: `unwind` has the layout.
pub const OBJECTS: MapId = MapId(10);
/// Rows of frame tables, sorted within each object.
pub const ROWS: MapId = MapId(11);
/// Processes whose objects are wanted.
pub const STRANGERS: MapId = MapId(12);
/// Rows that were found before: one mapped value.
pub const KNOWN: MapId = MapId(19);
/// Waits for locks that are going on: `lock` has the layout.
pub const WAITS: MapId = MapId(18);
/// Where the threads of a process keep what virtual probes look at: `threads` has the layout.
pub const LOOKED_AT: MapId = MapId(13);
/// Processes of which that is not known, or known for long.
pub const UNKNOWN: MapId = MapId(14);
/// Who came on each processor, and when: `on_cpu` has the layout.
pub const ON_CPU: MapId = MapId(15);
/// Threads' times on processors, as `vtimestamp` has them.
pub const ACCOUNTS: MapId = MapId(16);
/// What probes at returns keep of entries: `KEPT_WORDS` of each thread.
pub const KEPT: MapId = MapId(17);
pub const KEPT_WORDS: u32 = 64;
/// First of the associative arrays' maps.
const ARRAYS: u32 = 32;

/// Tables by which user stacks are walked.
pub mod unwind {
    /// Processes that have tables at a time.
    pub const PROCESSES: u32 = 256;
    /// Objects of a process, a power of two. The value of `OBJECTS` is their number, the version (`u32` each: no two
    /// lists of objects have the same) and, from `HEAD` on, for each:
    /// start and end of its code, load bias (`u64` each), its first row and how many it has (`u32` each).
    /// What is left over begins at `NOWHERE`.
    pub const OBJECTS: u32 = 128;
    pub const HEAD: u32 = 8;
    pub const OBJECT: u32 = 32;
    pub const NOWHERE: u64 = i64::MAX as u64;
    /// Rows of addresses that were met before, a power of two. Each is two words: what the address is known by (with the
    /// version of the process's objects) xor the row, and the row from bit 32 on.
    pub const KNOWN: u32 = 1 << 13;
    /// Rows of all objects. Each is a `u64`: the address in the object (32 bits), the distance of the CFA in words
    /// (16 bits), the word below the CFA that holds the caller's rbp, or 0 (8 bits), and what the CFA is relative to.
    pub const ROWS: u32 = 1 << 20;
    /// There is no caller.
    pub const END: i32 = 0;
    pub const RSP: i32 = 1;
    pub const RBP: i32 = 2;
    /// An entry of the procedure linkage table.
    pub const PLT: i32 = 3;
    /// Where a signal handler returns to.
    pub const SIGNAL: i32 = 4;
    /// Offsets in `struct rt_sigframe` behind its return address: 40 bytes of ucontext, then `struct sigcontext_64`
    /// (arch/x86/include/uapi/asm/sigcontext.h).
    pub const SIGNAL_RBP: i32 = 40 + 80;
    pub const SIGNAL_RSP: i32 = 40 + 120;
    pub const SIGNAL_RIP: i32 = 40 + 128;
}

/// What virtual probes that look at threads know of processes.
pub mod threads {
    /// Processes at a time.
    pub const PROCESSES: u32 = 8192;
    /// A value: `u64` address of the key (0: the process has none), `u64` number of the file that it is in, `u64` when it
    /// was found out (ns, monotonic), `u32` offset of `specific` in `struct pthread`, `u32` of `data` in what the
    /// blocks there consist of.
    pub const KEY: i16 = 0;
    pub const FILE: i16 = 8;
    pub const SINCE: i16 = 16;
    pub const BLOCKS: i16 = 24;
    pub const DATA: i16 = 28;
    pub const VALUE: u32 = 32;
    /// After so long it is found out again: the process may be another program now.
    pub const FRESH_NS: i32 = 1_000_000_000;
    /// Keys of a block, and bytes of one, as powers of two (glibc's `PTHREAD_KEY_2NDLEVEL_SIZE`,
    /// `struct pthread_key_data`).
    pub const BLOCK_BITS: i32 = 5;
    pub const ENTRY_BITS: i32 = 4;
}

/// What `vtimestamp` knows of a processor.
pub mod on_cpu {
    /// `u64`: the thread's number plus 1; 0 before the first switch that was seen.
    pub const WHO: i16 = 0;
    /// `u64`: since when (ns, monotonic).
    pub const SINCE: i16 = 8;
    pub const BYTES: u32 = 16;
}

/// Offsets in the control page.
pub mod control {
    /// `u32`: probes fire only while it is 1.
    pub const ARMED: u32 = 0;
    /// `u32`: `exit()` was called; nothing but END fires any more.
    pub const EXITING: u32 = 4;
    /// `u64`: the bank that aggregations go to, 0 or 1.
    pub const BANK: u32 = 8;
    /// `i64`: wall clock minus monotonic clock, ns.
    pub const WALL: u32 = 16;
    /// `u64` each: is speculation 1, 2, ... in use?
    pub const SPECULATIONS: u32 = 64;
}

/// Indices of drop counters of one CPU.
pub mod drops {
    pub const PRINCIPAL: u32 = 0;
    pub const DYNAMIC: u32 = 1;
    pub const SPECULATION: u32 = 2;
    pub const SPECULATION_UNAVAILABLE: u32 = 3;
    pub const SPECULATION_BUSY: u32 = 4;
    pub const NESTED: u32 = 5;
    pub const STACK: u32 = 6;
    /// Faults within ERROR clauses: nobody else is told of them.
    pub const ERROR_FAULT: u32 = 7;
    /// Returns that the kernel did not trace: too many traced calls were under way.
    pub const RETURNS: u32 = 8;
    /// Then one for each aggregation.
    pub const AGGREGATIONS: u32 = 9;
}

/// Offsets in a frame.
pub(super) mod frame {
    pub const BUSY: i32 = 0;
    pub const FAULT: i32 = 8;
    pub const FAULT_ADDRESS: i32 = 16;
    /// Action in the lower half, offset in the upper.
    pub const FAULT_WHERE: i32 = 24;
    pub const FAULT_EPID: i32 = 32;
    pub const SCRATCH_TOP: i32 = 40;
    pub const STRTOK_AT: i32 = 48;
    /// A small result of a routine.
    pub const RESULT: i32 = 56;
    /// 32 bytes: a set of characters; or working words of a routine.
    pub const SET: i32 = 64;
    pub const HEADER: i32 = 96;
}

/// Frames of one CPU: firings within firings that can be told apart.
pub(super) const FRAMES_PER_CPU: u32 = 4;

/// What an event in the ring begins with: 32 bytes.
pub mod event {
    /// `u32`: [`RECORD`], [`FAULT`] or [`WRITE`].
    pub const KIND: u32 = 0;
    pub const CLAUSE: u32 = 4;
    pub const PROBE: u32 = 8;
    pub const CPU: u32 = 12;
    /// `u64` ns, monotonic.
    pub const TIMESTAMP: u32 = 16;
    /// `u32`: process.
    pub const PID: u32 = 24;
    /// Then the record, or for a fault: `u32` action, `u32` offset, `u32` fault, `u32` 0, `u64` address.
    pub const HEADER: u32 = 32;
    pub const RECORD: u32 = 1;
    pub const FAULT: u32 = 2;
    /// What `copyout()` wants written: process and thread (`u64`, at [`TIMESTAMP`]); then `u64` address, `u64` size,
    /// the bytes.
    pub const WRITE: u32 = 3;
    pub const WRITE_HEAD: u32 = 16;
}

/// Where a variable lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VarPlace {
    /// Offset in `GLOBALS`.
    Global(u32),
    /// Offset in a thread's value of `THREADS`.
    Thread(u32),
    /// Offset in the frame.
    Local(u32),
    /// A hash table of its own.
    Array { map: MapId, thread: bool, key_bytes: u32, elem_bytes: u32 },
    /// Never used.
    Unused,
}

/// One part of an aggregation's key, in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// Which part of the D tuple it is.
    pub part: u32,
    pub ty: Ty,
    /// Bytes, or `None` for a string: its length, then its words.
    pub bytes: Option<u32>,
}

/// Where an aggregation's values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggLayout {
    pub func: AggFunc,
    /// Words of a value; with `present` one more before them that is 1 when the value was ever touched.
    pub words: u32,
    pub present: bool,
    /// Offset in a CPU's stride of `SLOTS`, for an aggregation without key.
    pub slot: Option<u32>,
    /// Key parts, those of fixed size first.
    pub key: Vec<KeyPart>,
    /// Bytes of the parts of fixed size.
    pub key_fixed: u32,
}

/// The whole plan.
#[derive(Clone, Debug)]
pub struct Layout {
    pub ncpu: u32,
    /// Bytes of a string with its NUL.
    pub strsize: u32,
    /// Bytes of a string in memory: its length, then its characters rounded up.
    pub str_bytes: u32,
    pub vars: Vec<VarPlace>,
    pub globals_bytes: u32,
    pub thread_bytes: u32,
    /// Offsets of the strings in a thread's value: NULL at first.
    pub(super) thread_strings: Vec<u32>,
    pub aggs: Vec<AggLayout>,
    /// Bytes of one CPU's unkeyed values; `(bank * ncpu + cpu) * slot_stride` is where they begin.
    pub slot_stride: u32,
    /// Bytes of one table of keyed values.
    pub table_bytes: u32,
    /// Slots of a table.
    pub table_slots: u32,
    /// Bytes of drop counters of one CPU.
    pub drop_stride: u32,
    /// First probe-and-clause number of each clause; `epid` counts from here over the clause's probes.
    pub epids: Vec<u32>,
    pub nspec: u32,
    pub(super) key_at: u32,
    pub(super) key_bytes: u32,
    pub(super) record_at: u32,
    pub(super) locals: (u32, u32),
    pub(super) strtok_at: u32,
    pub(super) scratch_at: u32,
    pub(super) scratch_bytes: u32,
    pub(super) temps_at: u32,
    pub(super) temps_bytes: u32,
    pub(super) temps_used: u32,
    pub(super) uses_scratch: bool,
    /// Where a part of the user's stack is read to, with scripts that walk it.
    pub(super) window_at: u32,
    /// Bytes of a frame.
    pub frame_bytes: u32,
}

/// `n` rounded up to a multiple of 8.
pub(super) fn round8(n: u32) -> u32 {
    n.saturating_add(7) & !7
}

/// Bytes of a user or kernel stack field.
pub(super) fn stack_bytes(spec: StackSpec) -> u32 {
    spec.bytes()
}

/// Is a symbol kind two words (pid, address)?
pub(super) fn user_symbol(kind: SymbolKind) -> bool {
    matches!(kind, SymbolKind::Usym | SymbolKind::Umod | SymbolKind::Ufunc | SymbolKind::Uaddr)
}

impl Layout {
    /// Plans a script; `temps` bytes of the frame are for temporaries.
    pub(super) fn plan(input: &Input<'_>, temps: u32) -> Result<Layout, Vec<Diag>> {
        let program = input.program;
        let strsize = program.strsize.clamp(2, 1 << 20);
        let str_bytes = 8 + round8(strsize).max(16);
        let ncpu = input.target.ncpu.max(1);
        let mut plan = Layout {
            ncpu,
            strsize,
            str_bytes,
            vars: Vec::new(),
            globals_bytes: 0,
            thread_bytes: 8,
            thread_strings: Vec::new(),
            aggs: Vec::new(),
            slot_stride: 0,
            table_bytes: (input.limits.aggsize & !7).clamp(4096, (TABLES / 2 / ncpu).max(4 << 20)),
            table_slots: 0,
            drop_stride: 0,
            epids: Vec::new(),
            nspec: input.limits.nspec.min(256),
            key_at: frame::HEADER as u32,
            key_bytes: 0,
            record_at: 0,
            locals: (0, 0),
            strtok_at: 0,
            scratch_at: 0,
            scratch_bytes: input.limits.scratchsize.clamp(64, 1 << 20) & !7,
            temps_at: 0,
            temps_bytes: temps,
            temps_used: 0,
            uses_scratch: uses_scratch(input),
            window_at: 0,
            frame_bytes: 0,
        };
        plan.table_slots = super::runtime::slots(plan.table_bytes);
        plan.plan_aggregations(input)?;
        plan.drop_stride = round64((drops::AGGREGATIONS + plan.aggs.len() as u32) * 8);
        plan.plan_epids(input);
        plan.record_at = plan.key_at + plan.key_bytes;
        let record = program.clauses.iter().map(|clause| clause.record.size).max().unwrap_or(0);
        let locals_at = plan.record_at + event::HEADER + round8(record);
        let locals_end = plan.plan_variables(input, locals_at);
        plan.locals = (locals_at, locals_end);
        plan.strtok_at = locals_end;
        let scratch_at = locals_end + str_bytes;
        plan.scratch_at = scratch_at;
        // Twice the size: the verifier bounds an offset and a length each on its own.
        plan.temps_at = scratch_at + if plan.uses_scratch { plan.scratch_bytes * 2 } else { 0 };
        // One string more than is used: the verifier bounds a string's offset and a length in it each on its own.
        plan.window_at = plan.temps_at + round8(temps) + str_bytes + 8;
        plan.frame_bytes =
            plan.window_at + if takes_user_stacks(program) { super::runtime::WINDOW } else { 0 };
        Ok(plan)
    }

    fn plan_aggregations(&mut self, input: &Input<'_>) -> Result<(), Vec<Diag>> {
        for def in &input.program.aggregations {
            let words = def.func.words() as u32;
            let mut layout = AggLayout {
                func: def.func,
                words,
                present: !agg::counts_itself(&def.func),
                slot: None,
                key: Vec::new(),
                key_fixed: 0,
            };
            let bytes = (words + u32::from(layout.present)) * 8;
            if def.key.is_empty() {
                layout.slot = Some(self.slot_stride);
                self.slot_stride += bytes;
            } else {
                let mut strings = Vec::new();
                for (part, ty) in def.key.iter().enumerate() {
                    let bytes = match *ty {
                        Ty::Str => None,
                        Ty::Int { .. } => Some(8),
                        Ty::Bytes(n) => Some(round8(n)),
                        Ty::Stack(spec) => Some(stack_bytes(spec)),
                        Ty::Symbol(kind) => Some(if user_symbol(kind) { 16 } else { 8 }),
                        Ty::Void => Some(0),
                    };
                    let part = KeyPart { part: part as u32, ty: *ty, bytes };
                    match bytes {
                        Some(bytes) => {
                            layout.key_fixed += bytes;
                            layout.key.push(part);
                        }
                        None => strings.push(part),
                    }
                }
                let most = layout.key_fixed + strings.len() as u32 * self.str_bytes;
                layout.key.extend(strings);
                if most > 32 << 10 {
                    return Err(vec![Diag::error(
                        Tag::D_EBPF_TOOBIG,
                        def.span,
                        format!(
                            "the key of @{} takes {most} bytes: more than the ebpf backend has",
                            def.name
                        ),
                    )]);
                }
                self.key_bytes = self.key_bytes.max(most);
            }
            self.aggs.push(layout);
        }
        self.slot_stride = round64(self.slot_stride);
        Ok(())
    }

    fn plan_epids(&mut self, input: &Input<'_>) {
        let mut next = 1;
        for clause in &input.program.clauses {
            self.epids.push(next);
            next += clause.probes.iter().map(|enabling| enabling.probes.len() as u32).sum::<u32>();
        }
    }

    /// Gives every variable its place; locals begin at `at` in the frame. Returns where they end.
    fn plan_variables(&mut self, input: &Input<'_>, mut at: u32) -> u32 {
        for (index, var) in input.program.variables.iter().enumerate() {
            let bytes = self.value_bytes(var.ty);
            let place = match (&var.key, var.scope) {
                (Some(key), scope) => {
                    let thread = scope == Scope::ThreadLocal;
                    let parts: u32 = key.iter().map(|ty| self.value_bytes(*ty)).sum();
                    VarPlace::Array {
                        map: MapId(ARRAYS + index as u32),
                        thread,
                        key_bytes: (parts + if thread { 8 } else { 0 }).max(8),
                        elem_bytes: bytes,
                    }
                }
                (None, Scope::Global) => {
                    let place = VarPlace::Global(self.globals_bytes);
                    self.globals_bytes += bytes;
                    place
                }
                (None, Scope::ThreadLocal) => {
                    let place = VarPlace::Thread(self.thread_bytes);
                    if var.ty == Ty::Str {
                        self.thread_strings.push(self.thread_bytes);
                    }
                    self.thread_bytes += bytes;
                    place
                }
                (None, Scope::ClauseLocal) => {
                    let place = VarPlace::Local(at);
                    at += bytes;
                    place
                }
            };
            self.vars.push(place);
        }
        at
    }

    /// Bytes of a value in a variable or key of fixed shape.
    pub fn value_bytes(&self, ty: Ty) -> u32 {
        match ty {
            Ty::Int { .. } => 8,
            Ty::Str => self.str_bytes,
            Ty::Bytes(n) => round8(n).max(8),
            Ty::Stack(spec) => stack_bytes(spec),
            Ty::Symbol(kind) => 8 + if user_symbol(kind) { 8 } else { 0 },
            Ty::Void => 8,
        }
    }

    /// Byte offset of drop counter `kind` of `cpu` in `DROPS`.
    pub fn drop_at(&self, cpu: u32, kind: u32) -> usize {
        (cpu * self.drop_stride + kind * 8) as usize
    }

    /// Byte offset of the unkeyed values of a bank and CPU in `SLOTS`.
    pub fn slots_at(&self, bank: u32, cpu: u32) -> usize {
        ((bank * self.ncpu + cpu) * self.slot_stride) as usize
    }

    /// Element of `AGGS` that holds the keyed values of a bank and CPU.
    pub fn table_index(&self, bank: u32, cpu: u32) -> u32 {
        bank * self.ncpu + cpu
    }
}

/// `n` rounded up to a cache line.
fn round64(n: u32) -> u32 {
    (n + 63) & !63
}

/// Does any clause take scratch memory? Without, no pointer can carry the scratch tag.
fn uses_scratch(input: &Input<'_>) -> bool {
    use duotrace_core::ir::Subroutine as S;
    input
        .program
        .clauses
        .iter()
        .any(|clause| calls_any(clause, &[S::Alloca, S::Copyin, S::Copyinto, S::Copyout, S::Bcopy]))
}

/// Does a clause take scratch memory?
pub(super) fn allocates(clause: &Clause) -> bool {
    use duotrace_core::ir::Subroutine as S;
    calls_any(clause, &[S::Alloca, S::Copyin])
}

/// Does any clause write to its process?
pub fn copies_out(program: &duotrace_core::ir::Program) -> bool {
    use duotrace_core::ir::Subroutine as S;
    program.clauses.iter().any(|clause| calls_any(clause, &[S::Copyout, S::Copyoutstr]))
}
