//! Drops and faults.

use super::super::context::Gen;
use super::super::insn::{Alu, Atomic, Cond, Helper, Insn, Reg, Size};
use super::super::layout::{self, drops, event, frame};

/// The fault event on the stack.
const EVENT: i16 = -72;

impl Gen<'_> {
    /// `drops[cpu][counter] += 1`.
    pub(super) fn emit_drop(&mut self) {
        let out = self.asm.label();
        let plan = self.plan;
        self.asm.mov(Reg::R6, Reg::R1);
        self.asm.jump_if(Cond::Ge, Reg::R6, (plan.drop_stride / 8) as i32, out);
        self.asm.call(Helper::GetSmpProcessorId);
        self.asm.jump_if(Cond::Ge, Reg::R0, plan.ncpu as i32, out);
        self.alu(Alu::Mul, Reg::R0, plan.drop_stride as i32);
        self.alu(Alu::Lsh, Reg::R6, 3);
        self.asm.load_map_value(Reg::R1, layout::DROPS, 0);
        self.alu(Alu::Add, Reg::R1, Reg::R0);
        self.alu(Alu::Add, Reg::R1, Reg::R6);
        self.asm.mov(Reg::R2, 1);
        self.emit(Insn::atomic(Atomic::Add, Size::DW, Reg::R1, 0, Reg::R2));
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Sends the fault in the frame to the consumer and notes the epid for ERROR clauses.
    pub(super) fn emit_fault(&mut self) {
        let out = self.asm.label();
        self.enter_frame(&[Reg::R6, Reg::R8, Reg::R9], out);
        self.asm.store(Size::DW, Reg::R7, frame::FAULT_EPID as i16, Reg::R9);
        let field = |offset: u32| EVENT + offset as i16;
        self.alu(Alu::Lsh, Reg::R6, 32);
        self.alu(Alu::Or, Reg::R6, event::FAULT as i32);
        self.asm.store(Size::DW, Reg::R10, field(event::KIND), Reg::R6);
        self.asm.store(Size::W, Reg::R10, field(event::PROBE), Reg::R8);
        self.asm.call(Helper::GetSmpProcessorId);
        self.asm.store(Size::W, Reg::R10, field(event::CPU), Reg::R0);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.store(Size::DW, Reg::R10, field(event::TIMESTAMP), Reg::R0);
        self.current();
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R10, field(event::PID), Reg::R0);
        for (from, to) in [
            (frame::FAULT_WHERE, event::HEADER),
            (frame::FAULT, event::HEADER + 8),
            (frame::FAULT_ADDRESS, event::HEADER + 16),
        ] {
            self.asm.load(Size::DW, Reg::R1, Reg::R7, from as i16);
            self.asm.store(Size::DW, Reg::R10, field(to), Reg::R1);
        }
        self.asm.load_map(Reg::R1, layout::EVENTS);
        self.asm.mov(Reg::R2, Reg::R10);
        self.alu(Alu::Add, Reg::R2, i32::from(EVENT));
        self.asm.mov(Reg::R3, event::HEADER as i32 + 24);
        self.asm.mov(Reg::R4, 1);
        self.asm.call(Helper::RingbufOutput);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
        self.count_drop(drops::PRINCIPAL);
        self.asm.bind(out);
        self.asm.ret(0);
    }
}
