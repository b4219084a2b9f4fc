//! Network addresses as text, and the wait of `chill()`.

use super::super::asm::{Arg, Label};
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};

/// Longest link layer address: InfiniBand's.
pub(in super::super) const MAX_OCTETS: u32 = 20;

/// Stack bytes, below the digits, that hold where the run of zeroes ends and begins. Not at the start of a word: there
/// the verifier would remember what it knows of them.
const RUN_END: i16 = -95;
const RUN_BEGIN: i16 = -103;

impl Gen<'_> {
    /// An IPv6 address: the longest run of zero groups as `::`; IPv4 within it dotted.
    pub(super) fn emit_inet6(&mut self) {
        let (out, plain, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.bytes_at(Reg::R8, out);
        // IPv4 within IPv6: `::ffff:a.b.c.d`, or `::a.b.c.d` but for `::` and `::1`.
        let (mapped, dotted) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R1, Reg::R8, 0);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, plain);
        self.asm.load(Size::W, Reg::R5, Reg::R8, 8);
        self.emit(Insn::to_be(Reg::R5, 32));
        self.asm.load(Size::W, Reg::R8, Reg::R8, 12);
        self.emit(Insn::to_be(Reg::R8, 32));
        self.asm.jump_if(Cond::Eq, Reg::R5, 0xffff, mapped);
        let again = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R5, 0, again);
        self.asm.jump_if(Cond::Le, Reg::R8, 1, again);
        self.asm.bind(mapped);
        self.start_digits();
        self.push_dotted();
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, done);
        self.asm.jump_if(Cond::Eq, Reg::R5, 0, dotted);
        for char in *b":ffff" {
            self.push_char(char);
        }
        self.asm.bind(dotted);
        for char in *b"::" {
            self.push_char(char);
        }
        self.asm.jump(done);
        // The upper half is zero, the rest is in two numbers: groups are taken from there.
        self.asm.bind(again);
        self.alu(Alu::Lsh, Reg::R5, 32);
        self.alu(Alu::Or, Reg::R5, Reg::R8);
        self.asm.mov(Reg::R0, 0);
        let groups = self.asm.label();
        self.asm.jump(groups);
        self.asm.bind(plain);
        self.asm.load(Size::DW, Reg::R5, Reg::R8, 8);
        self.emit(Insn::to_be(Reg::R5, 64));
        self.asm.mov(Reg::R0, Reg::R1);
        self.emit(Insn::to_be(Reg::R0, 64));
        self.asm.bind(groups);
        // R8: length of the present run; R9: that of the longest one, R2: its end.
        self.asm.mov(Reg::R8, 0);
        self.asm.mov(Reg::R9, 0);
        self.asm.mov(Reg::R2, 0);
        for group in 0..8 {
            self.group(group);
            self.note_run(group);
        }
        // R8: where the run ends, R9: where it begins; a single zero is written out.
        let run = self.asm.label();
        self.asm.mov(Reg::R8, Reg::R2);
        self.alu(Alu::Sub, Reg::R2, Reg::R9);
        self.asm.jump_if(Cond::Ge, Reg::R9, 2, run);
        self.asm.mov(Reg::R8, 0);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(run);
        // Through memory that it does not keep track of: the verifier need not look at each run for itself.
        for (slot, reg) in [(RUN_END, Reg::R8), (RUN_BEGIN, Reg::R2)] {
            self.asm.store(Size::DW, Reg::R7, super::super::layout::frame::RESULT as i16, reg);
            self.asm.load(Size::DW, Reg::R1, Reg::R7, super::super::layout::frame::RESULT as i16);
            self.asm.store(Size::B, Reg::R10, slot, Reg::R1);
        }
        self.start_digits();
        for group in (0..8).rev() {
            let (written, next) = (self.asm.label(), self.asm.label());
            self.forget_length();
            self.asm.load(Size::B, Reg::R8, Reg::R10, RUN_END);
            self.asm.load(Size::B, Reg::R9, Reg::R10, RUN_BEGIN);
            self.asm.jump_if(Cond::Le, Reg::R8, group, written);
            self.asm.jump_if(Cond::Gt, Reg::R9, group, written);
            self.asm.jump_if(Cond::Ne, Reg::R9, group, next);
            self.push_char(b':');
            self.push_char(b':');
            self.asm.jump(next);
            self.asm.bind(written);
            self.group(group);
            self.push_group();
            if group > 0 {
                self.asm.jump_if(Cond::Eq, Reg::R8, group, next);
                self.push_char(b':');
            }
            self.asm.bind(next);
        }
        self.asm.bind(done);
        self.copy_digits();
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Turns an offset into the address of an address' bytes in the frame, or goes to `out`.
    fn bytes_at(&mut self, reg: Reg, out: Label) {
        self.asm.jump_if(Cond::Gt, reg, (self.plan.frame_bytes - 2 * MAX_OCTETS) as i32, out);
        self.alu(Alu::Add, reg, Reg::R7);
    }

    /// `R1 =` a group of the address in `R0` (upper half) and `R5`.
    fn group(&mut self, group: i32) {
        self.asm.mov(Reg::R1, if group < 4 { Reg::R0 } else { Reg::R5 });
        self.alu(Alu::Rsh, Reg::R1, 48 - 16 * (group & 3));
        self.alu(Alu::And, Reg::R1, 0xffff);
    }

    /// Counts the group in `R1` to the run of zeroes before it, and keeps that where it is the longest; without a branch.
    fn note_run(&mut self, group: i32) {
        // 1 for a zero.
        self.alu(Alu::Sub, Reg::R1, 1);
        self.alu(Alu::Rsh, Reg::R1, 63);
        self.alu(Alu::Add, Reg::R8, 1);
        self.alu(Alu::Mul, Reg::R8, Reg::R1);
        // 1 for a longer run.
        self.asm.mov(Reg::R1, Reg::R9);
        self.alu(Alu::Sub, Reg::R1, Reg::R8);
        self.alu(Alu::Rsh, Reg::R1, 63);
        self.asm.mov(Reg::R4, Reg::R8);
        self.alu(Alu::Sub, Reg::R4, Reg::R9);
        self.alu(Alu::Mul, Reg::R4, Reg::R1);
        self.alu(Alu::Add, Reg::R9, Reg::R4);
        self.asm.mov(Reg::R4, group + 1);
        self.alu(Alu::Sub, Reg::R4, Reg::R2);
        self.alu(Alu::Mul, Reg::R4, Reg::R1);
        self.alu(Alu::Add, Reg::R2, Reg::R4);
    }

    /// Hexadecimal digits of the group in `R1`, without a branch: each would double what the verifier looks at. All four
    /// are written; those that do not count are overwritten by what comes before them, or lie before the text.
    fn push_group(&mut self) {
        for most in [0xf, 0xff, 0xfff] {
            self.asm.mov(Reg::R4, most);
            self.alu(Alu::Sub, Reg::R4, Reg::R1);
            self.alu(Alu::Rsh, Reg::R4, 63);
            self.alu(Alu::Add, Reg::R3, Reg::R4);
        }
        self.alu(Alu::Add, Reg::R3, 1);
        // A byte for each digit, all at once.
        for (shift, mask) in [(8, 0x00ff_00ff), (4, 0x0f0f_0f0f)] {
            self.asm.mov(Reg::R4, Reg::R1);
            self.alu(Alu::Lsh, Reg::R4, shift);
            self.alu(Alu::Or, Reg::R1, Reg::R4);
            self.alu(Alu::And, Reg::R1, mask);
        }
        // One in the bytes of those from ten on.
        self.asm.mov(Reg::R4, Reg::R1);
        self.alu(Alu::Add, Reg::R4, 0x0606_0606);
        self.alu(Alu::Rsh, Reg::R4, 4);
        self.alu(Alu::And, Reg::R4, 0x0101_0101);
        self.alu(Alu::Mul, Reg::R4, i32::from(b'a' - 10) - i32::from(b'0'));
        self.alu(Alu::Add, Reg::R1, Reg::R4);
        self.alu(Alu::Add, Reg::R1, 0x3030_3030);
        for digit in 1..=4 {
            self.asm.store(Size::B, Reg::R2, -digit, Reg::R1);
            self.alu(Alu::Rsh, Reg::R1, 8);
        }
        self.find_digits();
    }

    /// Bytes as two hexadecimal digits each, colons between them.
    pub(super) fn emit_octets(&mut self) {
        let (out, scan, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.bytes_at(Reg::R8, out);
        self.asm.jump_if(Cond::Gt, Reg::R9, MAX_OCTETS as i32, out);
        // R2: where to write, R5: how many are done.
        self.asm.mov(Reg::R2, Reg::R6);
        self.alu(Alu::Add, Reg::R2, 8);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R9, end);
        self.asm.load(Size::B, Reg::R1, Reg::R8, 0);
        for shift in [4, 0] {
            let decimal = self.asm.label();
            self.asm.mov(Reg::R4, Reg::R1);
            self.alu(Alu::Rsh, Reg::R4, shift);
            self.alu(Alu::And, Reg::R4, 15);
            self.asm.jump_if(Cond::Lt, Reg::R4, 10, decimal);
            self.alu(Alu::Add, Reg::R4, i32::from(b'a' - 10) - i32::from(b'0'));
            self.asm.bind(decimal);
            self.alu(Alu::Add, Reg::R4, i32::from(b'0'));
            self.asm.store(Size::B, Reg::R2, if shift == 4 { 0 } else { 1 }, Reg::R4);
        }
        self.emit(Insn::st(Size::B, Reg::R2, 2, i32::from(b':')));
        self.alu(Alu::Add, Reg::R2, 3);
        self.alu(Alu::Add, Reg::R8, 1);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, MAX_OCTETS as i32, scan);
        self.asm.bind(end);
        // The last colon goes.
        self.alu(Alu::Mul, Reg::R9, 3);
        let some = self.asm.label();
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, some);
        self.alu(Alu::Sub, Reg::R9, 1);
        self.asm.bind(some);
        let fits = self.asm.label();
        let most = self.plan.strsize as i32 - 1;
        self.asm.jump_if(Cond::Le, Reg::R9, most, fits);
        self.asm.mov(Reg::R9, most);
        self.asm.bind(fits);
        self.seal(Reg::R6, Reg::R9);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Spins until the clock says that it is enough; gives up after some ten million looks at it.
    pub(super) fn emit_chill(&mut self) {
        let spin =
            self.asm.declare("chill_spin", super::super::asm::Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
        self.asm.store(Size::DW, Reg::R10, -16, Reg::R1);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, -16);
        self.alu(Alu::Add, Reg::R0, Reg::R1);
        self.asm.store(Size::DW, Reg::R10, -16, Reg::R0);
        self.asm.mov(Reg::R1, 1 << 23);
        self.asm.load_func(Reg::R2, spin);
        self.asm.mov(Reg::R3, Reg::R10);
        self.alu(Alu::Add, Reg::R3, -16);
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::Loop);
        self.asm.ret(0);
        // `(index, the end's address) -> 1: enough`.
        self.asm.enter(spin);
        let go_on = self.asm.label();
        self.asm.mov(Reg::R6, Reg::R2);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, 0);
        self.asm.jump_if(Cond::Lt, Reg::R0, Reg::R1, go_on);
        self.asm.ret(1);
        self.asm.bind(go_on);
        self.asm.ret(0);
    }
}
