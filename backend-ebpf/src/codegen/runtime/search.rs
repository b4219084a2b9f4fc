//! Routines that look into strings byte by byte.
//!
//! Positions that a loop finds go through memory before they are used: the
//! verifier then sees one unknown number instead of one state for each position.

use super::super::asm::Label;
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::super::layout::frame;
use super::Routine;

/// Working words in the frame.
const RESULT: i16 = frame::RESULT as i16;
const SET: i16 = frame::SET as i16;

/// Stack slots of `emit_find`.
const FRAME: i16 = -16;
const IN: i16 = -24;
const WHAT: i16 = -32;
const STEP: i16 = -40;
const LENGTH: i16 = -48;
const LAST: i16 = -56;
const FIRST: i16 = -64;

impl Gen<'_> {
    /// Position of a character, the first or the last; the NUL counts.
    pub(super) fn emit_find_char(&mut self) {
        let (out, scan, next, end) = (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.length(Reg::R0, Reg::R6);
        self.emit(Insn::st(Size::DW, Reg::R7, RESULT, -1));
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Gt, Reg::R5, Reg::R0, end);
        self.asm.load(Size::B, Reg::R1, Reg::R6, 8);
        self.alu(Alu::Add, Reg::R6, 1);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R8, next);
        self.asm.store(Size::DW, Reg::R7, RESULT, Reg::R5);
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, end);
        self.asm.bind(next);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, self.plan.strsize as i32, scan);
        self.asm.bind(end);
        self.asm.load(Size::DW, Reg::R0, Reg::R7, RESULT);
        self.asm.exit();
        self.asm.bind(out);
        self.asm.ret(-1);
    }

    /// Are `length` bytes at two offsets equal? Word by word, the rest masked.
    pub(super) fn emit_match(&mut self) {
        let (out, scan, rest) = (self.asm.label(), self.asm.label(), self.asm.label());
        let words = (self.plan.str_bytes - 8) / 8;
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        for reg in [Reg::R6, Reg::R8] {
            // Anywhere in a string, the last one too: the frame is one string longer than that.
            self.asm.jump_if(Cond::Gt, reg, (self.plan.frame_bytes - self.plan.str_bytes) as i32, out);
            self.alu(Alu::Add, reg, Reg::R7);
        }
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, 0);
        self.asm.load(Size::DW, Reg::R2, Reg::R8, 0);
        self.asm.jump_if(Cond::SLt, Reg::R9, 8, rest);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R2, out);
        self.alu(Alu::Sub, Reg::R9, 8);
        self.alu(Alu::Add, Reg::R6, 8);
        self.alu(Alu::Add, Reg::R8, 8);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, words as i32, scan);
        self.asm.jump(out);
        self.asm.bind(rest);
        self.alu(Alu::Xor, Reg::R1, Reg::R2);
        self.alu(Alu::Lsh, Reg::R9, 3);
        self.alu(Alu::And, Reg::R9, 63);
        self.asm.mov(Reg::R2, 1);
        self.alu(Alu::Lsh, Reg::R2, Reg::R9);
        self.alu(Alu::Sub, Reg::R2, 1);
        self.alu(Alu::And, Reg::R1, Reg::R2);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, out);
        self.asm.ret(1);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Position of one string in another from a start on, forwards or backwards. Starts outside are
    /// brought inside as illumos (and perl) do; the empty string is found where the search starts.
    pub(super) fn emit_find(&mut self) {
        let (out, forwards, ready, scan, next, not_empty) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        let strsize = self.plan.strsize as i32;
        for (slot, reg) in
            [(FRAME, Reg::R1), (IN, Reg::R2), (WHAT, Reg::R3), (LAST, Reg::R4), (STEP, Reg::R5)]
        {
            self.asm.store(Size::DW, Reg::R10, slot, reg);
        }
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        self.length(Reg::R3, Reg::R6);
        self.length(Reg::R4, Reg::R8);
        self.asm.load(Size::B, Reg::R1, Reg::R8, 8);
        self.asm.store(Size::DW, Reg::R10, FIRST, Reg::R1);
        self.asm.store(Size::DW, Reg::R10, LENGTH, Reg::R4);
        self.asm.mov(Reg::R8, Reg::R9);
        self.asm.jump_if(Cond::Ne, Reg::R4, 0, not_empty);
        // The empty string: the start, brought within the string.
        let (low, high) = (self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R0, Reg::R8);
        self.asm.jump_if(Cond::SGe, Reg::R0, 0, low);
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(low);
        self.asm.jump_if(Cond::SLe, Reg::R0, Reg::R3, high);
        self.asm.mov(Reg::R0, Reg::R3);
        self.asm.bind(high);
        self.asm.exit();
        self.asm.bind(not_empty);
        // R3: the last position where it fits.
        self.alu(Alu::Sub, Reg::R3, Reg::R4);
        self.asm.jump_if(Cond::SLt, Reg::R3, 0, out);
        self.asm.store(Size::DW, Reg::R10, LAST, Reg::R3);
        self.asm.load(Size::DW, Reg::R5, Reg::R10, STEP);
        self.asm.jump_if(Cond::Eq, Reg::R5, 0, forwards);
        self.emit(Insn::st(Size::DW, Reg::R10, STEP, -1));
        self.asm.jump_if(Cond::SLe, Reg::R8, Reg::R3, ready);
        self.asm.mov(Reg::R8, Reg::R3);
        self.asm.jump(ready);
        self.asm.bind(forwards);
        self.emit(Insn::st(Size::DW, Reg::R10, STEP, 1));
        self.asm.jump_if(Cond::SGe, Reg::R8, 0, ready);
        self.asm.mov(Reg::R8, 0);
        self.asm.bind(ready);
        self.asm.store(Size::DW, Reg::R7, RESULT, Reg::R8);
        self.asm.load(Size::DW, Reg::R8, Reg::R7, RESULT);

        let matcher = self.routine(Routine::Match);
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R8, strsize, out);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, LAST);
        self.asm.jump_if(Cond::SGt, Reg::R8, Reg::R1, out);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, Reg::R8);
        self.asm.load(Size::B, Reg::R1, Reg::R1, 8);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, FIRST);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R2, next);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, FRAME);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, IN);
        self.alu(Alu::Add, Reg::R2, Reg::R8);
        self.alu(Alu::Add, Reg::R2, 8);
        self.asm.load(Size::DW, Reg::R3, Reg::R10, WHAT);
        self.alu(Alu::Add, Reg::R3, 8);
        self.asm.load(Size::DW, Reg::R4, Reg::R10, LENGTH);
        self.asm.call_func(matcher);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, next);
        self.asm.mov(Reg::R0, Reg::R8);
        self.asm.exit();
        self.asm.bind(next);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, STEP);
        self.alu(Alu::Add, Reg::R8, Reg::R1);
        self.asm.store(Size::DW, Reg::R7, RESULT, Reg::R8);
        self.asm.load(Size::DW, Reg::R8, Reg::R7, RESULT);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump_if(Cond::Lt, Reg::R9, strsize, scan);
        self.asm.bind(out);
        self.asm.ret(-1);
    }

    /// The next token of the string that `strtok` keeps in the frame; NULL when there is none.
    pub(super) fn emit_token(&mut self) {
        let (out, none) = (self.asm.label(), self.asm.label());
        let (collect, collected) = (self.asm.label(), self.asm.label());
        let strsize = self.plan.strsize as i32;
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        // The delimiters as a set of 256 bits.
        for word in 0..4 {
            self.emit(Insn::st(Size::DW, Reg::R7, SET + word * 8, 0));
        }
        self.length(Reg::R0, Reg::R8);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(collect);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R0, collected);
        self.asm.load(Size::B, Reg::R1, Reg::R8, 8);
        self.set_word(Reg::R1, Reg::R2);
        self.asm.mov(Reg::R3, 1);
        self.alu(Alu::Lsh, Reg::R3, Reg::R1);
        self.asm.load(Size::DW, Reg::R4, Reg::R2, SET);
        self.alu(Alu::Or, Reg::R4, Reg::R3);
        self.asm.store(Size::DW, Reg::R2, SET, Reg::R4);
        self.alu(Alu::Add, Reg::R8, 1);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, collect);
        self.asm.bind(collected);

        self.frame_ptr(Reg::R8, self.plan.strtok_at);
        self.asm.load(Size::DW, Reg::R0, Reg::R8, 0);
        self.asm.jump_if(Cond::Eq, Reg::R0, -1, none);
        self.length(Reg::R0, Reg::R8);
        let start = self.asm.label();
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::STRTOK_AT as i16);
        self.scan_set(none, start, true);
        self.asm.bind(start);
        self.asm.store(Size::DW, Reg::R7, RESULT, Reg::R9);
        let end = self.asm.label();
        self.scan_set(end, end, false);
        self.asm.bind(end);
        // R9: the end. The next search starts at the delimiter: it may not be one of that search's.
        self.asm.mov(Reg::R2, Reg::R9);
        self.asm.store(Size::DW, Reg::R7, frame::STRTOK_AT as i16, Reg::R9);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, RESULT);
        self.copy_range(out);
        self.asm.ret(0);
        self.asm.bind(none);
        self.emit(Insn::st(Size::DW, Reg::R6, 0, -1));
        self.frame_store_imm(self.plan.strtok_at, -1);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `word = R7 +` offset of the set's word of a byte; `byte` becomes the bit's number.
    fn set_word(&mut self, byte: Reg, word: Reg) {
        self.asm.mov(word, byte);
        self.alu(Alu::Rsh, word, 6);
        self.alu(Alu::Lsh, word, 3);
        self.alu(Alu::Add, word, Reg::R7);
        self.alu(Alu::And, byte, 63);
    }

    /// Advances `R9` in the string at `R8` of length `R0` while its characters are in the set (or are not);
    /// to `ended` at the string's end, to `stopped` at another character.
    fn scan_set(&mut self, ended: Label, stopped: Label, members: bool) {
        let scan = self.asm.label();
        let strsize = self.plan.strsize as i32;
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R9, Reg::R0, ended);
        self.asm.jump_if(Cond::Ge, Reg::R9, strsize, ended);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.asm.load(Size::B, Reg::R1, Reg::R1, 8);
        self.set_word(Reg::R1, Reg::R2);
        self.asm.load(Size::DW, Reg::R2, Reg::R2, SET);
        self.alu(Alu::Rsh, Reg::R2, Reg::R1);
        self.alu(Alu::And, Reg::R2, 1);
        self.asm.jump_if(Cond::Eq, Reg::R2, i32::from(!members), stopped);
        self.alu(Alu::Add, Reg::R9, 1);
        // One unknown number, not a range that grows with each step.
        self.asm.store(Size::DW, Reg::R7, frame::STRTOK_AT as i16, Reg::R9);
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::STRTOK_AT as i16);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, scan);
        self.asm.jump(ended);
    }

    /// Makes the string at `R6` of the characters `R1` to `R2` of the string at `R8`; uses `R9`.
    pub(super) fn copy_range(&mut self, out: Label) {
        let strsize = self.plan.strsize as i32;
        self.asm.jump_if(Cond::Ge, Reg::R1, strsize, out);
        self.alu(Alu::Sub, Reg::R2, Reg::R1);
        self.asm.jump_if(Cond::Ge, Reg::R2, strsize, out);
        self.asm.mov(Reg::R3, Reg::R8);
        self.alu(Alu::Add, Reg::R3, Reg::R1);
        self.alu(Alu::Add, Reg::R3, 8);
        self.asm.mov(Reg::R9, Reg::R2);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.call(Helper::ProbeReadKernel);
        self.seal(Reg::R6, Reg::R9);
    }
}
