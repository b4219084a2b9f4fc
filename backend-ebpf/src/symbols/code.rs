//! Machine code as probes see it: where instructions begin, where a function returns, what a site costs.

use super::elf::{Elf, Function, Machine};
use super::x86;
use std::fmt;

/// What a uprobe on an instruction costs, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// A five-byte nop: newer kernels make it a call without a trap.
    Optimised,
    /// The kernel emulates the instruction: one trap.
    Emulated,
    /// The instruction is single-stepped out of line: two traps, many times dearer in virtual machines.
    SingleStep,
}

/// The first instruction of a site, classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    Nop1,
    Nop5,
    /// Another nop.
    Nop,
    Push,
    Jump,
    Endbr64,
    Other,
}

impl SiteKind {
    pub fn cost(self) -> Cost {
        match self {
            SiteKind::Nop5 => Cost::Optimised,
            SiteKind::Nop1 | SiteKind::Nop | SiteKind::Push | SiteKind::Jump => Cost::Emulated,
            SiteKind::Endbr64 | SiteKind::Other => Cost::SingleStep,
        }
    }
}

/// How a function is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// A return instruction.
    Return,
    /// A jump to another function in place of a call and a return: the return value is not yet known.
    TailJump,
}

/// The instructions of a function, as offsets from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    pub starts: Vec<u64>,
    /// The instructions that leave the function, in order.
    pub leaves: Vec<(u64, Leave)>,
    /// Does it call itself?
    pub recurses: bool,
    /// Calls of functions whose addresses lie in memory.
    pub pointer_calls: Vec<PointerCall>,
}

/// `call *disp(base)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointerCall {
    /// Offsets in the function of the call and of what follows it.
    pub at: u64,
    pub next: u64,
    /// The base register, as the offset in the kernel's `struct pt_regs`.
    pub base: u16,
    pub disp: i64,
}

/// Where to plant the entry probe of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySite {
    pub vaddr: u64,
    /// File offset.
    pub offset: u64,
    pub kind: SiteKind,
    /// Was an `endbr64` skipped? (Registers and stack are still those of the entry.)
    pub skipped: bool,
}

/// Why a function's instructions could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// The symbol has no size.
    NoSize { function: String },
    /// The bytes are not in the file.
    NoText { function: String },
    /// Bytes that are no instruction (data in code) at this offset.
    BadInstruction { function: String, at: u64 },
    /// Not x86-64 nor aarch64.
    Machine,
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodeError::NoSize { function } => write!(f, "the symbol of {function} has no size"),
            CodeError::NoText { function } => write!(f, "the instructions of {function} are not in the file"),
            CodeError::BadInstruction { function, at } => {
                write!(f, "no instruction at {function}+{at:#x}: the function contains data")
            }
            CodeError::Machine => f.write_str("the instruction set is not supported"),
        }
    }
}

impl std::error::Error for CodeError {}

/// A function larger than this is not disassembled (nothing real is).
const MAX_FUNCTION: u64 = 16 << 20;

/// Classifies the instruction at a virtual address; `Other` when it cannot be read.
pub fn classify(elf: &Elf, vaddr: u64) -> SiteKind {
    let bytes = elf.read_vaddr_upto(vaddr, 15).unwrap_or_default();
    match elf.machine() {
        Machine::X86_64 => x86::classify(&bytes),
        // arch/arm64 simulates nop and branches; everything else is stepped out of line.
        Machine::Aarch64 => match aarch64_word(&bytes, 0) {
            Some(0xd503_201f) => SiteKind::Nop,
            Some(w) if w >> 26 == 0b000101 || w >> 24 == 0x54 => SiteKind::Jump,
            _ => SiteKind::Other,
        },
        Machine::Other(_) => SiteKind::Other,
    }
}

/// The address for a function's entry probe: after `endbr64`, when that makes it cheaper or equal.
pub fn entry_site(elf: &Elf, function: &Function) -> EntrySite {
    let kind = classify(elf, function.vaddr);
    if kind == SiteKind::Endbr64 && (function.size == 0 || function.size > 4) {
        let kind = classify(elf, function.vaddr + 4);
        return EntrySite { vaddr: function.vaddr + 4, offset: function.offset + 4, kind, skipped: true };
    }
    EntrySite { vaddr: function.vaddr, offset: function.offset, kind, skipped: false }
}

/// Lists the instructions of a function.
pub fn disassemble(elf: &Elf, function: &Function) -> Result<Code, CodeError> {
    if function.size == 0 {
        return Err(CodeError::NoSize { function: function.name.clone() });
    }
    let bytes = (function.size <= MAX_FUNCTION)
        .then(|| elf.read_vaddr(function.vaddr, function.size))
        .flatten()
        .ok_or_else(|| CodeError::NoText { function: function.name.clone() })?;
    // gcc moves unlikely blocks of `f` to `f.cold`: a jump there does not leave the function.
    let own_part = |target: u64| {
        elf.function_at(target).is_some_and(|f| {
            let cold = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|r| r.starts_with(".cold"));
            let root = function.name.split(".cold").next().unwrap_or_default();
            f.name == function.name || cold(&f.name, &function.name) || f.name == root
        })
    };
    let code = match elf.machine() {
        Machine::X86_64 => x86::disassemble(&bytes, function.vaddr, &own_part),
        Machine::Aarch64 => Ok(aarch64(&bytes, function.vaddr, &own_part)),
        Machine::Other(_) => return Err(CodeError::Machine),
    };
    code.map_err(|at| CodeError::BadInstruction { function: function.name.clone(), at })
}

fn aarch64_word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// aarch64: every instruction is four bytes. `ret`, `retaa`, `retab` return; `b` out of the function and
/// `br x16`/`br x17` (the only registers that a call through `br` may use with BTI) are tail jumps.
fn aarch64(bytes: &[u8], vaddr: u64, own_part: &dyn Fn(u64) -> bool) -> Code {
    let mut code = Code::default();
    for (i, _) in bytes.chunks_exact(4).enumerate() {
        let at = (i as u64) * 4;
        code.starts.push(at);
        let Some(w) = aarch64_word(bytes, i * 4) else { break };
        if w & 0xffff_fc1f == 0xd65f_0000 || matches!(w, 0xd65f_0bff | 0xd65f_0fff) {
            code.leaves.push((at, Leave::Return));
        } else if w >> 26 == 0b000101 {
            let delta = i64::from((w << 6).cast_signed() >> 6) * 4;
            let target = vaddr.wrapping_add(at).wrapping_add_signed(delta);
            let inside = target.wrapping_sub(vaddr) < bytes.len() as u64;
            if !inside && !own_part(target) {
                code.leaves.push((at, Leave::TailJump));
            }
        } else if matches!(w, 0xd61f_0200 | 0xd61f_0220) {
            code.leaves.push((at, Leave::TailJump));
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aarch64_returns() {
        let words = [0xd503201fu32, 0x14000002, 0xd65f03c0, 0x14000100, 0xd61f0200];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let code = aarch64(&bytes, 0x1000, &|_| false);
        assert_eq!(code.starts, [0, 4, 8, 12, 16]);
        assert_eq!(code.leaves, [(8, Leave::Return), (12, Leave::TailJump), (16, Leave::TailJump)]);
    }
}
