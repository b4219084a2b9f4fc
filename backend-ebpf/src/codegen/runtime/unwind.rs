//! User stacks by tables: frames of programs that keep no frame pointer, which is how distributions build theirs.
//!
//! `session` makes the tables of `.eh_frame` (the rows of `symbols::frames`): for each address of an object where the
//! caller's frame begins (the CFA) and where the caller's `rbp` lies. Here a frame is found by two searches (the object,
//! then the row) and two reads of user memory. Where there are no rows the frame pointer is believed.

use super::super::asm::{Arg, FuncId, Linkage};
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::super::layout::{self, frame, unwind};

/// The state of a walk on the routine's stack, from its lowest address.
mod state {
    pub const IP: i16 = 0;
    pub const SP: i16 = 8;
    pub const BP: i16 = 16;
    pub const FRAME: i16 = 24;
    /// Where the next address goes in the frame.
    pub const AT: i16 = 32;
    /// Addresses that may still be stored.
    pub const LEFT: i16 = 40;
    pub const COUNT: i16 = 48;
    /// The row that is searched: between these two.
    pub const LOW: i16 = 56;
    pub const HIGH: i16 = 64;
    /// The address in the object's terms.
    pub const TARGET: i16 = 72;
    pub const PID: i16 = 80;
    pub const BYTES: i16 = 88;
}

/// `state` as seen from the routine's frame pointer.
const BASE: i16 = -96;
/// Halvings that find one of all rows.
const HALVINGS: i32 = 22;

