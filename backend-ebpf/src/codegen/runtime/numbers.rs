//! Numbers to text and back; process ancestry.

use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::super::layout::frame;

/// Where digits are collected on the stack, growing down: room for 64 binary digits, a prefix and a sign.
const DIGITS_END: i16 = -16;
const DIGITS: i32 = 72;
/// No text that is made piece by piece is longer: an IPv6 address has 39 characters, 45 with IPv4 in it.
const LENGTH_MASK: i32 = 63;

impl Gen<'_> {
    /// `lltostr`: digits, `0x` before base 16, `0` before base 8, a sign in base 10.
    pub(super) fn emit_number(&mut self) {
        let out = self.asm.label();
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.asm.jump_if(Cond::Lt, Reg::R9, 2, out);
        self.asm.jump_if(Cond::Gt, Reg::R9, 36, out);
        let (magnitude, digits, decimal, done) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        // R1 the rest of the number, R2 where the next digit goes (one above), R3 how many there are
        self.asm.mov(Reg::R1, Reg::R8);
        self.asm.jump_if(Cond::Ne, Reg::R9, 10, magnitude);
        self.asm.jump_if(Cond::SGe, Reg::R8, 0, magnitude);
        self.emit(Insn::neg64(Reg::R1));
        self.asm.bind(magnitude);
        self.asm.mov(Reg::R2, Reg::R10);
        self.alu(Alu::Add, Reg::R2, i32::from(DIGITS_END));
        self.asm.mov(Reg::R3, 0);
        self.asm.bind(digits);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, done);
        self.asm.mov(Reg::R4, Reg::R1);
        self.alu(Alu::Mod, Reg::R4, Reg::R9);
        self.alu(Alu::Div, Reg::R1, Reg::R9);
        self.asm.jump_if(Cond::Lt, Reg::R4, 10, decimal);
        self.alu(Alu::Add, Reg::R4, i32::from(b'a' - 10) - i32::from(b'0'));
        self.asm.bind(decimal);
        self.alu(Alu::Add, Reg::R4, i32::from(b'0'));
        self.push_digit(Reg::R4);
        self.asm.jump_if(Cond::Lt, Reg::R3, 64, digits);
        self.asm.bind(done);

        let (not_16, no_zero, zero, no_sign) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        let plain = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R9, 16, not_16);
        self.asm.jump_if(Cond::Ne, Reg::R8, 0, plain);
        self.asm.mov(Reg::R4, i32::from(b'0'));
        self.push_digit(Reg::R4);
        self.asm.bind(plain);
        self.asm.mov(Reg::R4, i32::from(b'x'));
        self.push_digit(Reg::R4);
        self.asm.jump(zero);
        self.asm.bind(not_16);
        self.asm.jump_if(Cond::Eq, Reg::R9, 8, zero);
        self.asm.jump_if(Cond::Ne, Reg::R8, 0, no_zero);
        self.asm.bind(zero);
        self.asm.mov(Reg::R4, i32::from(b'0'));
        self.push_digit(Reg::R4);
        self.asm.bind(no_zero);
        self.asm.jump_if(Cond::Ne, Reg::R9, 10, no_sign);
        self.asm.jump_if(Cond::SGe, Reg::R8, 0, no_sign);
        self.asm.mov(Reg::R4, i32::from(b'-'));
        self.push_digit(Reg::R4);
        self.asm.bind(no_sign);
        self.copy_digits();
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Puts the character in `reg` before those that are there.
    pub(super) fn push_digit(&mut self, reg: Reg) {
        self.alu(Alu::Add, Reg::R2, -1);
        self.asm.store(Size::B, Reg::R2, 0, reg);
        self.alu(Alu::Add, Reg::R3, 1);
    }

    /// The verifier shall not tell apart how many characters there are: through memory it is one unknown number.
    pub(super) fn forget_length(&mut self) {
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R3);
        self.asm.load(Size::DW, Reg::R3, Reg::R7, frame::RESULT as i16);
        self.alu(Alu::And, Reg::R3, LENGTH_MASK);
        self.find_digits();
    }

    /// `R2 =` where the `R3` characters begin.
    pub(super) fn find_digits(&mut self) {
        // Nothing may be subtracted from a pointer to the stack.
        self.asm.mov(Reg::R2, i32::from(DIGITS_END));
        self.alu(Alu::Sub, Reg::R2, Reg::R3);
        self.alu(Alu::Add, Reg::R2, Reg::R10);
    }

    /// Makes a string of the `R3` characters at `R2` on the stack.
    pub(super) fn copy_digits(&mut self) {
        let fits = self.asm.label();
        let out = self.asm.label();
        // Through memory, so that the verifier need not tell the lengths apart.
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R3);
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::RESULT as i16);
        let most = DIGITS.min(self.plan.strsize as i32 - 1);
        self.asm.jump_if(Cond::Le, Reg::R9, most, fits);
        self.asm.mov(Reg::R9, most);
        self.asm.bind(fits);
        self.asm.mov(Reg::R3, Reg::R2);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.mov(Reg::R2, Reg::R9);
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.bind(out);
        self.seal(Reg::R6, Reg::R9);
    }

    /// `strtoll`: blanks, a sign, `0x` in base 16, digits of the base.
    pub(super) fn emit_parse(&mut self) {
        let out = self.asm.label();
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        self.alu(Alu::Add, Reg::R6, 8);
        // R0 number, R5 negative, R9 position. After each step the position goes through memory:
        // it is then one unknown number for the verifier, not as many states as there are ways to get there.
        let (blank, is_blank, sign) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R9, 0);
        self.asm.mov(Reg::R2, Reg::R6);
        self.asm.bind(blank);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 0);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b' '), is_blank);
        self.asm.jump_if(Cond::Lt, Reg::R1, 9, sign);
        self.asm.jump_if(Cond::Gt, Reg::R1, 13, sign);
        self.asm.bind(is_blank);
        self.alu(Alu::Add, Reg::R2, 1);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump_if(Cond::Lt, Reg::R9, self.plan.strsize.min(64) as i32, blank);
        self.asm.bind(sign);
        self.position(out);

        let (plus, no_sign) = (self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R5, 0);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 0);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b'+'), plus);
        self.asm.jump_if(Cond::Ne, Reg::R1, i32::from(b'-'), no_sign);
        self.asm.mov(Reg::R5, 1);
        self.asm.bind(plus);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.bind(no_sign);
        self.position(out);

        let (no_prefix, prefix) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::Ne, Reg::R8, 16, no_prefix);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 0);
        self.asm.jump_if(Cond::Ne, Reg::R1, i32::from(b'0'), no_prefix);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 1);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b'x'), prefix);
        self.asm.jump_if(Cond::Ne, Reg::R1, i32::from(b'X'), no_prefix);
        self.asm.bind(prefix);
        self.alu(Alu::Add, Reg::R9, 2);
        self.asm.bind(no_prefix);
        self.position(out);

        let (digit, have, end, done) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R0, 0);
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(digit);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 0);
        self.asm.mov(Reg::R3, Reg::R1);
        self.alu(Alu::Sub, Reg::R3, i32::from(b'0'));
        self.asm.jump_if(Cond::Le, Reg::R3, 9, have);
        self.alu(Alu::Or, Reg::R1, 0x20);
        self.asm.mov(Reg::R3, Reg::R1);
        self.alu(Alu::Sub, Reg::R3, i32::from(b'a'));
        self.asm.jump_if(Cond::Gt, Reg::R3, 25, end);
        self.alu(Alu::Add, Reg::R3, 10);
        self.asm.bind(have);
        self.asm.jump_if(Cond::Ge, Reg::R3, Reg::R8, end);
        self.alu(Alu::Mul, Reg::R0, Reg::R8);
        self.alu(Alu::Add, Reg::R0, Reg::R3);
        self.alu(Alu::Add, Reg::R2, 1);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump_if(Cond::Lt, Reg::R9, 66.min(self.plan.str_bytes as i32 - 8), digit);
        self.asm.bind(end);
        self.asm.jump_if(Cond::Eq, Reg::R5, 0, done);
        self.emit(Insn::neg64(Reg::R0));
        self.asm.bind(done);
        self.asm.exit();
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `R2 =` address of the character at `R9`, a number now unknown but below the string size.
    fn position(&mut self, out: super::super::asm::Label) {
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R9);
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::RESULT as i16);
        self.asm.jump_if(Cond::Ge, Reg::R9, self.plan.strsize as i32, out);
        self.asm.mov(Reg::R2, Reg::R6);
        self.alu(Alu::Add, Reg::R2, Reg::R9);
    }

    /// `inet_ntoa`: four numbers with dots.
    pub(super) fn emit_inet(&mut self) {
        let out = self.asm.label();
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        // From the last octet to the first, digits before those that are there.
        self.emit(Insn::to_be(Reg::R8, 32));
        self.start_digits();
        self.push_dotted();
        self.copy_digits();
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// No digits yet.
    pub(super) fn start_digits(&mut self) {
        self.asm.mov(Reg::R2, Reg::R10);
        self.alu(Alu::Add, Reg::R2, i32::from(DIGITS_END));
        self.asm.mov(Reg::R3, 0);
    }

    /// The four octets of `R8`, dots between them.
    pub(super) fn push_dotted(&mut self) {
        for octet in 0..4 {
            self.asm.mov(Reg::R1, Reg::R8);
            self.alu(Alu::Rsh, Reg::R1, octet * 8);
            self.alu(Alu::And, Reg::R1, 0xff);
            let done = self.asm.label();
            for digit in 0..3 {
                self.asm.mov(Reg::R4, Reg::R1);
                self.alu(Alu::Mod, Reg::R4, 10);
                self.alu(Alu::Div, Reg::R1, 10);
                self.alu(Alu::Add, Reg::R4, i32::from(b'0'));
                self.push_digit(Reg::R4);
                if digit < 2 {
                    self.asm.jump_if(Cond::Eq, Reg::R1, 0, done);
                }
            }
            self.asm.bind(done);
            if octet < 3 {
                self.push_char(b'.');
            }
        }
    }

    /// A character before those that are there.
    pub(super) fn push_char(&mut self, char: u8) {
        self.asm.mov(Reg::R4, i32::from(char));
        self.push_digit(Reg::R4);
    }

    /// Is the process of a task this one or one of its descendants?
    pub(super) fn emit_progeny(&mut self) {
        let (no, yes) = (self.asm.label(), self.asm.label());
        let offsets = self.input.target.offsets;
        let (parent, tgid) = (offsets.real_parent.unwrap_or(0), offsets.tgid.unwrap_or(0));
        self.asm.mov(Reg::R6, Reg::R1);
        self.asm.mov(Reg::R7, Reg::R2);
        let up = self.asm.label();
        self.asm.mov(Reg::R8, 0);
        self.asm.bind(up);
        self.asm.jump_if(Cond::Eq, Reg::R7, 0, no);
        let namespace = self.input.target.namespace.is_some();
        if namespace {
            self.asm.mov(Reg::R0, Reg::R7);
            self.numbers();
            self.alu(Alu::Rsh, Reg::R0, 32);
            self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R6, yes);
            // One that has no number here is no child of one that has.
            self.asm.jump_if(Cond::Eq, Reg::R0, 0, no);
        }
        for (offset, bytes) in [(tgid, 4), (parent, 8)].into_iter().skip(usize::from(namespace)) {
            self.emit(Insn::st(Size::DW, Reg::R10, -16, 0));
            self.asm.mov(Reg::R1, Reg::R10);
            self.alu(Alu::Add, Reg::R1, -16);
            self.asm.mov(Reg::R2, bytes);
            self.asm.mov(Reg::R3, Reg::R7);
            self.alu(Alu::Add, Reg::R3, offset as i32);
            self.asm.call(Helper::ProbeReadKernel);
            self.asm.load(Size::DW, Reg::R1, Reg::R10, -16);
            if bytes == 4 {
                self.asm.jump_if(Cond::Eq, Reg::R1, Reg::R6, yes);
                // The idle task is its own parent.
                self.asm.jump_if(Cond::Eq, Reg::R1, 0, no);
            }
        }
        self.asm.mov(Reg::R7, Reg::R1);
        self.alu(Alu::Add, Reg::R8, 1);
        self.asm.jump_if(Cond::Lt, Reg::R8, 32, up);
        self.asm.bind(no);
        self.asm.ret(0);
        self.asm.bind(yes);
        self.asm.ret(1);
    }
}
