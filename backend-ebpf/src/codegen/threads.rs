//! What a thread keeps in a key of pthreads, for virtual probes that look at threads instead of instructions.
//!
//! This is `pthread_getspecific()` from outside: the thread's `struct pthread` is where its thread pointer says, and the
//! layout is the one that glibc describes for debuggers (`session::threads` reads it). The process's row in `LOOKED_AT`
//! says where the key is; a process without one is asked for, and is known the next time.

use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Reg, Size};
use super::layout::{self, threads};

impl Gen<'_> {
    /// `R0 =` what the current thread holds in the key of the group's file; goes to `none` where it holds nothing.
    pub(super) fn specific(&mut self, none: super::asm::Label) -> Res {
        let (Some(pointer), Some(file)) = (self.input.target.offsets.thread_pointer, self.group.looks_at)
        else {
            return self.without_types(self.f.span, "a probe that looks at threads");
        };
        let (known, fresh) = (self.asm.label(), self.asm.label());
        self.pid();
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, none);
        self.asm.store(Size::DW, Reg::R10, slot::KEY, Reg::R0);
        self.asm.load_map(Reg::R1, layout::LOOKED_AT);
        self.slot_ptr(Reg::R2, slot::KEY);
        self.asm.call(Helper::MapLookupElem);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, known);
        self.ask_for_process();
        self.asm.jump(none);
        self.asm.bind(known);
        let row = self.hold()?;
        self.asm.call(Helper::KtimeGetNs);
        self.peek(&row, Reg::R1);
        self.asm.load(Size::DW, Reg::R2, Reg::R1, threads::SINCE);
        self.asm.mov(Reg::R3, Reg::R0);
        self.alu(Alu::Sub, Reg::R3, Reg::R2);
        self.asm.jump_if(Cond::SLt, Reg::R3, threads::FRESH_NS, fresh);
        self.asm.store(Size::DW, Reg::R1, threads::SINCE, Reg::R0);
        self.ask_for_process();
        self.asm.bind(fresh);
        self.peek(&row, Reg::R1);
        self.asm.load(Size::DW, Reg::R2, Reg::R1, threads::FILE);
        self.asm.load_imm(Reg::R3, file.cast_signed());
        self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R3, none);
        self.asm.load(Size::DW, Reg::R3, Reg::R1, threads::KEY);
        self.asm.jump_if(Cond::Eq, Reg::R3, 0, none);
        self.read_small(Helper::ProbeReadUser, 4);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, none);
        self.asm.load(Size::W, Reg::R0, Reg::R10, slot::BUFFER);
        let key = self.hold()?;
        self.asm.call(Helper::GetCurrentTask);
        self.asm.mov(Reg::R3, Reg::R0);
        self.alu(Alu::Add, Reg::R3, pointer.cast_signed());
        self.read_small(Helper::ProbeReadKernel, 8);
        // The block of the key.
        self.peek(&key, Reg::R3);
        self.alu(Alu::Rsh, Reg::R3, threads::BLOCK_BITS);
        self.alu(Alu::Lsh, Reg::R3, 3);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::BUFFER);
        self.alu(Alu::Add, Reg::R3, Reg::R1);
        self.peek(&row, Reg::R1);
        self.asm.load(Size::W, Reg::R1, Reg::R1, threads::BLOCKS);
        self.alu(Alu::Add, Reg::R3, Reg::R1);
        self.read_small(Helper::ProbeReadUser, 8);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, none);
        // Its entry there.
        self.take(key, Reg::R3);
        self.alu(Alu::And, Reg::R3, (1 << threads::BLOCK_BITS) - 1);
        self.alu(Alu::Lsh, Reg::R3, threads::ENTRY_BITS);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::BUFFER);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, none);
        self.alu(Alu::Add, Reg::R3, Reg::R1);
        self.take(row, Reg::R1);
        self.asm.load(Size::W, Reg::R1, Reg::R1, threads::DATA);
        self.alu(Alu::Add, Reg::R3, Reg::R1);
        self.read_small(Helper::ProbeReadUser, 8);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, none);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, none);
        Ok(())
    }

    /// Tells the consumer of the process in `slot::KEY`, and wakes it.
    fn ask_for_process(&mut self) {
        self.asm.load_map(Reg::R1, layout::UNKNOWN);
        self.slot_ptr(Reg::R2, slot::KEY);
        self.asm.mov(Reg::R3, 8);
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::RingbufOutput);
    }
}
