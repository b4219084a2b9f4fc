//! What copies memory: bcopy(), copyin() and copyinto() into scratch memory, copyout() and copyoutstr() out of it.

use super::Hook;
use super::asm::Label;
use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, drops, event, frame};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{Expr, Fault, SCRATCH_TAG, Space};

impl Gen<'_> {
    /// Writes scratch memory to the process.
    pub(super) fn copyout(&mut self, from: &Expr, to: &Expr, size: &Expr) -> Res {
        self.scalar(to)?;
        let to = self.hold()?;
        self.scalar(size)?;
        let full = self.fault(Fault::NoScratch, false);
        self.asm.jump_if(Cond::Gt, Reg::R0, self.plan.scratch_bytes as i32, full);
        let size = self.hold()?;
        self.scalar(from)?;
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        let bad = self.fault(Fault::BadAddr, true);
        self.unless_scratch(bad);
        self.within_scratch(&size, bad);
        self.scratch_address(0)?;
        self.asm.mov(Reg::R2, Reg::R0);
        self.take(size, Reg::R3);
        self.take(to, Reg::R1);
        self.write_user(self.plan.scratch_bytes, from.span)
    }

    /// Writes a string with its NUL to the process, at most so many bytes.
    pub(super) fn copyoutstr(&mut self, text: &Expr, to: &Expr, most: &Expr) -> Res {
        let at = self.string_argument(text)?;
        self.scalar(to)?;
        let to = self.hold()?;
        self.scalar(most)?;
        let fits = self.asm.label();
        self.frame_load(Size::DW, Reg::R3, at);
        self.alu(Alu::Add, Reg::R3, 1);
        self.asm.jump_if(Cond::Le, Reg::R3, Reg::R0, fits);
        self.asm.mov(Reg::R3, Reg::R0);
        self.asm.bind(fits);
        let small = self.asm.label();
        self.asm.jump_if(Cond::Le, Reg::R3, self.plan.strsize as i32, small);
        self.asm.mov(Reg::R3, self.plan.strsize as i32);
        self.asm.bind(small);
        self.frame_ptr(Reg::R2, at + 8);
        self.take(to, Reg::R1);
        self.write_user(self.plan.str_bytes - 8, text.span)
    }

    /// Has `R3` bytes, at most `most`, at `R2` written to the user address in `R1`.
    ///
    /// `bpf_probe_write_user` is refused by kernels that are locked down, and 6.18's verifier refuses it altogether.
    /// So the bytes go to the consumer, and the process stops before it comes back to its own instructions: the
    /// consumer writes and lets it go on (`session/copyout.rs`).
    pub(super) fn write_user(&mut self, most: u32, span: Span) -> Res {
        if !matches!(self.group.hook, Hook::Uprobe | Hook::SysEnter | Hook::SysExit) {
            return self.unsupported(span, "copyout() outside of probes of processes and system calls");
        }
        let head = event::HEADER + event::WRITE_HEAD;
        let at = self.temp(head + most)?;
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R1);
        self.frame_store(Size::DW, at + event::HEADER, Reg::R1);
        self.frame_store(Size::DW, at + event::HEADER + 8, Reg::R3);
        self.asm.mov(Reg::R4, Reg::R2);
        self.asm.mov(Reg::R2, Reg::R3);
        self.asm.mov(Reg::R3, Reg::R4);
        self.frame_ptr(Reg::R1, at + head);
        self.asm.call(Helper::ProbeReadKernel);
        self.fault_if(Cond::Ne, 0, Fault::BadAddr, true);
        let kind = u64::from(self.f.clause.0) << 32 | u64::from(event::WRITE);
        self.frame_store_imm(at + event::KIND, kind as i64);
        self.asm.call(Helper::GetSmpProcessorId);
        self.alu(Alu::Lsh, Reg::R0, 32);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::PROBE);
        self.alu(Alu::Or, Reg::R0, Reg::R1);
        self.frame_store(Size::DW, at + event::PROBE, Reg::R0);
        self.current();
        self.frame_store(Size::DW, at + event::TIMESTAMP, Reg::R0);
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.frame_store(Size::DW, at + event::PID, Reg::R0);
        self.asm.load_map(Reg::R1, layout::EVENTS);
        self.frame_ptr(Reg::R2, at);
        self.asm.load_imm(Reg::R3, i64::from(head + most));
        self.asm.mov(Reg::R4, super::record::FORCE_WAKEUP);
        self.asm.call(Helper::RingbufOutput);
        let (lost, done) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, lost);
        self.asm.mov(Reg::R1, super::stmt::SIGSTOP);
        self.asm.call(Helper::SendSignal);
        self.asm.jump(done);
        self.asm.bind(lost);
        self.count_drop(drops::PRINCIPAL);
        self.asm.bind(done);
        Ok(())
    }

    /// Takes `R0` bytes of scratch memory: holds of the size and of the offset.
    pub(super) fn take_scratch(&mut self) -> Res<(super::context::Hold, super::context::Hold)> {
        let most = self.plan.scratch_bytes as i32;
        let full = self.fault(Fault::NoScratch, false);
        self.asm.jump_if(Cond::Gt, Reg::R0, most, full);
        let size = self.hold()?;
        self.frame_load(Size::DW, Reg::R1, frame::SCRATCH_TOP as u32);
        self.asm.jump_if(Cond::Gt, Reg::R1, most, full);
        self.asm.mov(Reg::R2, Reg::R1);
        self.alu(Alu::Add, Reg::R2, Reg::R0);
        self.alu(Alu::Add, Reg::R2, 7);
        self.alu(Alu::And, Reg::R2, -8);
        self.asm.jump_if(Cond::Gt, Reg::R2, most, full);
        self.frame_store(Size::DW, frame::SCRATCH_TOP as u32, Reg::R2);
        // What rounding up adds can be read: it is zero, not what an earlier firing left.
        self.asm.mov(Reg::R3, Reg::R1);
        self.alu(Alu::Add, Reg::R3, Reg::R0);
        self.alu(Alu::And, Reg::R3, -8);
        self.frame_ptr(Reg::R4, self.plan.scratch_at);
        self.alu(Alu::Add, Reg::R4, Reg::R3);
        self.emit(Insn::st(Size::DW, Reg::R4, 0, 0));
        self.asm.mov(Reg::R0, Reg::R1);
        let at = self.hold()?;
        Ok((size, at))
    }

    /// Zeroes scratch memory: a failed read from nowhere does it.
    pub(super) fn clear_scratch(&mut self, size: &super::context::Hold, at: &super::context::Hold) {
        self.frame_ptr(Reg::R1, self.plan.scratch_at);
        self.peek(at, Reg::R2);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.peek(size, Reg::R2);
        self.asm.mov(Reg::R3, 0);
        self.asm.call(Helper::ProbeReadKernel);
    }

    /// Goes elsewhere unless `R0` points to scratch memory.
    pub(super) fn unless_scratch(&mut self, other: Label) {
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::Rsh, Reg::R1, 48);
        self.asm.jump_if(Cond::Ne, Reg::R1, SCRATCH_TAG as i32, other);
    }

    /// Goes to `bad` unless all of so many bytes from the scratch pointer `R0` on have been given out.
    fn within_scratch(&mut self, size: &super::context::Hold, bad: Label) {
        self.emit(Insn::mov32(Reg::R1, Reg::R0));
        self.peek(size, Reg::R2);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.frame_load(Size::DW, Reg::R2, frame::SCRATCH_TOP as u32);
        self.asm.jump_if(Cond::Gt, Reg::R1, Reg::R2, bad);
    }

    /// `R0 =` tagged pointer to a scratch offset.
    pub(super) fn tagged(&mut self, at: super::context::Hold) {
        self.take(at, Reg::R0);
        self.asm.load_imm(Reg::R1, (SCRATCH_TAG << 48) as i64);
        self.alu(Alu::Or, Reg::R0, Reg::R1);
    }

    /// Copies memory into scratch memory that a pointer names.
    pub(super) fn copy_to_scratch(&mut self, from: &Expr, size: &Expr, to: &Expr, space: Space) -> Res {
        self.scalar(from)?;
        let from = self.hold()?;
        self.scalar(size)?;
        let most = self.plan.scratch_bytes as i32;
        let full = self.fault(Fault::NoScratch, false);
        self.asm.jump_if(Cond::Gt, Reg::R0, most, full);
        let size = self.hold()?;
        self.scalar(to)?;
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        let bad = self.fault(Fault::BadAddr, true);
        self.unless_scratch(bad);
        self.within_scratch(&size, bad);
        self.emit(Insn::mov32(Reg::R0, Reg::R0));
        self.asm.jump_if(Cond::Gt, Reg::R0, most, bad);
        let to = self.hold()?;
        self.take(from, Reg::R0);
        let (plain, done) = (self.asm.label(), self.asm.label());
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        self.unless_scratch(plain);
        // The whole of what is read must be scratch that was given out.
        self.within_scratch(&size, bad);
        self.scratch_address(0)?;
        self.copy_held(Helper::ProbeReadKernel, &to, &size);
        self.asm.jump(done);
        self.asm.bind(plain);
        self.copy_held(super::expr::reader(space), &to, &size);
        self.asm.bind(done);
        self.release(to);
        self.release(size);
        self.fault_if(Cond::Ne, 0, Fault::BadAddr, true);
        Ok(())
    }

    /// Reads as many bytes as are held from `R0` to a held scratch offset.
    pub(super) fn copy_held(
        &mut self,
        helper: Helper,
        to: &super::context::Hold,
        size: &super::context::Hold,
    ) {
        self.asm.mov(Reg::R3, Reg::R0);
        self.frame_ptr(Reg::R1, self.plan.scratch_at);
        self.peek(to, Reg::R2);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.peek(size, Reg::R2);
        self.asm.call(helper);
    }
}
