//! The assembler: functions of instructions with labels, calls and map names, linked into one `Program`.
//!
//! The code generator emits into the current function and marks where in the
//! script it is ([`Assembler::set_span`]); every instruction keeps that tag, so a
//! verifier refusal at instruction N leads back to an expression. Library
//! routines are declared once, emitted at any time, and left out of the program when nothing
//! reaches them (the verifier refuses code that cannot be reached).
//! Maps are named by the generator ([`MapId`]); the loader puts descriptors in.

mod link;
#[cfg(test)]
mod tests;

use super::insn::{Cond, Helper, Insn, Operand, Reg, Size};
use std::fmt;

/// A place in a function that branches may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(u32);

/// A function of the program under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncId(u32);

/// A map, by the number that the code generator gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapId(pub u32);

/// How the verifier treats a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// Verified anew at every call, with the caller's knowledge of the arguments. Callbacks must be static.
    Static,
    /// Verified once, for any arguments of the declared kinds; returns an unknown scalar in `R0`.
    Global,
}

/// What a function of the program receives in one of `R1`..`R5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    /// Any 64-bit number.
    Scalar,
    /// Null, or the address of this many readable and writable bytes (test for null first).
    Mem(u32),
    /// The program's context. Only for `Linkage::Static` on kernels before 6.8.
    Ctx,
}

/// A function of a linked program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, a C identifier.
    pub name: String,
    /// Index of its first instruction.
    pub start: u32,
    /// One past its last instruction.
    pub end: u32,
    /// Static or global.
    pub linkage: Linkage,
    /// The arguments, at most five.
    pub args: Vec<Arg>,
}

/// An instruction pair that must receive a map's descriptor before the program can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRef {
    /// Index of the first half of the wide load.
    pub insn: u32,
    /// The map.
    pub map: MapId,
}

/// A linked program: function 0 is the entry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Program {
    /// All instructions; wide loads take two places.
    pub insns: Vec<Insn>,
    /// For each instruction the tag that was current when it was emitted.
    pub spans: Vec<u32>,
    /// The functions, in the order of their instructions, without gaps.
    pub functions: Vec<Function>,
    /// Where maps are named.
    pub map_refs: Vec<MapRef>,
}

impl Program {
    /// The tag of an instruction, for instance of the one in a verifier's complaint.
    pub fn span_of(&self, insn: usize) -> Option<u32> {
        self.spans.get(insn).copied()
    }

    /// The function an instruction lies in.
    pub fn function_of(&self, insn: usize) -> Option<&Function> {
        self.functions.iter().find(|f| (f.start as usize..f.end as usize).contains(&insn))
    }

    /// The instructions with every map named by the descriptor that `fd_of` gives.
    ///
    /// Fails with the first map that `fd_of` does not know.
    pub fn with_maps(&self, mut fd_of: impl FnMut(MapId) -> Option<i32>) -> Result<Vec<Insn>, MapId> {
        let mut insns = self.insns.clone();
        for reference in &self.map_refs {
            let fd = fd_of(reference.map).ok_or(reference.map)?;
            if let Some(insn) = insns.get_mut(reference.insn as usize) {
                insn.imm = fd;
            }
        }
        Ok(insns)
    }
}

impl fmt::Display for Program {
    /// The listing, with maps shown by their `MapId`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, text) in super::insn::disassemble(&self.insns) {
            if let Some(function) = self.functions.iter().find(|function| function.start as usize == at) {
                writeln!(f, "{}:", function.name)?;
            }
            match self.map_refs.iter().find(|reference| reference.insn as usize == at) {
                Some(reference) => {
                    writeln!(f, "{at:5}: {}", text.replace("fd:0", &format!("#{}", reference.map.0)))?;
                }
                None => writeln!(f, "{at:5}: {text}")?,
            }
        }
        Ok(())
    }
}

