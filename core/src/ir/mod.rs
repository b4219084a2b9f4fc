//! The typed program: what `sema` makes of a D script and what every executor
//! (the BPF code generator, the interpreter) runs.
//!
//! It is a small tree language. Every name is resolved, every implicit
//! conversion is explicit, every record's layout is decided, every place that
//! can fault is a node that says so. An executor needs no knowledge of D syntax.
//!
//! **Values.** A scalar expression yields 64 bits, sign- or zero-extended from
//! the width of its [`Ty`]: executors keep that canonical form after every
//! operation (`Cast` narrows). A string expression ([`Ty::Str`]) yields a D
//! string: at most `strsize - 1` bytes, or NULL (which prints as empty and
//! compares equal to NULL). A by-value object ([`Ty::Bytes`]) is an area of
//! fixed size.
//!
//! **Pointers** are 64-bit scalars. Their address space is known statically
//! ([`Space`]) or, for [`Space::Any`], told apart at run time: a pointer into
//! this firing's scratch memory (from `alloca`, `copyin`) carries
//! [`SCRATCH_TAG`] in its upper 16 bits and its offset in the lower 32, which
//! is no canonical x86-64 or arm64 address.
//!
//! **Faults** (bad address, division by zero, out of scratch, ...) end the
//! clause: the rest of it is skipped, nothing of its record is delivered, and
//! the ERROR probe fires (see [`Fault`]).

mod builtin;
pub mod parse;
pub mod text;
pub mod tree;
pub mod verify;
pub mod walk;

use crate::aggregate::AggFunc;
use crate::diagnostic::{SourceMap, Span};
use crate::probe::{ProbeDesc, ProbeId};
pub use builtin::{Builtin, Subroutine};

/// Upper 16 bits of a pointer into scratch memory: `SCRATCH_TAG << 48 | offset`.
pub const SCRATCH_TAG: u64 = 0x7fd7;

/// Index into [`Program::variables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VarId(pub u32);

/// Index into [`Program::aggregations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggId(pub u32);

/// Index into [`Program::clauses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClauseId(pub u32);

/// A whole D program, ready for a backend.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In program order; clauses of one probe run in this order.
    pub clauses: Vec<Clause>,
    /// Global, thread-local and clause-local variables.
    pub variables: Vec<Variable>,
    /// In order of first appearance.
    pub aggregations: Vec<AggregationDef>,
    /// `-x strsize`: bytes of a string with its terminating NUL.
    pub strsize: u32,
    /// Compiled printf and printa formats, by [`ActionKind`]'s `format` index.
    pub formats: Vec<crate::output::Format>,
}

/// `probes / predicate / { body }`.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Which probes enable it.
    pub probes: Vec<Enabling>,
    /// Runs the body only when non-zero.
    pub predicate: Option<Expr>,
    /// In order.
    pub body: Vec<Stmt>,
    /// What the clause delivers to the consumer on each firing.
    pub record: RecordLayout,
    /// The whole clause in the source.
    pub span: Span,
}

/// One probe description of a clause and what it matched.
#[derive(Clone, Debug)]
pub struct Enabling {
    /// The description, macros substituted.
    pub desc: ProbeDesc,
    /// The probes that exist now, in id order.
    pub probes: Vec<ProbeId>,
    /// Where the description stands.
    pub span: Span,
}

/// Type of an IR expression: what an executor needs to know, no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// An integer, enum or pointer; `bytes` is 1, 2, 4 or 8.
    Int { bytes: u8, signed: bool },
    /// A D string.
    Str,
    /// An object of fixed size, by value (struct, union, array).
    Bytes(u32),
    /// A call trace; only as a record field or aggregation key part, or what a cast makes an object of:
    /// a constant is the trace of here and now, a cast of an object the one that it holds.
    Stack(StackSpec),
    /// A kernel or user address to be shown as a symbol; as a record field or key part.
    /// A scalar for the executor (user kinds are 16 bytes in records: pid, then address).
    Symbol(SymbolKind),
    /// No value.
    Void,
}

