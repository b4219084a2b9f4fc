//! Where probe arguments come from: registers, user memory, context words, a fault.

use super::context::{ArgMode, Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::frame;
use super::{ArgSource, Hook, Test};

/// Offsets of x86-64's `struct pt_regs`.
pub(super) mod regs {
    pub const RBP: u16 = 32;
    pub const ORIG_RAX: u16 = 120;
    pub const RIP: u16 = 128;
    pub const CS: u16 = 136;
    pub const RSP: u16 = 152;
    /// System call arguments in order.
    pub const SYSCALL: [u16; 6] = [112, 104, 96, 56, 72, 64];
    /// Words of `struct pt_regs`; `uregs[n]` is word n of it.
    pub const WORDS: i64 = 21;
}

impl Gen<'_> {
    /// `R0 = argN`.
    pub fn arg(&mut self, index: u32) -> Res {
        if self.f.args == ArgMode::Fault {
            return self.fault_arg(index);
        }
        let source = self.group.args.get(index as usize).cloned().unwrap_or(ArgSource::Absent);
        match source {
            ArgSource::Recipe(recipe) => self.recipe(&recipe)?,
            source => self.source(&source),
        }
        Ok(())
    }

    /// `R0 =` what a source gives.
    pub fn source(&mut self, source: &ArgSource) {
        match *source {
            ArgSource::Reg { offset, bytes, signed } => {
                self.register(offset);
                self.extend(Reg::R0, u32::from(bytes) * 8, signed);
            }
            ArgSource::UserMem { base, index, scale, disp, bytes, signed } => {
                self.asm.load_imm(Reg::R3, disp);
                if let Some(base) = base {
                    self.register(base);
                    self.alu(Alu::Add, Reg::R3, Reg::R0);
                }
                if let Some(index) = index {
                    self.register(index);
                    self.alu(Alu::Mul, Reg::R0, i32::from(scale.max(1)));
                    self.alu(Alu::Add, Reg::R3, Reg::R0);
                }
                self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
                self.read_small(Helper::ProbeReadUser, u32::from(bytes).clamp(1, 8));
                self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
                self.extend(Reg::R0, u32::from(bytes) * 8, signed);
            }
            ArgSource::Const(value) => self.asm.load_imm(Reg::R0, value),
            ArgSource::PcRelative(distance) => {
                self.register(regs::RIP);
                self.asm.load_imm(Reg::R3, distance);
                self.alu(Alu::Add, Reg::R0, Reg::R3);
            }
            // As a number: what the verifier knows as a pointer could not be calculated with.
            ArgSource::Ctx(word) if self.group.hook == Hook::BtfTracepoint => {
                self.asm.mov(Reg::R3, Reg::R6);
                self.alu(Alu::Add, Reg::R3, i32::from(word * 8));
                self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
                self.read_small(Helper::ProbeReadKernel, 8);
                self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
            }
            ArgSource::Ctx(word) => self.asm.load(Size::DW, Reg::R0, Reg::R6, (word * 8) as i16),
            ArgSource::SyscallArg(n) => match regs::SYSCALL.get(usize::from(n)) {
                Some(&offset) => self.kernel_register(offset),
                None => self.asm.mov(Reg::R0, 0),
            },
            ArgSource::KernelReg(offset) => self.asm.load(Size::DW, Reg::R0, Reg::R6, offset as i16),
            ArgSource::Narrow { ref from, bytes, signed } => {
                self.source(from);
                self.extend(Reg::R0, u32::from(bytes) * 8, signed);
            }
            ArgSource::CookieHigh => self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::COOKIE),
            ArgSource::KernelPc => self.sampled_pc(false),
            ArgSource::UserPc => self.sampled_pc(true),
            ArgSource::Deref { ref from, ref steps, user } => {
                self.source(from);
                let helper = if user { Helper::ProbeReadUser } else { Helper::ProbeReadKernel };
                for step in steps {
                    self.asm.mov(Reg::R3, Reg::R0);
                    self.alu(Alu::Add, Reg::R3, step.offset);
                    self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
                    self.read_small(helper, u32::from(step.bytes).clamp(1, 8));
                    self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
                    self.extend(Reg::R0, u32::from(step.bytes) * 8, step.signed);
                }
            }
            ArgSource::Offset(ref from, distance) => {
                self.source(from);
                self.alu(Alu::Add, Reg::R0, distance);
            }
            ArgSource::Negated(ref from) => {
                self.source(from);
                self.emit(Insn::neg64(Reg::R0));
            }
            ArgSource::Sum(ref left, ref right) => {
                self.source(left);
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                self.source(right);
                self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::ADDRESS);
                self.alu(Alu::Add, Reg::R0, Reg::R1);
            }
            ArgSource::Bits { ref from, shift, mask } => {
                self.source(from);
                self.alu(Alu::Rsh, Reg::R0, i32::from(shift));
                self.asm.load_imm(Reg::R1, i64::from(mask));
                self.alu(Alu::And, Reg::R0, Reg::R1);
            }
            ArgSource::Select(ref test, ref then, ref otherwise) => {
                let (no, end) = (self.asm.label(), self.asm.label());
                self.test(test, no);
                self.source(then);
                self.asm.jump(end);
                self.asm.bind(no);
                self.source(otherwise);
                self.asm.bind(end);
            }
            ArgSource::MainThread => {
                let (no, end) = (self.asm.label(), self.asm.label());
                self.asm.call(Helper::GetCurrentPidTgid);
                self.emit(Insn::mov32(Reg::R1, Reg::R0));
                self.alu(Alu::Rsh, Reg::R0, 32);
                self.asm.jump_if(Cond::Ne, Reg::R0, Reg::R1, no);
                self.asm.mov(Reg::R0, 1);
                self.asm.jump(end);
                self.asm.bind(no);
                self.asm.mov(Reg::R0, 0);
                self.asm.bind(end);
            }
            ArgSource::Wait(what) => self.wait(what),
            // A recipe is a whole argument: `arg` lowers it.
            ArgSource::Recipe(_) | ArgSource::Absent => self.asm.mov(Reg::R0, 0),
        }
    }

    /// Goes to `no` unless the test holds.
    pub fn test(&mut self, test: &Test, no: super::asm::Label) {
        self.source(&test.source);
        if test.not {
            for value in &test.one_of {
                self.asm.jump_if(Cond::Eq, Reg::R0, *value, no);
            }
            return;
        }
        let Some((last, others)) = test.one_of.split_last() else {
            return self.asm.jump(no);
        };
        let yes = self.asm.label();
        for value in others {
            self.asm.jump_if(Cond::Eq, Reg::R0, *value, yes);
        }
        self.asm.jump_if(Cond::Ne, Reg::R0, *last, no);
        self.asm.bind(yes);
    }

    /// `R0 =` the register at an offset of the context's pt_regs (0 where the hook has none).
    pub fn register(&mut self, offset: u16) {
        match self.group.hook {
            Hook::Uprobe | Hook::PerfEvent => {
                self.asm.load(Size::DW, Reg::R0, Reg::R6, (offset & !7) as i16);
                if offset & 7 != 0 {
                    self.alu(Alu::Rsh, Reg::R0, i32::from(offset & 7) * 8);
                }
            }
            Hook::SysEnter | Hook::SysExit => self.kernel_register(offset & !7),
            Hook::TestRun | Hook::RawTracepoint | Hook::BtfTracepoint | Hook::Kprobe => {
                self.asm.mov(Reg::R0, 0)
            }
        }
    }

    /// `R0 =` a register of the pt_regs that the first context word points to.
    fn kernel_register(&mut self, offset: u16) {
        self.asm.load(Size::DW, Reg::R3, Reg::R6, 0);
        self.alu(Alu::Add, Reg::R3, i32::from(offset));
        self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
        self.read_small(Helper::ProbeReadKernel, 8);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
    }

    /// Reads `bytes` from the address in `R3` to `slot::BUFFER`; `R0` is negative on failure.
    pub fn read_small(&mut self, helper: Helper, bytes: u32) {
        self.slot_ptr(Reg::R1, slot::BUFFER);
        self.asm.mov(Reg::R2, bytes as i32);
        self.asm.call(helper);
    }

    /// `R0 =` the sampled program counter if it is in the asked-for mode, else 0.
    fn sampled_pc(&mut self, user: bool) {
        if self.group.hook != Hook::PerfEvent {
            let ours = user == (self.group.hook == Hook::Uprobe);
            if ours {
                self.register(regs::RIP)
            } else {
                self.asm.mov(Reg::R0, 0)
            }
            return;
        }
        let other = self.asm.label();
        self.asm.load(Size::DW, Reg::R1, Reg::R6, regs::CS as i16);
        self.alu(Alu::And, Reg::R1, 3);
        self.asm.mov(Reg::R0, 0);
        self.asm.jump_if(if user { Cond::Eq } else { Cond::Ne }, Reg::R1, 0, other);
        self.asm.load(Size::DW, Reg::R0, Reg::R6, regs::RIP as i16);
        self.asm.bind(other);
    }

    /// Arguments of the ERROR probe: epid, action, offset, fault, address, from 1 (arg0 is the clause's own business).
    fn fault_arg(&mut self, index: u32) -> Res {
        match index {
            1 => self.frame_load(Size::DW, Reg::R0, frame::FAULT_EPID as u32),
            2 => self.frame_load(Size::W, Reg::R0, frame::FAULT_WHERE as u32),
            3 => self.frame_load(Size::W, Reg::R0, frame::FAULT_WHERE as u32 + 4),
            4 => self.frame_load(Size::DW, Reg::R0, frame::FAULT as u32),
            5 => self.frame_load(Size::DW, Reg::R0, frame::FAULT_ADDRESS as u32),
            _ => self.asm.mov(Reg::R0, 0),
        }
        Ok(())
    }
}