/// Why a program could not be linked. All but `TooFar` are mistakes of the code generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsmError {
    /// A branch goes to a label that no `bind` placed in the same function.
    Unbound {
        /// The function.
        function: String,
        /// Tag of the branch.
        span: u32,
    },
    /// A label was bound twice.
    BoundTwice(Label),
    /// A function is called that was declared but has no instructions.
    Empty(String),
    /// A branch spans more than 32767 instructions and long jumps were not allowed.
    TooFar {
        /// The function.
        function: String,
        /// Tag of the branch.
        span: u32,
    },
    /// More instructions than a 32-bit distance covers.
    TooLong,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmError::Unbound { function, .. } => write!(f, "branch to an unbound label in {function}"),
            AsmError::BoundTwice(label) => write!(f, "label {} bound twice", label.0),
            AsmError::Empty(function) => write!(f, "call of {function}, which has no body"),
            AsmError::TooFar { function, .. } => {
                write!(f, "branch over more than 32767 instructions in {function}")
            }
            AsmError::TooLong => write!(f, "program too long"),
        }
    }
}

impl std::error::Error for AsmError {}

/// What is still open in an emitted instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fixup {
    None,
    /// The second half of a wide load.
    WideTail,
    Branch(Label),
    Call(FuncId),
    Address(FuncId),
    Map(MapId),
}

#[derive(Clone, Copy, Debug)]
struct Item {
    insn: Insn,
    span: u32,
    fixup: Fixup,
}

#[derive(Clone, Debug)]
struct Body {
    name: String,
    linkage: Linkage,
    args: Vec<Arg>,
    items: Vec<Item>,
}

/// Where a label stands: function and index of the item it precedes.
type Bound = Option<(FuncId, usize)>;

/// Collects functions; see the module's text.
#[derive(Clone, Debug)]
pub struct Assembler {
    bodies: Vec<Body>,
    labels: Vec<Bound>,
    bound_twice: Option<Label>,
    current: FuncId,
    span: u32,
    long_jumps: bool,
}

impl Assembler {
    /// A program whose entry function, current now, is called `name` and receives the context in `R1`.
    pub fn new(name: impl Into<String>) -> Assembler {
        let entry =
            Body { name: name.into(), linkage: Linkage::Global, args: vec![Arg::Ctx], items: Vec::new() };
        Assembler {
            bodies: vec![entry],
            labels: Vec::new(),
            bound_twice: None,
            current: FuncId(0),
            span: 0,
            long_jumps: false,
        }
    }

    /// Allows `gotol` (kernel 6.6) where a 16-bit distance does not reach.
    pub fn allow_long_jumps(&mut self, allowed: bool) {
        self.long_jumps = allowed;
    }

    /// Sets the tag of the instructions that follow and returns the one before.
    pub fn set_span(&mut self, span: u32) -> u32 {
        std::mem::replace(&mut self.span, span)
    }

    /// Announces a function, so that it can be called before its body exists.
    pub fn declare(&mut self, name: impl Into<String>, linkage: Linkage, args: &[Arg]) -> FuncId {
        let id = FuncId(self.bodies.len() as u32);
        self.bodies.push(Body { name: name.into(), linkage, args: args.to_vec(), items: Vec::new() });
        id
    }

    /// The entry function.
    pub fn entry(&self) -> FuncId {
        FuncId(0)
    }

    /// Continues emitting at the end of `function` and returns the function left.
    pub fn enter(&mut self, function: FuncId) -> FuncId {
        std::mem::replace(&mut self.current, function)
    }

    /// Number of instructions in the current function so far.
    pub fn len(&self) -> usize {
        self.bodies.get(self.current.0 as usize).map_or(0, |body| body.items.len())
    }

    /// Has the current function no instruction yet?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // Emitting is most of what the code generator does: it has to be a call, or a fifth of the program is copies of it.
    #[inline(never)]
    fn push(&mut self, insn: Insn, fixup: Fixup) {
        let span = self.span;
        if let Some(body) = self.bodies.get_mut(self.current.0 as usize) {
            body.items.push(Item { insn, span, fixup });
        }
    }

    #[inline(never)]
    fn push_wide(&mut self, pair: [Insn; 2], fixup: Fixup) {
        self.push(pair[0], fixup);
        self.push(pair[1], Fixup::WideTail);
    }