impl Ty {
    /// `int`.
    pub const I32: Ty = Ty::Int { bytes: 4, signed: true };
    /// `int64_t`.
    pub const I64: Ty = Ty::Int { bytes: 8, signed: true };
    /// `uint64_t`, pointers.
    pub const U64: Ty = Ty::Int { bytes: 8, signed: false };
}

/// `stack(frames)`, `ustack(frames, strsize)`, `jstack(frames, strsize)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackSpec {
    /// Whose stack.
    pub user: bool,
    /// Frames kept.
    pub frames: u32,
    /// Bytes for names translated at run time (`jstack`), else 0.
    pub strsize: u32,
}

impl StackSpec {
    /// Bytes of a record's field, and of an object that holds one: count, for user stacks the process, addresses.
    pub fn bytes(self) -> u32 {
        self.head() + self.frames.saturating_mul(8)
    }

    /// Where the addresses begin.
    pub fn head(self) -> u32 {
        if self.user { 16 } else { 8 }
    }
}

/// `sym()`, `mod()`, `func()` and their user twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    Sym,
    Mod,
    Func,
    Usym,
    Umod,
    Ufunc,
    Uaddr,
}

/// An expression with its type and its place in the source.
#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Ty,
    pub span: Span,
}

impl Expr {
    /// Can a string be NULL? Of what it cannot be need not be asked.
    pub fn may_be_null(&self) -> bool {
        use Subroutine::{Json, Strchr, Strrchr, Strstr, Strtok};
        match &self.kind {
            ExprKind::StrNull | ExprKind::Read(_) => true,
            ExprKind::Call(subroutine, _) => matches!(subroutine, Json | Strchr | Strrchr | Strstr | Strtok),
            ExprKind::Cond(_, a, b) => a.may_be_null() || b.may_be_null(),
            ExprKind::Comma(_, last) => last.may_be_null(),
            ExprKind::Assign { value, .. } => value.may_be_null(),
            _ => false,
        }
    }
}

/// Where a pointer points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Kernel memory, or scratch if the tag says so.
    Any,
    /// Memory of the traced process.
    User,
}

/// What an expression does. Scalars unless said otherwise.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A constant in canonical form.
    Const(i64),
    /// A string constant, without its NUL, already cut at its first NUL and at strsize - 1.
    StrConst(Vec<u8>),
    /// The NULL string.
    StrNull,
    /// A built-in variable (scalar or string by `ty`).
    Builtin(Builtin),
    /// `argN` as the probe's provider delivers it (64 bits); the index may be dynamic in D only through `args[]`, which is constant.
    Arg(u32),
    /// `uregs[n]`, index in the platform's R_* numbering.
    Ureg(Box<Expr>),
    /// The present value of a place: a scalar, string or bytes by `ty`.
    Read(Box<Place>),
    /// A scalar or bytes object in memory. Faults: BADADDR.
    Load { addr: Box<Expr>, space: Space },
    /// The NUL-terminated string at an address, at most `max` bytes (with its NUL; strsize when absent). Str. Faults: BADADDR.
    /// A zero address is a fault as any other bad address.
    LoadStr { addr: Box<Expr>, space: Space, max: Option<Box<Expr>> },
    /// A string made of at most `size` bytes of an object by value (char arrays). Str.
    StrOfBytes(Box<Expr>),
    /// Kernel address of an object that a variable holds, or of a part of it. Memory there can be read through
    /// a pointer, not written.
    AddressOf(Box<Place>),
    /// Bit-field of a scalar: shift down, keep `bits`, extend by `ty`.
    BitField { of: Box<Expr>, shift: u8, bits: u8 },
    /// Part of an object by value at a constant offset (member of a struct rvalue).
    Extract { of: Box<Expr>, offset: u32 },
    /// Unary operator.
    Unary(UnaryOp, Box<Expr>),
    /// Binary operator on scalars of the same type as the result (comparisons: of equal types, giving int).
    /// `Div` and `Mod` fault with DIVZERO.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// Comparison of two strings, bytewise; NULL equals only NULL.
    StrCompare(BinaryOp, Box<Expr>, Box<Expr>),
    /// Non-zero when the string is NULL.
    StrIsNull(Box<Expr>),
    /// Short-circuit `&&`, `||`; `^^` evaluates both.
    Logical(LogicalOp, Box<Expr>, Box<Expr>),
    /// `c ? a : b`, lazily; both of type `ty`.
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    /// To `ty`'s width and sign: truncates, then extends. Between a call trace and an object that is laid out as a
    /// record's field of that type: its bytes.
    Cast(Box<Expr>),
    /// Stores and yields the stored value (canonical in the place's type).
    Assign { place: Box<Place>, value: Box<Expr> },
    /// `place = place op value` with the place evaluated once. Yields the new value, or the old one for `x++`.
    /// `op` works in `compute` type, the result is cast to the place's type.
    Update { place: Box<Place>, op: BinaryOp, value: Box<Expr>, compute: Ty, old: bool },
    /// Evaluates the first for its effects, yields the second.
    Comma(Box<Expr>, Box<Expr>),
    /// A subroutine.
    Call(Subroutine, Vec<Expr>),
}