impl Gen<'_> {
    /// `(frame, at | most << 32, ip, sp, bp) -> addresses stored`; none of a process without tables.
    pub(super) fn emit_unwind(&mut self) {
        let step = self.asm.declare("unwind_step", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
        let search = self.asm.declare("unwind_search", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
        let out = self.asm.label();
        for (at, reg) in
            [(state::FRAME, Reg::R1), (state::IP, Reg::R3), (state::SP, Reg::R4), (state::BP, Reg::R5)]
        {
            self.asm.store(Size::DW, Reg::R10, BASE + at, reg);
        }
        self.asm.mov(Reg::R1, Reg::R2);
        self.alu(Alu::Rsh, Reg::R1, 32);
        self.asm.store(Size::DW, Reg::R10, BASE + state::LEFT, Reg::R1);
        self.emit(Insn::mov32(Reg::R2, Reg::R2));
        self.asm.store(Size::DW, Reg::R10, BASE + state::AT, Reg::R2);
        self.emit(Insn::st(Size::DW, Reg::R10, BASE + state::COUNT, 0));
        self.asm.call(Helper::GetCurrentPidTgid);
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R10, BASE + state::PID, Reg::R0);
        // A process that nobody has tables of: ask for some.
        let known = self.asm.label();
        self.process(Reg::R10, BASE);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, known);
        self.stranger(Reg::R10, BASE);
        self.asm.jump(out);
        self.asm.bind(known);
        self.asm.load(Size::W, Reg::R1, Reg::R0, 0);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, out);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, BASE + state::LEFT);
        self.asm.load_func(Reg::R2, step);
        self.asm.mov(Reg::R3, Reg::R10);
        self.alu(Alu::Add, Reg::R3, i32::from(BASE));
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::Loop);
        self.asm.bind(out);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, BASE + state::COUNT);
        self.asm.exit();
        self.emit_search(search);
        self.emit_step(step, search);
    }

    /// `R0 =` the objects of the process in the state at `[base + off]`, or 0.
    fn process(&mut self, base: Reg, off: i16) {
        self.asm.load_map(Reg::R1, layout::OBJECTS);
        self.asm.mov(Reg::R2, base);
        self.alu(Alu::Add, Reg::R2, i32::from(off + state::PID));
        self.asm.call(Helper::MapLookupElem);
    }

    /// Tells the consumer that the process's tables are missing or old.
    fn stranger(&mut self, base: Reg, off: i16) {
        self.asm.load_map(Reg::R1, layout::STRANGERS);
        self.asm.mov(Reg::R2, base);
        self.alu(Alu::Add, Reg::R2, i32::from(off + state::PID));
        self.asm.mov(Reg::R3, 8);
        // BPF_RB_NO_WAKEUP: it is looked at now and again.
        self.asm.mov(Reg::R4, 1);
        self.asm.call(Helper::RingbufOutput);
    }

    /// `(index, state) -> 1 when the row is found`.
    fn emit_search(&mut self, search: FuncId) {
        self.asm.enter(search);
        let (more, upper, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R6, Reg::R2);
        self.asm.load(Size::DW, Reg::R7, Reg::R6, state::LOW);
        self.asm.load(Size::DW, Reg::R8, Reg::R6, state::HIGH);
        self.asm.mov(Reg::R9, Reg::R7);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump_if(Cond::Ge, Reg::R9, Reg::R8, done);
        self.asm.mov(Reg::R9, Reg::R7);
        self.alu(Alu::Add, Reg::R9, Reg::R8);
        self.alu(Alu::Rsh, Reg::R9, 1);
        self.lookup_element(layout::ROWS, Reg::R9, done);
        self.asm.load(Size::W, Reg::R1, Reg::R0, 0);
        self.asm.load(Size::DW, Reg::R2, Reg::R6, state::TARGET);
        self.asm.jump_if(Cond::Gt, Reg::R1, Reg::R2, upper);
        self.asm.store(Size::DW, Reg::R6, state::LOW, Reg::R9);
        self.asm.jump(more);
        self.asm.bind(upper);
        self.asm.store(Size::DW, Reg::R6, state::HIGH, Reg::R9);
        self.asm.bind(more);
        self.asm.ret(0);
        self.asm.bind(done);
        self.asm.ret(1);
    }

    /// `(index, state) -> 1 when the walk is over`: stores an address and finds the next.
    fn emit_step(&mut self, step: FuncId, search: FuncId) {
        const READ: i16 = -16;
        self.asm.enter(step);
        let (over, pointer, rows, known, registers) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R6, Reg::R2);
        self.asm.mov(Reg::R8, Reg::R1);
        // Store the address.
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::FRAME);
        self.lookup_element(layout::FRAMES, Reg::R1, over);
        self.asm.mov(Reg::R7, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::AT);
        self.asm.jump_if(Cond::Gt, Reg::R1, (self.plan.frame_bytes - 8) as i32, over);
        self.asm.mov(Reg::R2, Reg::R7);
        self.alu(Alu::Add, Reg::R2, Reg::R1);
        self.asm.load(Size::DW, Reg::R3, Reg::R6, state::IP);
        self.asm.store(Size::DW, Reg::R2, 0, Reg::R3);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.store(Size::DW, Reg::R6, state::AT, Reg::R1);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::COUNT);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R6, state::COUNT, Reg::R1);
        // A return address may be the next function's: what called lies before it.
        self.asm.jump_if(Cond::Eq, Reg::R8, 0, known);
        self.alu(Alu::Sub, Reg::R3, 1);
        self.asm.bind(known);
        self.asm.store(Size::DW, Reg::R6, state::TARGET, Reg::R3);
        // The object: the last one that begins at or before the address.
        self.process(Reg::R6, 0);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, over);
        self.asm.mov(Reg::R9, Reg::R0);
        self.asm.load(Size::DW, Reg::R3, Reg::R6, state::TARGET);
        self.asm.load(Size::W, Reg::R4, Reg::R9, 0);
        self.asm.mov(Reg::R5, 0);
        let mut width = unwind::OBJECTS as i32 / 2;
        while width > 0 {
            let next = self.asm.label();
            self.asm.mov(Reg::R1, Reg::R5);
            self.alu(Alu::Add, Reg::R1, width);
            self.asm.jump_if(Cond::Ge, Reg::R1, Reg::R4, next);
            self.asm.mov(Reg::R2, Reg::R1);
            self.alu(Alu::Mul, Reg::R2, unwind::OBJECT as i32);
            self.alu(Alu::Add, Reg::R2, Reg::R9);
            self.asm.load(Size::DW, Reg::R2, Reg::R2, unwind::HEAD as i16);
            self.asm.jump_if(Cond::Gt, Reg::R2, Reg::R3, next);
            self.asm.mov(Reg::R5, Reg::R1);
            self.asm.bind(next);
            width /= 2;
        }
        // Out of memory: the verifier then need not look at each way through the search for itself.
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R5);
        self.asm.load(Size::DW, Reg::R5, Reg::R7, frame::RESULT as i16);
        self.alu(Alu::And, Reg::R5, unwind::OBJECTS as i32 - 1);
        self.alu(Alu::Mul, Reg::R5, unwind::OBJECT as i32);
        self.alu(Alu::Add, Reg::R9, Reg::R5);
        self.asm.load(Size::DW, Reg::R1, Reg::R9, unwind::HEAD as i16);
        let (outside, inside) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::Lt, Reg::R3, Reg::R1, outside);
        self.asm.load(Size::DW, Reg::R1, Reg::R9, unwind::HEAD as i16 + 8);
        self.asm.jump_if(Cond::Lt, Reg::R3, Reg::R1, inside);
        self.asm.bind(outside);
        // Code of no object: made by the process, or mapped since. If the latter, the next walk does better.
        self.stranger(Reg::R6, 0);
        self.asm.jump(pointer);
        self.asm.bind(inside);
        self.asm.load(Size::DW, Reg::R1, Reg::R9, unwind::HEAD as i16 + 16);
        self.alu(Alu::Sub, Reg::R3, Reg::R1);
        self.asm.store(Size::DW, Reg::R6, state::TARGET, Reg::R3);
        self.asm.load(Size::W, Reg::R1, Reg::R9, unwind::HEAD as i16 + 24);
        self.asm.load(Size::W, Reg::R2, Reg::R9, unwind::HEAD as i16 + 28);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, pointer);
        self.asm.store(Size::DW, Reg::R6, state::LOW, Reg::R1);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.asm.store(Size::DW, Reg::R6, state::HIGH, Reg::R1);
        self.asm.mov(Reg::R1, HALVINGS);
        self.asm.load_func(Reg::R2, search);
        self.asm.mov(Reg::R3, Reg::R6);
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::Loop);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::LOW);
        self.lookup_element(layout::ROWS, Reg::R1, over);
        self.asm.load(Size::DW, Reg::R9, Reg::R0, 0);
        self.emit(Insn::mov32(Reg::R1, Reg::R9));
        self.asm.load(Size::DW, Reg::R2, Reg::R6, state::TARGET);
        self.asm.jump_if(Cond::Le, Reg::R1, Reg::R2, rows);
        // No rows for it: `R9` becomes the row of a function with a frame pointer.
        self.asm.bind(pointer);
        self.asm.load_imm(Reg::R9, (i64::from(unwind::RBP) << 56) | (2 << 48) | (2 << 32));
        self.asm.bind(rows);
        // R8: the CFA.
        let (by_rsp, plt, signal, found) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R1, Reg::R9);
        self.alu(Alu::Rsh, Reg::R1, 56);
        self.asm.mov(Reg::R2, Reg::R9);
        self.alu(Alu::Rsh, Reg::R2, 32);
        self.alu(Alu::And, Reg::R2, 0xffff);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.asm.load(Size::DW, Reg::R8, Reg::R6, state::SP);
        self.asm.jump_if(Cond::Eq, Reg::R1, unwind::RSP, by_rsp);
        self.asm.jump_if(Cond::Eq, Reg::R1, unwind::PLT, plt);
        self.asm.jump_if(Cond::Eq, Reg::R1, unwind::SIGNAL, signal);
        self.asm.jump_if(Cond::Ne, Reg::R1, unwind::RBP, over);
        self.asm.load(Size::DW, Reg::R8, Reg::R6, state::BP);
        self.asm.bind(by_rsp);
        self.alu(Alu::Add, Reg::R8, Reg::R2);
        self.asm.jump(found);
        // The procedure linkage table: rsp + 8, and 8 more behind the push at byte 11 of an entry.
        self.asm.bind(plt);
        self.alu(Alu::Add, Reg::R8, 8);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::IP);
        self.alu(Alu::And, Reg::R1, 15);
        self.asm.jump_if(Cond::Lt, Reg::R1, 11, found);
        self.alu(Alu::Add, Reg::R8, 8);
        self.asm.bind(found);
        // Frames lie one above the other.
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::SP);
        self.asm.jump_if(Cond::Le, Reg::R8, Reg::R1, over);
        self.asm.store(Size::DW, Reg::R6, state::SP, Reg::R8);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Sub, Reg::R3, 8);
        self.read_word(READ);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, READ);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, over);
        self.asm.store(Size::DW, Reg::R6, state::IP, Reg::R1);
        let go_on = self.asm.label();
        self.asm.mov(Reg::R2, Reg::R9);
        self.alu(Alu::Rsh, Reg::R2, 48);
        self.alu(Alu::And, Reg::R2, 0xff);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, go_on);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Sub, Reg::R3, Reg::R2);
        self.asm.jump(registers);
        // rt_sigreturn(2): `struct rt_sigframe` lies at the stack pointer, its registers 40 bytes behind the ucontext.
        self.asm.bind(signal);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, unwind::SIGNAL_RSP);
        self.read_word(READ);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, READ);
        self.asm.store(Size::DW, Reg::R6, state::SP, Reg::R1);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, unwind::SIGNAL_RIP);
        self.read_word(READ);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, READ);
        self.asm.store(Size::DW, Reg::R6, state::IP, Reg::R1);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, unwind::SIGNAL_RBP);
        self.asm.bind(registers);
        self.read_word(READ);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, READ);
        self.asm.store(Size::DW, Reg::R6, state::BP, Reg::R1);
        self.asm.bind(go_on);
        self.asm.ret(0);
        self.asm.bind(over);
        self.asm.ret(1);
    }

    /// Reads the word at the user address in `R3` to a stack slot; `R0` is 0 when that went well.
    fn read_word(&mut self, slot: i16) {
        self.asm.mov(Reg::R1, Reg::R10);
        self.alu(Alu::Add, Reg::R1, i32::from(slot));
        self.asm.mov(Reg::R2, 8);
        self.asm.call(Helper::ProbeReadUser);
    }
}

const _: () = assert!(BASE as i32 + state::BYTES as i32 <= -8);
