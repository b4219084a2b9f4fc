//! What keeps the frame tables of processes right while nobody looks: see `session::tables`.
//!
//! A forked process has its parent's objects, so it gets its parent's entry at once; a program that replaces another has
//! none of them, so its entry goes. Without these, a new process's first stacks would be guesses by frame pointers.

use super::asm::Assembler;
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout;
use super::namespace::{self, Namespace};

/// The parent's number, then the child's.
const PARENT: i16 = -8;
const CHILD: i16 = -16;

/// `R{to} =` a map's key on the stack.
fn key(asm: &mut Assembler, to: Reg, at: i16) {
    asm.mov(to, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, to, i32::from(at)));
}

/// The number of the current process at `at`.
fn current(asm: &mut Assembler, whose: Option<Namespace>, at: i16) {
    namespace::current(asm, whose, at);
    asm.emit(Insn::alu64(Alu::Rsh, Reg::R0, 32));
    asm.store(Size::DW, Reg::R10, at, Reg::R0);
}

/// The program on `sched_process_fork` (through BTF); `tgid` is the offset of `task_struct.tgid`. It goes by the numbers of the
/// whole system.
pub fn fork_program(tgid: u32) -> Assembler {
    let mut asm = Assembler::new("forked");
    let (stranger, out) = (asm.label(), asm.label());
    asm.load(Size::DW, Reg::R6, Reg::R1, 8);
    current(&mut asm, None, PARENT);
    asm.mov(Reg::R7, Reg::R0);
    asm.emit(Insn::alu64(Alu::Add, Reg::R6, tgid.cast_signed()));
    asm.load(Size::W, Reg::R6, Reg::R6, 0);
    asm.store(Size::DW, Reg::R10, CHILD, Reg::R6);
    // A thread.
    asm.jump_if(Cond::Eq, Reg::R6, Reg::R7, out);
    asm.load_map(Reg::R1, layout::OBJECTS);
    key(&mut asm, Reg::R2, PARENT);
    asm.call(Helper::MapLookupElem);
    asm.jump_if(Cond::Eq, Reg::R0, 0, stranger);
    asm.mov(Reg::R3, Reg::R0);
    asm.load_map(Reg::R1, layout::OBJECTS);
    key(&mut asm, Reg::R2, CHILD);
    asm.mov(Reg::R4, 0);
    asm.call(Helper::MapUpdateElem);
    asm.jump(out);
    // What is there was of another process with this number.
    asm.bind(stranger);
    asm.load_map(Reg::R1, layout::OBJECTS);
    key(&mut asm, Reg::R2, CHILD);
    asm.call(Helper::MapDeleteElem);
    asm.bind(out);
    asm.ret(0);
    asm
}

/// The program on `sched_process_exec`.
pub fn exec_program(whose: Option<Namespace>) -> Assembler {
    let mut asm = Assembler::new("execed");
    current(&mut asm, whose, PARENT);
    asm.load_map(Reg::R1, layout::OBJECTS);
    key(&mut asm, Reg::R2, PARENT);
    asm.call(Helper::MapDeleteElem);
    asm.ret(0);
    asm
}