/// Somewhere a value can be stored.
#[derive(Clone, Debug)]
pub struct Place {
    pub kind: PlaceKind,
    /// Type of what is read or written there.
    pub ty: Ty,
    /// Bit-field within the `ty`-sized unit: (shift, bits).
    pub bits: Option<(u8, u8)>,
    pub span: Span,
}

/// The kinds of places.
#[derive(Clone, Debug)]
pub enum PlaceKind {
    /// A scalar variable, or a part of an object variable at a byte offset
    /// (dynamic for `a[i]`; an offset outside the variable faults with BADADDR).
    Var { var: VarId, offset: Option<Box<Expr>> },
    /// An element of an associative array (or a part of an object element at a byte offset).
    Elem { var: VarId, key: Vec<Expr>, offset: u32 },
    /// Memory through a pointer: only scratch memory can be written, else BADADDR.
    Mem { addr: Box<Expr>, space: Space },
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    BitNot,
    LogNot,
}

/// Binary operators; signedness comes from the operands' type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Logical operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogicalOp {
    And,
    Or,
    Xor,
}

/// A statement of a clause body.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// For its effects.
    Expr(Expr),
    /// Branches by a scalar.
    If { cond: Expr, then: Vec<Stmt>, otherwise: Vec<Stmt> },
    /// `@a[key] = func(value[, increment])`.
    Aggregate { agg: AggId, key: Vec<Expr>, value: Option<Expr>, increment: Option<Expr>, span: Span },
    /// Fills the fields of `record.actions[action]` with `values` (one each), and marks it present.
    Record { action: u32, values: Vec<Expr>, span: Span },
    /// Done in the probe's context, by the kernel.
    Effect { effect: Effect, args: Vec<Expr>, span: Span },
}

/// Actions that the kernel side performs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `(id)`: the clause's record goes to the speculative buffer.
    Speculate,
    Commit,
    Discard,
    /// `(signal)`.
    Raise,
    Stop,
    /// `(nanoseconds)`.
    Chill,
    Panic,
    Breakpoint,
    /// Stops tracing: no clause runs after this firing's. `exit()` also leaves a record.
    ExitFlag,
}

/// A variable of the script.
#[derive(Clone, Debug)]
pub struct Variable {
    /// D name, without `self->` or `this->`.
    pub name: String,
    pub scope: Scope,
    /// Type of the variable or of one element.
    pub ty: Ty,
    /// Key part types of an associative array.
    pub key: Option<Vec<Ty>>,
    pub span: Span,
}

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One for the whole system. Not synchronised, as in DTrace.
    Global,
    /// One per thread; zero until assigned; freed when zero is assigned.
    ThreadLocal,
    /// Shared by the clauses of one probe firing; not initialised between (executors zero it per firing).
    ClauseLocal,
}

/// An aggregation of the script.
#[derive(Clone, Debug)]
pub struct AggregationDef {
    /// Without `@`; `_` is the anonymous one.
    pub name: String,
    pub func: AggFunc,
    /// Types of the key tuple.
    pub key: Vec<Ty>,
    /// Are the value and the integer key parts shown as signed?
    pub signed: bool,
    pub span: Span,
}

