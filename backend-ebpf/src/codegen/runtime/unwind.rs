//! User stacks by tables: frames of programs that keep no frame pointer, which is how distributions build theirs.
//!
//! `session` makes the tables of `.eh_frame` (the rows of `symbols::frames`): for each address of an object where the
//! caller's frame begins (the CFA) and where the caller's `rbp` lies. Where there are no rows the frame pointer is
//! believed.
//!
//! Most frames cost no helper call: the row of an address that was met before is in a table of its own
//! ([`unwind::KNOWN`]), and the stack is read a window at a time. Else a row is found by two searches (the object, then
//! the row), and where the window cannot be read, at the very top of a stack, words are read one by one.

use super::super::asm::{Arg, FuncId, Label, Linkage};
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::super::layout::{self, unwind};

/// The state of a walk on the routine's stack, from its lowest address.
mod state {
    pub const IP: i16 = 0;
    pub const SP: i16 = 8;
    pub const BP: i16 = 16;
    pub const FRAME: i16 = 24;
    /// Where the next address goes in the frame.
    pub const AT: i16 = 32;
    pub const COUNT: i16 = 40;
    /// The row that is searched: between these two.
    pub const LOW: i16 = 48;
    pub const HIGH: i16 = 56;
    /// The address whose row is wanted; in the object's terms while rows are searched.
    pub const TARGET: i16 = 64;
    pub const PID: i16 = 72;
    /// What the process's objects of this time are known by.
    pub const VERSION: i16 = 80;
    /// The user address that the window in the frame begins with.
    pub const WINDOW: i16 = 88;
    /// 1: words are read one by one.
    pub const NARROW: i16 = 96;
    pub const BYTES: i16 = 104;
}

/// `state` as seen from the routine's frame pointer.
const BASE: i16 = -112;
/// Halvings that find one of all rows.
const HALVINGS: i32 = 22;

/// Bytes of the stack that are read at once.
pub const WINDOW: u32 = 512;
/// Odd, and with no pattern in their bits: an address and a version together become 64 bits unlike any others'.
const OF_ADDRESS: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;
const OF_VERSION: i64 = 0xc2b2_ae3d_27d4_eb4f_u64 as i64;

/// Flags of a record: whoever has seen all others is woken for it; or nobody is (BPF_RB_NO_WAKEUP), for it is looked at
/// now and again.
const WAKE: i32 = 0;
const NO_WAKEUP: i32 = 1;

