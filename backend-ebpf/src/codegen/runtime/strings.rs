//! String routines that work by words or by whole copies.

use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};

/// A byte repeated in all eight places of a word.
fn all(byte: u8) -> i64 {
    i64::from_ne_bytes([byte; 8])
}

impl Gen<'_> {
    /// Compares two strings word by word; NULL is below everything and equals NULL.
    pub(super) fn emit_compare(&mut self) {
        let words = (self.plan.str_bytes - 8) / 8;
        let (out, null_a, null_b, loop_, differ, less) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, 0);
        self.asm.load(Size::DW, Reg::R2, Reg::R8, 0);
        self.asm.jump_if(Cond::Eq, Reg::R1, -1, null_a);
        self.asm.jump_if(Cond::Eq, Reg::R2, -1, null_b);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(loop_);
        self.asm.load(Size::DW, Reg::R3, Reg::R6, 8);
        self.asm.load(Size::DW, Reg::R4, Reg::R8, 8);
        self.asm.jump_if(Cond::Ne, Reg::R3, Reg::R4, differ);
        // Equal words that hold the NUL end the strings.
        self.alu(Alu::Sub, Reg::R1, 8);
        self.asm.jump_if(Cond::SLt, Reg::R1, 0, out);
        self.alu(Alu::Add, Reg::R6, 8);
        self.alu(Alu::Add, Reg::R8, 8);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, words as i32, loop_);
        self.asm.bind(out);
        self.asm.ret(0);
        self.asm.bind(differ);
        self.emit(Insn::to_be(Reg::R3, 64));
        self.emit(Insn::to_be(Reg::R4, 64));
        self.asm.jump_if(Cond::Lt, Reg::R3, Reg::R4, less);
        self.asm.bind(null_b);
        self.asm.ret(1);
        self.asm.bind(null_a);
        self.asm.jump_if(Cond::Eq, Reg::R2, -1, out);
        self.asm.bind(less);
        self.asm.ret(-1);
    }

    /// The thread's name as a string.
    pub(super) fn emit_comm(&mut self) {
        let out = self.asm.label();
        self.enter_frame(&[Reg::R6], out);
        self.string_at(Reg::R6, out);
        // A record's field has no more room than the string size.
        let words: &[i16] = if self.plan.strsize <= 8 { &[8] } else { &[8, 16] };
        match self.input.target.offsets.comm.and_then(|offset| i16::try_from(offset).ok()) {
            // Two words of the task's structure; the helper costs ten times as much.
            Some(offset) => {
                self.asm.call(Helper::GetCurrentTaskBtf);
                self.asm.load(Size::DW, Reg::R1, Reg::R0, offset);
                self.asm.store(Size::DW, Reg::R6, 8, Reg::R1);
                if words.len() > 1 {
                    self.asm.load(Size::DW, Reg::R2, Reg::R0, offset + 8);
                    self.asm.store(Size::DW, Reg::R6, 16, Reg::R2);
                }
            }
            None => {
                self.asm.mov(Reg::R1, Reg::R6);
                self.alu(Alu::Add, Reg::R1, 8);
                self.asm.mov(Reg::R2, words.len() as i32 * 8);
                self.asm.call(Helper::GetCurrentComm);
            }
        }
        // The position of the first zero byte, in the low half, quarter, eighth of the first word that has one.
        let (locate, sealed) = (self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R0, 0);
        self.asm.load_imm(Reg::R3, all(0x01));
        self.asm.load_imm(Reg::R4, all(0x80));
        for word in words.iter().copied() {
            self.asm.load(Size::DW, Reg::R1, Reg::R6, word);
            self.asm.mov(Reg::R5, Reg::R1);
            self.alu(Alu::Sub, Reg::R5, Reg::R3);
            self.alu(Alu::Xor, Reg::R1, -1);
            self.alu(Alu::And, Reg::R5, Reg::R1);
            self.alu(Alu::And, Reg::R5, Reg::R4);
            if word == 8 {
                self.asm.jump_if(Cond::Ne, Reg::R5, 0, locate);
                self.asm.mov(Reg::R0, 8);
            }
        }
        self.asm.bind(locate);
        self.emit(Insn::to_le(Reg::R5, 64));
        for (mask, bits) in [(None, 32), (Some(0xffff), 16), (Some(0xff), 8)] {
            let here = self.asm.label();
            match mask {
                None => self.emit(Insn::mov32(Reg::R1, Reg::R5)),
                Some(mask) => {
                    self.asm.mov(Reg::R1, Reg::R5);
                    self.alu(Alu::And, Reg::R1, mask);
                }
            }
            self.asm.jump_if(Cond::Ne, Reg::R1, 0, here);
            self.alu(Alu::Add, Reg::R0, bits / 8);
            self.alu(Alu::Rsh, Reg::R5, bits);
            self.asm.bind(here);
        }
        self.asm.store(Size::DW, Reg::R6, 0, Reg::R0);
        if self.plan.strsize <= 16 {
            let last = self.plan.strsize as i32 - 1;
            self.asm.jump_if(Cond::Le, Reg::R0, last, sealed);
            self.asm.mov(Reg::R0, last);
            self.seal(Reg::R6, Reg::R0);
            self.asm.bind(sealed);
        }
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// One string behind another, cut at the string size.
    pub(super) fn emit_join(&mut self) {
        let out = self.asm.label();
        let strsize = self.plan.strsize as i32;
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        for reg in [Reg::R6, Reg::R8, Reg::R9] {
            self.string_at(reg, out);
        }
        self.length(Reg::R2, Reg::R8);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, 8);
        self.asm.call(Helper::ProbeReadKernel);
        self.length(Reg::R0, Reg::R8);
        self.length(Reg::R2, Reg::R9);
        self.asm.mov(Reg::R1, strsize - 1);
        self.alu(Alu::Sub, Reg::R1, Reg::R0);
        let fits = self.asm.label();
        self.asm.jump_if(Cond::Le, Reg::R2, Reg::R1, fits);
        self.asm.mov(Reg::R2, Reg::R1);
        self.asm.bind(fits);
        self.asm.mov(Reg::R8, Reg::R0);
        self.alu(Alu::Add, Reg::R8, Reg::R2);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, Reg::R0);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.mov(Reg::R3, Reg::R9);
        self.alu(Alu::Add, Reg::R3, 8);
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.jump_if(Cond::Ge, Reg::R8, strsize, out);
        self.seal(Reg::R6, Reg::R8);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `substr` as illumos counts: negative starts from the end, negative lengths up to the end.
    pub(super) fn emit_substr(&mut self) {
        let out = self.asm.label();
        let strsize = self.plan.strsize as i32;
        self.enter_frame_five(&[Reg::R6, Reg::R8, Reg::R9], -16, out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, -16);
        self.length(Reg::R3, Reg::R8);
        let (positive, empty, cut, copy) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        // R9 start, R2 remaining, R3 length
        self.asm.jump_if(Cond::SGe, Reg::R9, 0, positive);
        self.alu(Alu::Add, Reg::R9, Reg::R3);
        self.asm.jump_if(Cond::SGe, Reg::R9, 0, positive);
        self.asm.mov(Reg::R4, Reg::R9);
        self.alu(Alu::Add, Reg::R4, Reg::R2);
        self.asm.jump_if(Cond::SLe, Reg::R4, 0, positive);
        self.asm.mov(Reg::R2, Reg::R4);
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(positive);
        self.asm.jump_if(Cond::SLt, Reg::R9, 0, empty);
        self.asm.jump_if(Cond::SGe, Reg::R9, Reg::R3, empty);
        self.alu(Alu::Sub, Reg::R3, Reg::R9);
        self.asm.jump_if(Cond::SGe, Reg::R2, 0, cut);
        self.alu(Alu::Add, Reg::R2, Reg::R3);
        self.asm.jump_if(Cond::SLt, Reg::R2, 0, empty);
        self.asm.bind(cut);
        self.asm.jump_if(Cond::SLe, Reg::R2, Reg::R3, copy);
        self.asm.mov(Reg::R2, Reg::R3);
        self.asm.jump(copy);
        self.asm.bind(empty);
        self.asm.mov(Reg::R2, 0);
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(copy);
        self.asm.jump_if(Cond::Ge, Reg::R2, strsize, out);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, 8);
        self.asm.jump_if(Cond::Ge, Reg::R9, strsize, out);
        self.alu(Alu::Add, Reg::R3, Reg::R9);
        self.asm.mov(Reg::R9, Reg::R2);
        self.asm.call(Helper::ProbeReadKernel);
        self.seal(Reg::R6, Reg::R9);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// As [`Gen::enter_frame`] with a fourth value kept in a stack slot.
    pub(super) fn enter_frame_five(&mut self, keep: &[Reg], slot: i16, out: super::super::asm::Label) {
        self.asm.store(Size::DW, Reg::R10, slot, Reg::R5);
        self.enter_frame(keep, out);
    }

    /// Upper or lower case of ASCII letters, eight at a time.
    pub(super) fn emit_case(&mut self) {
        let (out, down, chosen, loop_) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        let words = (self.plan.str_bytes - 8) / 8;
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        self.asm.load(Size::DW, Reg::R0, Reg::R8, 0);
        self.asm.store(Size::DW, Reg::R6, 0, Reg::R0);
        self.asm.jump_if(Cond::Eq, Reg::R0, -1, out);
        // Adding these to a byte below 128 sets its top bit from the first letter on, and beyond the last one.
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, down);
        self.asm.load_imm(Reg::R4, all(0x80 - b'a'));
        self.asm.load_imm(Reg::R5, all(0x7f - b'z'));
        self.asm.jump(chosen);
        self.asm.bind(down);
        self.asm.load_imm(Reg::R4, all(0x80 - b'A'));
        self.asm.load_imm(Reg::R5, all(0x7f - b'Z'));
        self.asm.bind(chosen);
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(loop_);
        self.asm.load(Size::DW, Reg::R1, Reg::R8, 8);
        self.asm.mov(Reg::R2, Reg::R1);
        self.asm.load_imm(Reg::R3, all(0x7f));
        self.alu(Alu::And, Reg::R2, Reg::R3);
        self.asm.mov(Reg::R3, Reg::R2);
        self.alu(Alu::Add, Reg::R2, Reg::R4);
        self.alu(Alu::Add, Reg::R3, Reg::R5);
        self.alu(Alu::Xor, Reg::R2, Reg::R3);
        self.asm.mov(Reg::R3, Reg::R1);
        self.alu(Alu::Xor, Reg::R3, -1);
        self.alu(Alu::And, Reg::R2, Reg::R3);
        self.asm.load_imm(Reg::R3, all(0x80));
        self.alu(Alu::And, Reg::R2, Reg::R3);
        self.alu(Alu::Rsh, Reg::R2, 2);
        self.alu(Alu::Xor, Reg::R1, Reg::R2);
        self.asm.store(Size::DW, Reg::R6, 8, Reg::R1);
        self.alu(Alu::Sub, Reg::R0, 8);
        self.asm.jump_if(Cond::SLt, Reg::R0, 0, out);
        self.alu(Alu::Add, Reg::R6, 8);
        self.alu(Alu::Add, Reg::R8, 8);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump_if(Cond::Lt, Reg::R9, words as i32, loop_);
        self.asm.bind(out);
        self.asm.ret(0);
    }
}
