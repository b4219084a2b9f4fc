//! Network addresses as text, and the wait of `chill()`.

use super::super::asm::{Arg, Label};
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};

/// Longest link layer address: InfiniBand's.
pub(in super::super) const MAX_OCTETS: u32 = 20;

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
        // R8: length of the present run in the lower byte; R9: the longest one, its end in the next byte.
        self.asm.mov(Reg::R8, 0);
        self.asm.mov(Reg::R9, 0);
        self.asm.mov(Reg::R2, 0);
        for group in 0..8 {
            let (other, next) = (self.asm.label(), self.asm.label());
            self.group(group);
            self.asm.jump_if(Cond::Ne, Reg::R1, 0, other);
            self.alu(Alu::Add, Reg::R8, 1);
            self.asm.jump_if(Cond::Le, Reg::R8, Reg::R9, next);
            self.asm.mov(Reg::R9, Reg::R8);
            self.asm.mov(Reg::R2, group + 1);
            self.asm.jump(next);
            self.asm.bind(other);
            self.asm.mov(Reg::R8, 0);
            self.asm.bind(next);
        }
        // R8: where the run ends, R9: where it begins; a single zero is written out.
        let run = self.asm.label();
        self.asm.mov(Reg::R8, Reg::R2);
        self.alu(Alu::Sub, Reg::R2, Reg::R9);
        self.asm.jump_if(Cond::Ge, Reg::R9, 2, run);
        self.asm.mov(Reg::R8, 0);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(run);
        // Numbers out of memory: the verifier then need not look at each run for itself.
        for (slot, reg) in [(-96, Reg::R8), (-104, Reg::R2)] {
            self.asm.store(Size::DW, Reg::R7, super::super::layout::frame::RESULT as i16, reg);
            self.asm.load(Size::DW, Reg::R1, Reg::R7, super::super::layout::frame::RESULT as i16);
            self.asm.store(Size::DW, Reg::R10, slot, Reg::R1);
        }
        self.asm.load(Size::DW, Reg::R8, Reg::R10, -96);
        self.asm.load(Size::DW, Reg::R9, Reg::R10, -104);
        self.start_digits();
        for group in (0..8).rev() {
            let (written, next) = (self.asm.label(), self.asm.label());
            self.asm.jump_if(Cond::Le, Reg::R8, group, written);
            self.asm.jump_if(Cond::Gt, Reg::R9, group, written);
            self.asm.jump_if(Cond::Ne, Reg::R9, group, next);
            self.push_char(b':');
            self.push_char(b':');
            self.asm.jump(next);
            self.asm.bind(written);
            self.group(group);
            let ended = self.asm.label();
            for digit in 0..4 {
                let decimal = self.asm.label();
                self.asm.mov(Reg::R4, Reg::R1);
                self.alu(Alu::And, Reg::R4, 15);
                self.asm.jump_if(Cond::Lt, Reg::R4, 10, decimal);
                self.alu(Alu::Add, Reg::R4, i32::from(b'a' - 10) - i32::from(b'0'));
                self.asm.bind(decimal);
                self.alu(Alu::Add, Reg::R4, i32::from(b'0'));
                self.push_digit(Reg::R4);
                self.alu(Alu::Rsh, Reg::R1, 4);
                if digit < 3 {
                    self.asm.jump_if(Cond::Eq, Reg::R1, 0, ended);
                }
            }
            self.asm.bind(ended);
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
