//! Routines on paths: `basename`, `dirname`, `cleanpath`; and `strip`.

use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Insn, Reg, Size};
use super::super::layout::frame;
use super::Routine;

/// Working words in the frame.
const SET: i16 = frame::SET as i16;
const START: i16 = SET;
const END: i16 = SET + 8;
const BEFORE: i16 = SET + 16;

/// Stack slots.
const FLAG: i16 = -16;
const FRAME: i16 = -24;
const TO: i16 = -32;

impl Gen<'_> {
    /// `basename` or `dirname`, in one pass: where the last component starts and ends, where the one before ended.
    pub(super) fn emit_path_part(&mut self) {
        let (out, scan, slash, within, next, done) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        let strsize = self.plan.strsize as i32;
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.asm.store(Size::DW, Reg::R10, FLAG, Reg::R9);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        for word in [START, END, BEFORE] {
            self.emit(Insn::st(Size::DW, Reg::R7, word, 0));
        }
        self.length(Reg::R0, Reg::R8);
        self.asm.mov(Reg::R4, Reg::R8);
        self.asm.mov(Reg::R9, 1);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R0, done);
        self.asm.load(Size::B, Reg::R1, Reg::R4, 8);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b'/'), slash);
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, within);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, END);
        self.asm.store(Size::DW, Reg::R7, BEFORE, Reg::R1);
        self.asm.store(Size::DW, Reg::R7, START, Reg::R5);
        self.asm.bind(within);
        self.asm.mov(Reg::R9, 0);
        self.asm.mov(Reg::R1, Reg::R5);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R1);
        self.asm.jump(next);
        self.asm.bind(slash);
        self.asm.mov(Reg::R9, 1);
        self.asm.bind(next);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, scan);
        self.asm.bind(done);

        let (directory, nothing, root, dot) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R1, Reg::R7, START);
        self.asm.load(Size::DW, Reg::R2, Reg::R7, END);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, nothing);
        self.asm.load(Size::DW, Reg::R3, Reg::R10, FLAG);
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, directory);
        self.copy_range(out);
        self.asm.ret(0);
        self.asm.bind(directory);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, dot);
        self.asm.load(Size::DW, Reg::R2, Reg::R7, BEFORE);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, root);
        self.asm.mov(Reg::R1, 0);
        self.copy_range(out);
        self.asm.ret(0);
        self.asm.bind(nothing);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, dot);
        self.asm.bind(root);
        self.one_character(b'/');
        self.asm.bind(dot);
        self.one_character(b'.');
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// The string at `R6` is one character; returns.
    fn one_character(&mut self, c: u8) {
        self.emit(Insn::st(Size::DW, Reg::R6, 0, 1));
        self.emit(Insn::st(Size::DW, Reg::R6, 8, 0));
        self.emit(Insn::st(Size::B, Reg::R6, 8, i32::from(c)));
        self.asm.ret(0);
    }

    /// `cleanpath` as illumos does it: no empty components, no `.`, each `..` takes the component before it away.
    pub(super) fn emit_clean_path(&mut self) {
        let strsize = self.plan.strsize as i32;
        let (out, scan, next, end, emit, slash, dot, last, parent) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        self.asm.store(Size::DW, Reg::R10, FRAME, Reg::R1);
        self.asm.store(Size::DW, Reg::R10, TO, Reg::R2);
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        // END: characters written. R9: characters of "/.." that are pending. FLAG: characters read.
        self.emit(Insn::st(Size::DW, Reg::R7, END, 0));
        self.emit(Insn::st(Size::DW, Reg::R10, FLAG, 0));
        self.asm.mov(Reg::R9, 0);
        self.asm.bind(scan);
        self.asm.load(Size::DW, Reg::R2, Reg::R7, END);
        self.asm.jump_if(Cond::Ge, Reg::R2, (strsize - 5).max(1), end);
        self.asm.load(Size::B, Reg::R1, Reg::R8, 8);
        self.alu(Alu::Add, Reg::R8, 1);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, last);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b'/'), slash);
        self.asm.jump_if(Cond::Ne, Reg::R1, i32::from(b'.'), emit);
        // A dot belongs to what is pending after a slash.
        self.asm.jump_if(Cond::Eq, Reg::R9, 1, dot);
        self.asm.jump_if(Cond::Eq, Reg::R9, 2, dot);
        self.asm.bind(emit);
        self.asm.mov(Reg::R3, Reg::R6);
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        for (at, c) in [(8, b'/'), (9, b'.'), (10, b'.')] {
            self.emit(Insn::st(Size::B, Reg::R3, at, i32::from(c)));
        }
        self.alu(Alu::Add, Reg::R3, Reg::R9);
        self.asm.store(Size::B, Reg::R3, 8, Reg::R1);
        self.alu(Alu::Add, Reg::R2, Reg::R9);
        self.alu(Alu::Add, Reg::R2, 1);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R2);
        self.asm.mov(Reg::R9, 0);
        self.asm.jump(next);
        self.asm.bind(dot);
        self.alu(Alu::Add, Reg::R9, 1);
        self.asm.jump(next);
        self.asm.bind(slash);
        let plain = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R9, 3, plain);
        self.back_up();
        self.asm.bind(plain);
        self.asm.mov(Reg::R9, 1);
        self.asm.bind(next);
        self.asm.load(Size::DW, Reg::R5, Reg::R10, FLAG);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.store(Size::DW, Reg::R10, FLAG, Reg::R5);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, scan);
        self.asm.jump(end);
        // At the end: what is pending is written, but for a last "/..".
        self.asm.bind(last);
        self.asm.jump_if(Cond::Eq, Reg::R9, 3, parent);
        self.asm.mov(Reg::R3, Reg::R6);
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        self.emit(Insn::st(Size::B, Reg::R3, 8, i32::from(b'/')));
        self.emit(Insn::st(Size::B, Reg::R3, 9, i32::from(b'.')));
        let unsaid = self.asm.label();
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, unsaid);
        self.alu(Alu::Add, Reg::R2, Reg::R9);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R2);
        self.asm.bind(unsaid);
        self.asm.jump(end);
        self.asm.bind(parent);
        self.back_up();
        self.asm.load(Size::DW, Reg::R2, Reg::R7, END);
        self.asm.jump_if(Cond::Ge, Reg::R2, strsize - 1, out);
        self.asm.mov(Reg::R3, Reg::R6);
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        self.emit(Insn::st(Size::B, Reg::R3, 8, i32::from(b'/')));
        self.alu(Alu::Add, Reg::R2, 1);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R2);
        self.asm.bind(end);
        self.asm.load(Size::DW, Reg::R9, Reg::R7, END);
        self.asm.jump_if(Cond::Ge, Reg::R9, strsize, out);
        self.seal(Reg::R6, Reg::R9);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Takes the last component written away, with its slash.
    fn back_up(&mut self) {
        let routine = self.routine(Routine::BackUp);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, FRAME);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, TO);
        self.asm.call_func(routine);
    }

    /// END = position of the last slash before END in the string being written, or 0.
    pub(super) fn emit_back_up(&mut self) {
        let (out, scan, next, done) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.enter_frame(&[Reg::R6], out);
        self.string_at(Reg::R6, out);
        self.asm.load(Size::DW, Reg::R0, Reg::R7, END);
        self.emit(Insn::st(Size::DW, Reg::R7, END, 0));
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R0, done);
        self.asm.load(Size::B, Reg::R1, Reg::R6, 8);
        self.asm.jump_if(Cond::Ne, Reg::R1, i32::from(b'/'), next);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R5);
        self.asm.bind(next);
        self.alu(Alu::Add, Reg::R6, 1);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, self.plan.strsize as i32, scan);
        self.asm.bind(done);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `strip`: without the blanks at either end.
    pub(super) fn emit_strip(&mut self) {
        let (out, scan, blank, next, done, later) = (
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
        self.emit(Insn::st(Size::DW, Reg::R7, START, 0));
        self.emit(Insn::st(Size::DW, Reg::R7, END, 0));
        self.length(Reg::R0, Reg::R8);
        self.asm.mov(Reg::R4, Reg::R8);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R0, done);
        self.asm.load(Size::B, Reg::R1, Reg::R4, 8);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.jump_if(Cond::Eq, Reg::R1, i32::from(b' '), blank);
        self.alu(Alu::Sub, Reg::R1, 9);
        self.asm.jump_if(Cond::Le, Reg::R1, 4, blank);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, END);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, later);
        self.asm.store(Size::DW, Reg::R7, START, Reg::R5);
        self.asm.bind(later);
        self.asm.mov(Reg::R1, Reg::R5);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, END, Reg::R1);
        self.asm.bind(blank);
        self.asm.bind(next);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, self.plan.strsize as i32, scan);
        self.asm.bind(done);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, START);
        self.asm.load(Size::DW, Reg::R2, Reg::R7, END);
        self.copy_range(out);
        self.asm.bind(out);
        self.asm.ret(0);
    }
}