/// What a clause's firing delivers: a sequence of actions with their fields.
///
/// In memory: `size` bytes; if `present` is set, the first bytes at offset 0
/// are a bit set (`u64` words, little end first) of the actions that were
/// reached, used when an action stands within an `if`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordLayout {
    /// In program order.
    pub actions: Vec<ActionDef>,
    /// Every field of every action, by [`ActionDef::fields`].
    pub fields: Vec<Field>,
    /// Bytes of the whole record, a multiple of 8.
    pub size: u32,
    /// Is there a presence bit set at offset 0?
    pub present: bool,
}

/// One consumer-side action of a clause.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionDef {
    pub kind: ActionKind,
    /// Indices into [`RecordLayout::fields`].
    pub fields: std::ops::Range<u32>,
    pub span: Span,
}

/// A value within a record.
///
/// Layout by type: `Int` its bytes at `offset` (naturally aligned); `Str` a
/// `u64` length (`u64::MAX` for NULL) then `strsize` bytes rounded up to 8;
/// `Bytes(n)` n bytes; `Stack` a `u64` count, for user stacks a `u64` pid, then
/// `frames` u64 addresses; `Symbol` a u64 address, user kinds a u64 pid before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub offset: u32,
    pub ty: Ty,
}

/// Actions the consumer performs when it reads the record, in record order.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// `printf(format, ...)`: index into [`Program::formats`].
    Printf {
        format: u32,
    },
    /// `printa([format,] @a, ...)`; without format in the default layout.
    Printa {
        format: Option<u32>,
        aggs: Vec<AggId>,
    },
    /// `trace(value)`; `typed` texts (print()) name the D type.
    Trace,
    /// `print(value)`: shown as C source of the type.
    Print {
        type_name: String,
        text: PrintShape,
    },
    /// `tracemem(address, size[, dynamic size])`: fields are the bytes and, if dynamic, the size.
    Tracemem {
        dynamic: bool,
    },
    /// `stack()`, `ustack()`, `jstack()` as statements.
    Stack,
    /// `sym()`, `usym()`, ... as statements.
    Symbol,
    /// `exit(status)`.
    Exit,
    /// `clear(@a)`.
    Clear {
        agg: AggId,
    },
    /// `trunc(@a[, n])`: the field is n.
    Trunc {
        agg: AggId,
    },
    /// `normalize(@a, factor)`.
    Normalize {
        agg: AggId,
    },
    Denormalize {
        agg: AggId,
    },
    /// `system(format, ...)`.
    System {
        format: u32,
    },
    /// `freopen(format, ...)`.
    Freopen {
        format: u32,
    },
    Ftruncate,
    /// `setopt(name[, value])`: the fields are the strings.
    Setopt,
    /// `commit(id)`/`discard(id)`: the field is the id.
    Commit,
    Discard,
    /// `speculate(id)`: marks the record as speculative; the field is the id.
    Speculate,
    /// An empty clause body: the firing itself is the record (default action).
    Default,
}

/// How print() shows a value: computed by the checker from the C type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrintShape {
    Int { type_name: String },
    Pointer { type_name: String },
    Str,
    CharArray { type_name: String },
    Enum { type_name: String, names: Vec<(i64, String)> },
    Array { type_name: String, of: Box<PrintShape>, element: u32, len: u32, ty: Ty },
    Struct { type_name: String, members: Vec<PrintMember> },
}

/// A member of a printed struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintMember {
    pub name: String,
    pub offset: u32,
    pub ty: Ty,
    pub bits: Option<(u8, u8)>,
    pub shape: PrintShape,
}

/// Why a clause was abandoned; numbers are DTRACEFLT_* of illumos' `<sys/dtrace.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Fault {
    Unknown = 0,
    BadAddr = 1,
    BadAlign = 2,
    IllOp = 3,
    DivZero = 4,
    NoScratch = 5,
    KPriv = 6,
    UPriv = 7,
    TupleOflow = 8,
    BadStack = 9,
    /// A tracing loop or string without end: Oracle's and ours.
    Library = 10,
    /// Oracle's: an index outside a D array.
    Index = 11,
}
