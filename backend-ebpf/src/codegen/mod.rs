//! (being built)

pub mod asm;
pub mod insn;
