//! `vtimestamp`: the time that a thread has been on a processor, to the nanosecond.
//!
//! The kernel's own account of a thread moves at ticks and switches only. So a program of ours on `sched_switch` notes,
//! for each processor, who has come on and when, and closes the account of whoever leaves; `vtimestamp` is that account
//! and what has passed since. Only threads that were ever asked have one; it begins with what the kernel's says.

use super::asm::Assembler;
use super::context::{Gen, Res};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, on_cpu};

/// Readings until one is not disturbed by a switch.
const ATTEMPTS: usize = 3;

impl Gen<'_> {
    /// `R0 =` the time of the task whose probe this is; `account` and `pid` are offsets of the kernel's fields.
    pub(super) fn vtimestamp(&mut self, account: u32, pid: u32) -> Res {
        self.task();
        if !self.input.target.watches_switches {
            self.load_far(Size::DW, account);
            return Ok(());
        }
        let (begun, ready, plain, done) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        let task = self.hold()?;
        self.load_far(Size::W, pid);
        self.alu(Alu::Add, Reg::R0, 1);
        let who = self.hold()?;
        self.asm.mov(Reg::R0, 0);
        self.array_lookup(layout::ON_CPU);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, plain);
        let cpu = self.hold()?;
        // The first switch is still to come: who runs has run since before.
        self.asm.load(Size::DW, Reg::R1, Reg::R0, on_cpu::WHO);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, ready);
        self.asm.call(Helper::KtimeGetNs);
        self.peek(&cpu, Reg::R1);
        self.asm.store(Size::DW, Reg::R1, on_cpu::SINCE, Reg::R0);
        self.peek(&who, Reg::R2);
        self.asm.store(Size::DW, Reg::R1, on_cpu::WHO, Reg::R2);
        self.asm.bind(ready);
        self.asm.load_map(Reg::R1, layout::ACCOUNTS);
        self.peek(&task, Reg::R2);
        self.asm.mov(Reg::R3, 0);
        self.asm.mov(Reg::R4, 1);
        self.asm.call(Helper::TaskStorageGet);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, plain);
        let own = self.hold()?;
        self.asm.load(Size::DW, Reg::R1, Reg::R0, 0);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, begun);
        self.peek(&task, Reg::R0);
        self.load_far(Size::DW, account);
        // Never nothing: scripts test what they have stored.
        self.alu(Alu::Add, Reg::R0, 1);
        self.peek(&own, Reg::R1);
        self.asm.store(Size::DW, Reg::R1, 0, Reg::R0);
        self.asm.bind(begun);
        // The thread may be switched between two of these loads: then all of them are made again.
        self.asm.mov(Reg::R0, 0);
        let since = self.hold()?;
        let total = self.hold()?;
        for attempt in 0..ATTEMPTS {
            let again = self.asm.label();
            self.peek(&cpu, Reg::R1);
            self.asm.load(Size::DW, Reg::R0, Reg::R1, on_cpu::SINCE);
            self.put(&since);
            self.peek(&own, Reg::R1);
            self.asm.load(Size::DW, Reg::R0, Reg::R1, 0);
            self.put(&total);
            // The clause's one reading of the clock, so that `timestamp` and this are of the same moment.
            self.timestamp();
            self.peek(&cpu, Reg::R1);
            self.peek(&since, Reg::R2);
            if attempt + 1 < ATTEMPTS {
                self.asm.load(Size::DW, Reg::R3, Reg::R1, on_cpu::SINCE);
                self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R3, again);
            }
            let (off, sum) = (self.asm.label(), self.asm.label());
            self.asm.jump_if(Cond::Lt, Reg::R0, Reg::R2, off);
            self.alu(Alu::Sub, Reg::R0, Reg::R2);
            self.asm.load(Size::DW, Reg::R3, Reg::R1, on_cpu::WHO);
            self.peek(&who, Reg::R4);
            self.asm.jump_if(Cond::Ne, Reg::R3, Reg::R4, off);
            self.peek(&total, Reg::R1);
            self.alu(Alu::Add, Reg::R0, Reg::R1);
            self.asm.jump(sum);
            // It leaves, and its account is closed; or it came on after the clock was read.
            self.asm.bind(off);
            self.peek(&total, Reg::R0);
            self.asm.bind(sum);
            self.asm.jump(done);
            self.asm.bind(again);
        }
        for hold in [total, since, own, cpu, who] {
            self.release(hold);
        }
        self.asm.bind(plain);
        self.take(task, Reg::R0);
        self.load_far(Size::DW, account);
        self.asm.bind(done);
        Ok(())
    }
}

/// The program on `sched_switch` (through BTF); `pid` is the offset of `task_struct.pid`.
pub fn switch_program(pid: u32) -> Assembler {
    const KEY: i16 = -8;
    let mut asm = Assembler::new("on_cpu");
    let (closed, out) = (asm.label(), asm.label());
    let who = |asm: &mut Assembler, task: Reg, to: Reg| {
        asm.mov(to, task);
        asm.emit(Insn::alu64(Alu::Add, to, pid as i32));
        asm.load(Size::W, to, to, 0);
        asm.emit(Insn::alu64(Alu::Add, to, 1));
    };
    asm.mov(Reg::R6, Reg::R1);
    asm.call(Helper::KtimeGetNs);
    asm.mov(Reg::R7, Reg::R0);
    asm.emit(Insn::st(Size::W, Reg::R10, KEY, 0));
    asm.load_map(Reg::R1, layout::ON_CPU);
    asm.mov(Reg::R2, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R2, i32::from(KEY)));
    asm.call(Helper::MapLookupElem);
    asm.jump_if(Cond::Eq, Reg::R0, 0, out);
    asm.mov(Reg::R8, Reg::R0);
    // Whoever leaves: the account, if there is one, and if the processor's beginning is known.
    asm.load(Size::DW, Reg::R9, Reg::R6, 8);
    who(&mut asm, Reg::R9, Reg::R1);
    asm.load(Size::DW, Reg::R2, Reg::R8, on_cpu::WHO);
    asm.jump_if(Cond::Ne, Reg::R1, Reg::R2, closed);
    asm.load_map(Reg::R1, layout::ACCOUNTS);
    asm.mov(Reg::R2, Reg::R9);
    asm.mov(Reg::R3, 0);
    asm.mov(Reg::R4, 0);
    asm.call(Helper::TaskStorageGet);
    asm.jump_if(Cond::Eq, Reg::R0, 0, closed);
    asm.load(Size::DW, Reg::R1, Reg::R0, 0);
    asm.emit(Insn::alu64(Alu::Add, Reg::R1, Reg::R7));
    asm.load(Size::DW, Reg::R2, Reg::R8, on_cpu::SINCE);
    asm.emit(Insn::alu64(Alu::Sub, Reg::R1, Reg::R2));
    asm.store(Size::DW, Reg::R0, 0, Reg::R1);
    asm.bind(closed);
    asm.load(Size::DW, Reg::R9, Reg::R6, 16);
    who(&mut asm, Reg::R9, Reg::R1);
    asm.store(Size::DW, Reg::R8, on_cpu::SINCE, Reg::R7);
    asm.store(Size::DW, Reg::R8, on_cpu::WHO, Reg::R1);
    asm.bind(out);
    asm.ret(0);
    asm
}