    /// Appends an instruction as it is.
    pub fn emit(&mut self, insn: Insn) {
        self.push(insn, Fixup::None);
    }

    /// A label not placed yet.
    #[inline(never)]
    pub fn label(&mut self) -> Label {
        let label = Label(self.labels.len() as u32);
        self.labels.push(None);
        label
    }

    /// Places a label before the next instruction of the current function.
    #[inline(never)]
    pub fn bind(&mut self, label: Label) {
        let here = (self.current, self.len());
        match self.labels.get_mut(label.0 as usize) {
            Some(place @ None) => *place = Some(here),
            _ => self.bound_twice = self.bound_twice.or(Some(label)),
        }
    }

    /// A new label placed before the next instruction: the head of a loop.
    pub fn here(&mut self) -> Label {
        let label = self.label();
        self.bind(label);
        label
    }

    /// `dst = value` in the shortest form.
    pub fn load_imm(&mut self, dst: Reg, value: i64) {
        if let Ok(short) = i32::try_from(value) {
            self.emit(Insn::mov(dst, short));
        } else if let Ok(unsigned) = u32::try_from(value) {
            self.emit(Insn::mov32(dst, unsigned as i32));
        } else {
            self.push_wide(Insn::ld_imm64(dst, value as u64), Fixup::None);
        }
    }

    /// `dst =` the map itself, as helpers take it.
    pub fn load_map(&mut self, dst: Reg, map: MapId) {
        self.push_wide(Insn::ld_map_fd(dst, 0), Fixup::Map(map));
    }

    /// `dst =` address of byte `off` of an array map's only value. The kernel refuses arrays of several
    /// entries and per-CPU ones: make one entry as large as needed.
    pub fn load_map_value(&mut self, dst: Reg, map: MapId, off: i32) {
        self.push_wide(Insn::ld_map_value(dst, 0, off), Fixup::Map(map));
    }

    /// `dst =` address of a static function of this program, for helpers that call back.
    pub fn load_func(&mut self, dst: Reg, function: FuncId) {
        self.push_wide(Insn::ld_func(dst, 0), Fixup::Address(function));
    }

    /// `goto label`.
    pub fn jump(&mut self, label: Label) {
        self.push(Insn::ja(0), Fixup::Branch(label));
    }

    /// `if dst cond operand goto label`, 64 bits.
    pub fn jump_if(&mut self, cond: Cond, dst: Reg, operand: impl Into<Operand>, label: Label) {
        self.push(Insn::jmp(cond, dst, operand, 0), Fixup::Branch(label));
    }

    /// `if (u32)dst cond (u32)operand goto label`.
    pub fn jump_if32(&mut self, cond: Cond, dst: Reg, operand: impl Into<Operand>, label: Label) {
        self.push(Insn::jmp32(cond, dst, operand, 0), Fixup::Branch(label));
    }

    /// Calls a kernel helper.
    pub fn call(&mut self, helper: Helper) {
        self.emit(Insn::call(helper));
    }

    /// Calls a function of this program.
    pub fn call_func(&mut self, function: FuncId) {
        self.push(Insn::call_local(0), Fixup::Call(function));
    }

    /// `dst = *(uSIZE *)(src + off)`.
    pub fn load(&mut self, size: Size, dst: Reg, src: Reg, off: i16) {
        self.emit(Insn::ldx(size, dst, src, off));
    }

    /// `*(uSIZE *)(dst + off) = src`.
    pub fn store(&mut self, size: Size, dst: Reg, off: i16, src: Reg) {
        self.emit(Insn::stx(size, dst, off, src));
    }

    /// `dst = operand`.
    pub fn mov(&mut self, dst: Reg, operand: impl Into<Operand>) {
        self.emit(Insn::mov(dst, operand));
    }

    /// Returns `value` from the current function.
    pub fn ret(&mut self, value: i32) {
        self.mov(Reg::R0, value);
        self.emit(Insn::exit());
    }

    /// `return R0`.
    pub fn exit(&mut self) {
        self.emit(Insn::exit());
    }

    /// Links everything that the entry function reaches.
    pub fn finish(self) -> Result<Program, AsmError> {
        link::link(self)
    }
}
