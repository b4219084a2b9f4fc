//! Names that the kernel keeps in pieces: paths of directory entries, arguments of a process.

use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::super::layout::frame;

/// Components of a path that are followed up; deeper ones are left out.
const COMPONENTS: i32 = 40;
/// Bytes of working memory: an address for each component.
pub(in super::super) const WORK: u32 = COMPONENTS as u32 * 8;

/// Stack slots.
const TO: i16 = -16;
const BUFFER: i16 = -24;
const COUNT: i16 = -32;

impl Gen<'_> {
    /// From a `struct path` up to the root: names are noted on the way up and written on the way down.
    pub(super) fn emit_kernel_path(&mut self) {
        let Some(at) = self.input.target.offsets.paths else { return self.asm.ret(0) };
        let (out, up, next, climbed, down, ended) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.string_at(Reg::R6, out);
        self.asm.store(Size::DW, Reg::R10, TO, Reg::R6);
        self.asm.jump_if(Cond::Gt, Reg::R9, (self.plan.frame_bytes - WORK) as i32, out);
        self.alu(Alu::Add, Reg::R9, Reg::R7);
        // R6 the entry, R8 its `struct mount`.
        self.word_at(Reg::R8, at.dentry);
        self.asm.mov(Reg::R6, Reg::R0);
        self.word_at(Reg::R8, at.mnt);
        self.asm.mov(Reg::R8, Reg::R0);
        self.alu(Alu::Sub, Reg::R8, at.mount_mnt as i32);
        self.emit(Insn::st(Size::DW, Reg::R7, frame::RESULT as i16, 0));
        self.emit(Insn::st(Size::DW, Reg::R10, COUNT, 0));
        self.asm.bind(up);
        let inside = self.asm.label();
        self.word_at(Reg::R8, at.mount_mnt + at.mnt_root);
        self.asm.jump_if(Cond::Ne, Reg::R0, Reg::R6, inside);
        // The root of a file system: on from where it is mounted.
        self.word_at(Reg::R8, at.mount_parent);
        self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R8, climbed);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, climbed);
        self.asm.store(Size::DW, Reg::R10, BUFFER - 16, Reg::R0);
        self.word_at(Reg::R8, at.mountpoint);
        self.asm.mov(Reg::R6, Reg::R0);
        self.asm.load(Size::DW, Reg::R8, Reg::R10, BUFFER - 16);
        self.asm.jump(next);
        self.asm.bind(inside);
        self.word_at(Reg::R6, at.name);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, frame::RESULT as i16);
        self.asm.jump_if(Cond::Ge, Reg::R1, COMPONENTS, climbed);
        self.asm.mov(Reg::R2, Reg::R1);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.alu(Alu::Add, Reg::R2, Reg::R9);
        self.asm.store(Size::DW, Reg::R2, 0, Reg::R0);
        self.word_at(Reg::R6, at.parent);
        self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R6, climbed);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, climbed);
        self.asm.mov(Reg::R6, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, frame::RESULT as i16);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R1);
        self.asm.bind(next);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, COUNT);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R10, COUNT, Reg::R1);
        self.asm.jump_if(Cond::Lt, Reg::R1, COMPONENTS, up);
        self.asm.bind(climbed);

        // R8 components left, R6 length so far, both in memory between the steps: SET and RESULT.
        self.asm.load(Size::DW, Reg::R6, Reg::R10, TO);
        self.emit(Insn::st(Size::DW, Reg::R7, frame::SET as i16, 0));
        self.emit(Insn::st(Size::DW, Reg::R10, COUNT, 0));
        self.asm.bind(down);
        self.asm.load(Size::DW, Reg::R8, Reg::R7, frame::RESULT as i16);
        self.asm.jump_if(Cond::Eq, Reg::R8, 0, ended);
        self.alu(Alu::Sub, Reg::R8, 1);
        self.asm.jump_if(Cond::Ge, Reg::R8, COMPONENTS, ended);
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R8);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, frame::SET as i16);
        self.asm.jump_if(Cond::Ge, Reg::R1, self.plan.strsize as i32 - 2, ended);
        self.asm.mov(Reg::R2, Reg::R6);
        self.alu(Alu::Add, Reg::R2, Reg::R1);
        self.emit(Insn::st(Size::B, Reg::R2, 8, i32::from(b'/')));
        self.alu(Alu::Lsh, Reg::R8, 3);
        self.alu(Alu::Add, Reg::R8, Reg::R9);
        self.asm.load(Size::DW, Reg::R3, Reg::R8, 0);
        // As much as still fits.
        self.asm.mov(Reg::R4, self.plan.strsize as i32 - 1);
        self.alu(Alu::Sub, Reg::R4, Reg::R1);
        self.asm.mov(Reg::R1, Reg::R2);
        self.alu(Alu::Add, Reg::R1, 9);
        self.asm.mov(Reg::R2, Reg::R4);
        self.asm.call(Helper::ProbeReadKernelStr);
        self.asm.jump_if(Cond::SLe, Reg::R0, 0, ended);
        // The slash and the name without its NUL.
        self.asm.load(Size::DW, Reg::R1, Reg::R7, frame::SET as i16);
        self.alu(Alu::Add, Reg::R1, Reg::R0);
        self.asm.store(Size::DW, Reg::R7, frame::SET as i16, Reg::R1);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, COUNT);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R10, COUNT, Reg::R1);
        self.asm.jump_if(Cond::Lt, Reg::R1, COMPONENTS, down);
        self.asm.bind(ended);
        let named = self.asm.label();
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::SET as i16);
        self.asm.jump_if(Cond::Ne, Reg::R9, 0, named);
        self.emit(Insn::st(Size::B, Reg::R6, 8, i32::from(b'/')));
        self.asm.mov(Reg::R9, 1);
        self.asm.bind(named);
        self.asm.jump_if(Cond::Ge, Reg::R9, self.plan.strsize as i32, out);
        self.seal(Reg::R6, Reg::R9);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `R0 = *(base + offset)` in kernel memory, 0 when that cannot be read.
    fn word_at(&mut self, base: Reg, offset: u32) {
        self.emit(Insn::st(Size::DW, Reg::R10, BUFFER, 0));
        self.asm.mov(Reg::R3, base);
        self.alu(Alu::Add, Reg::R3, offset as i32);
        self.asm.mov(Reg::R1, Reg::R10);
        self.alu(Alu::Add, Reg::R1, i32::from(BUFFER));
        self.asm.mov(Reg::R2, 8);
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, BUFFER);
    }

    /// The arguments that were read behind the string's length word: NULs between them become blanks.
    pub(super) fn emit_arguments(&mut self) {
        let (out, scan, next, end) = (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        let strsize = self.plan.strsize as i32;
        self.enter_frame(&[Reg::R6, Reg::R8], out);
        self.string_at(Reg::R6, out);
        self.asm.jump_if(Cond::Ge, Reg::R8, strsize, out);
        self.emit(Insn::st(Size::DW, Reg::R7, frame::RESULT as i16, 0));
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R8, end);
        self.asm.mov(Reg::R2, Reg::R6);
        self.alu(Alu::Add, Reg::R2, Reg::R5);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.load(Size::B, Reg::R1, Reg::R2, 8);
        let text = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, text);
        self.emit(Insn::st(Size::B, Reg::R2, 8, i32::from(b' ')));
        self.asm.jump(next);
        self.asm.bind(text);
        // The last argument's end: what follows is not shown.
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R5);
        self.asm.bind(next);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, scan);
        self.asm.bind(end);
        self.asm.load(Size::DW, Reg::R9, Reg::R7, frame::RESULT as i16);
        self.asm.jump_if(Cond::Ge, Reg::R9, strsize, out);
        self.seal(Reg::R6, Reg::R9);
        self.asm.bind(out);
        self.asm.ret(0);
    }
}