impl Gen<'_> {
    /// `(frame, at | most << 32, ip, sp, bp) -> addresses stored`; none of a process without tables.
    pub(super) fn emit_unwind(&mut self) {
        let step = self.asm.declare("unwind_step", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
        let row = self.asm.declare("unwind_row", Linkage::Static, &[Arg::Scalar]);
        let search = self.asm.declare("unwind_search", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
        let out = self.asm.label();
        for (at, reg) in
            [(state::FRAME, Reg::R1), (state::IP, Reg::R3), (state::SP, Reg::R4), (state::BP, Reg::R5)]
        {
            self.asm.store(Size::DW, Reg::R10, BASE + at, reg);
        }
        self.asm.mov(Reg::R6, Reg::R2);
        self.alu(Alu::Rsh, Reg::R6, 32);
        self.emit(Insn::mov32(Reg::R2, Reg::R2));
        self.asm.store(Size::DW, Reg::R10, BASE + state::AT, Reg::R2);
        for (at, value) in [(state::COUNT, 0), (state::WINDOW, -1), (state::NARROW, 0)] {
            self.emit(Insn::st(Size::DW, Reg::R10, BASE + at, value));
        }
        self.current();
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R10, BASE + state::PID, Reg::R0);
        // A process that nobody has tables of: ask for some.
        let known = self.asm.label();
        self.process(Reg::R10, BASE);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, known);
        self.stranger(Reg::R10, BASE, WAKE);
        self.asm.jump(out);
        self.asm.bind(known);
        self.asm.load(Size::W, Reg::R1, Reg::R0, 0);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, out);
        self.asm.load(Size::W, Reg::R1, Reg::R0, 4);
        self.asm.load_imm(Reg::R2, OF_VERSION);
        self.alu(Alu::Mul, Reg::R1, Reg::R2);
        self.asm.store(Size::DW, Reg::R10, BASE + state::VERSION, Reg::R1);
        self.asm.mov(Reg::R1, Reg::R6);
        self.asm.load_func(Reg::R2, step);
        self.asm.mov(Reg::R3, Reg::R10);
        self.alu(Alu::Add, Reg::R3, i32::from(BASE));
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::Loop);
        self.asm.bind(out);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, BASE + state::COUNT);
        self.asm.exit();
        self.emit_search(search);
        self.emit_row(row, search);
        self.emit_step(step, row);
    }

    /// `R0 =` the objects of the process in the state at `[base + off]`, or 0.
    fn process(&mut self, base: Reg, off: i16) {
        self.asm.load_map(Reg::R1, layout::OBJECTS);
        self.asm.mov(Reg::R2, base);
        self.alu(Alu::Add, Reg::R2, i32::from(off + state::PID));
        self.asm.call(Helper::MapLookupElem);
    }

    /// Tells the consumer that the process's tables are missing or old.
    fn stranger(&mut self, base: Reg, off: i16, flags: i32) {
        self.asm.load_map(Reg::R1, layout::STRANGERS);
        self.asm.mov(Reg::R2, base);
        self.alu(Alu::Add, Reg::R2, i32::from(off + state::PID));
        self.asm.mov(Reg::R3, 8);
        self.asm.mov(Reg::R4, flags);
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

    /// `(state) -> the row of TARGET`, without its address: what is relative to what, as in [`unwind::ROWS`] from bit 32 on.
    fn emit_row(&mut self, row: FuncId, search: FuncId) {
        const SLOT: i16 = -16;
        self.asm.enter(row);
        let (over, pointer, remember) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R6, Reg::R1);
        // The object: the last one that begins at or before the address.
        self.process(Reg::R6, 0);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, over);
        self.asm.mov(Reg::R9, Reg::R0);
        self.asm.load(Size::DW, Reg::R3, Reg::R6, state::TARGET);
        self.asm.mov(Reg::R5, 0);
        let mut width = unwind::OBJECTS as i32 / 2;
        while width > 0 {
            // Without a jump, for the verifier looks at each way through them: R2 is 0 when the object `width` further
            // begins at or before the address, else -1. Those that there are not begin behind all addresses.
            self.asm.mov(Reg::R1, Reg::R5);
            self.alu(Alu::Add, Reg::R1, width);
            self.alu(Alu::Mul, Reg::R1, unwind::OBJECT as i32);
            self.alu(Alu::Add, Reg::R1, Reg::R9);
            self.asm.load(Size::DW, Reg::R1, Reg::R1, unwind::HEAD as i16);
            self.asm.mov(Reg::R2, Reg::R3);
            self.alu(Alu::Sub, Reg::R2, Reg::R1);
            self.alu(Alu::Arsh, Reg::R2, 63);
            self.alu(Alu::Xor, Reg::R2, -1);
            self.alu(Alu::And, Reg::R2, width);
            self.alu(Alu::Add, Reg::R5, Reg::R2);
            width /= 2;
        }
        self.alu(Alu::Mul, Reg::R5, unwind::OBJECT as i32);
        self.alu(Alu::Add, Reg::R9, Reg::R5);
        self.asm.load(Size::DW, Reg::R1, Reg::R9, unwind::HEAD as i16);
        let (outside, inside) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::Lt, Reg::R3, Reg::R1, outside);
        self.asm.load(Size::DW, Reg::R1, Reg::R9, unwind::HEAD as i16 + 8);
        self.asm.jump_if(Cond::Lt, Reg::R3, Reg::R1, inside);
        self.asm.bind(outside);
        // Code of no object: made by the process, or mapped since. If the latter, the next walk does better.
        self.stranger(Reg::R6, 0, NO_WAKEUP);
        self.asm.load_imm(Reg::R0, FRAME_POINTER);
        self.asm.exit();
        self.asm.bind(inside);
        self.asm.mov(Reg::R8, Reg::R3);
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
        self.alu(Alu::Rsh, Reg::R9, 32);
        self.asm.load(Size::DW, Reg::R2, Reg::R6, state::TARGET);
        self.asm.jump_if(Cond::Le, Reg::R1, Reg::R2, remember);
        // No rows for it: as a function with a frame pointer.
        self.asm.bind(pointer);
        self.asm.load_imm(Reg::R9, FRAME_POINTER);
        self.asm.bind(remember);
        self.known(Reg::R8, SLOT);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, SLOT);
        self.alu(Alu::Xor, Reg::R2, Reg::R9);
        self.asm.store(Size::DW, Reg::R1, 0, Reg::R2);
        self.asm.store(Size::DW, Reg::R1, 8, Reg::R9);
        self.asm.mov(Reg::R0, Reg::R9);
        self.asm.exit();
        self.asm.bind(over);
        self.asm.ret(unwind::END);
    }

    /// `R1 =` where the row of the address in `address` is kept, `[slot]` what it is known by; `R6` is the state.
    fn known(&mut self, address: Reg, slot: i16) {
        self.asm.load_imm(Reg::R2, OF_ADDRESS);
        self.alu(Alu::Mul, Reg::R2, address);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::VERSION);
        self.alu(Alu::Xor, Reg::R2, Reg::R1);
        self.asm.store(Size::DW, Reg::R10, slot, Reg::R2);
        self.alu(Alu::Rsh, Reg::R2, 64 - unwind::KNOWN.ilog2() as i32);
        self.alu(Alu::Lsh, Reg::R2, 4);
        self.asm.load_map_value(Reg::R1, layout::KNOWN, 0);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
    }

    /// `(index, state) -> 1 when the walk is over`: stores an address and finds the next.
    fn emit_step(&mut self, step: FuncId, row: FuncId) {
        const READ: i16 = -16;
        const SLOT: i16 = -24;
        self.asm.enter(step);
        let (over, caller, rows) = (self.asm.label(), self.asm.label(), self.asm.label());
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
        self.asm.jump_if(Cond::Eq, Reg::R8, 0, caller);
        self.alu(Alu::Sub, Reg::R3, 1);
        self.asm.bind(caller);
        self.asm.store(Size::DW, Reg::R6, state::TARGET, Reg::R3);
        self.known(Reg::R3, SLOT);
        // Both words at once, or no row: another processor may be writing them.
        self.asm.load(Size::DW, Reg::R9, Reg::R1, 8);
        self.asm.load(Size::DW, Reg::R2, Reg::R1, 0);
        self.alu(Alu::Xor, Reg::R2, Reg::R9);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, SLOT);
        self.asm.jump_if(Cond::Eq, Reg::R1, Reg::R2, rows);
        self.asm.mov(Reg::R1, Reg::R6);
        self.asm.call_func(row);
        self.asm.mov(Reg::R9, Reg::R0);
        self.asm.bind(rows);
        // R8: the CFA.
        let (by_rsp, plt, signal, found) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R1, Reg::R9);
        self.alu(Alu::Rsh, Reg::R1, 24);
        self.asm.mov(Reg::R2, Reg::R9);
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
        // The caller's rbp first, for it lies lower: a window that begins there mostly has both.
        let address = self.asm.label();
        self.asm.mov(Reg::R2, Reg::R9);
        self.alu(Alu::Rsh, Reg::R2, 16);
        self.alu(Alu::And, Reg::R2, 0xff);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, address);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Sub, Reg::R3, Reg::R2);
        self.stack_word(over);
        self.asm.store(Size::DW, Reg::R6, state::BP, Reg::R0);
        self.asm.bind(address);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Sub, Reg::R3, 8);
        self.stack_word(over);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, over);
        self.asm.store(Size::DW, Reg::R6, state::IP, Reg::R0);
        self.asm.ret(0);
        // rt_sigreturn(2): `struct rt_sigframe` lies at the stack pointer, its registers 40 bytes behind the ucontext.
        self.asm.bind(signal);
        for (to, at) in [
            (state::SP, unwind::SIGNAL_RSP),
            (state::IP, unwind::SIGNAL_RIP),
            (state::BP, unwind::SIGNAL_RBP),
        ] {
            self.asm.mov(Reg::R3, Reg::R8);
            self.alu(Alu::Add, Reg::R3, at);
            self.asm.mov(Reg::R1, Reg::R10);
            self.alu(Alu::Add, Reg::R1, i32::from(READ));
            self.asm.mov(Reg::R2, 8);
            self.asm.call(Helper::ProbeReadUser);
            self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
            self.asm.load(Size::DW, Reg::R1, Reg::R10, READ);
            self.asm.store(Size::DW, Reg::R6, to, Reg::R1);
        }
        self.asm.ret(0);
        self.asm.bind(over);
        self.asm.ret(1);
    }

    /// `R0 =` the word of the user's stack at `R3`, or goes to `over`; `R6` is the state, `R7` the frame.
    fn stack_word(&mut self, over: Label) {
        const ADDRESS: i16 = -32;
        let (near, narrow) = (self.asm.label(), self.asm.label());
        let window = self.plan.window_at as i32;
        self.asm.load(Size::DW, Reg::R1, Reg::R6, state::WINDOW);
        self.asm.mov(Reg::R2, Reg::R3);
        self.alu(Alu::Sub, Reg::R2, Reg::R1);
        self.asm.jump_if(Cond::Le, Reg::R2, WINDOW as i32 - 8, near);
        self.asm.store(Size::DW, Reg::R10, ADDRESS, Reg::R3);
        self.asm.store(Size::DW, Reg::R6, state::WINDOW, Reg::R3);
        self.asm.mov(Reg::R1, Reg::R7);
        self.alu(Alu::Add, Reg::R1, window);
        self.asm.mov(Reg::R2, WINDOW as i32);
        self.asm.load(Size::DW, Reg::R0, Reg::R6, state::NARROW);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, narrow);
        self.asm.call(Helper::ProbeReadUser);
        self.asm.mov(Reg::R2, 0);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, near);
        self.emit(Insn::st(Size::DW, Reg::R6, state::NARROW, 1));
        self.asm.bind(narrow);
        self.emit(Insn::st(Size::DW, Reg::R6, state::WINDOW, -1));
        self.asm.mov(Reg::R1, Reg::R7);
        self.alu(Alu::Add, Reg::R1, window);
        self.asm.mov(Reg::R2, 8);
        self.asm.load(Size::DW, Reg::R3, Reg::R10, ADDRESS);
        self.asm.call(Helper::ProbeReadUser);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, over);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(near);
        self.asm.mov(Reg::R1, Reg::R7);
        self.alu(Alu::Add, Reg::R1, window);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.asm.load(Size::DW, Reg::R0, Reg::R1, 0);
    }
}

/// The row of a function with a frame pointer.
const FRAME_POINTER: i64 = ((unwind::RBP as i64) << 24) | (2 << 16) | 2;

const _: () = assert!(BASE as i32 + state::BYTES as i32 <= -8);
