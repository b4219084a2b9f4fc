//! Numbers of processes and threads as the tracer knows them.
//!
//! In a container a process has a number of its own there, and `/proc`, `-p` and `kill` go by it, so everything does: `pid`,
//! `tid`, `ppid`, `progenyof()`, and what we send ourselves. Whoever is not in the tracer's pid namespace has no number
//! there: 0, as the kernel says in such a case (pid_namespaces(7)).

use super::KernelOffsets;
use super::asm::{Arg, Assembler, Linkage};
use super::context::Gen;
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::runtime::Routine;

/// A pid namespace that is not the initial one, as nsfs has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// As the kernel numbers devices.
    pub dev: u64,
    pub ino: u32,
}

/// Namespaces lie in each other: the level of the tracer's is looked for among so many.
const LEVELS: i32 = 8;

/// `R0 =` process number << 32 | thread number of the current thread; the 8 bytes at `slot` are for the helper.
pub fn current(asm: &mut Assembler, namespace: Option<Namespace>, slot: i16) {
    let Some(Namespace { dev, ino }) = namespace else {
        asm.call(Helper::GetCurrentPidTgid);
        return;
    };
    let (elsewhere, done) = (asm.label(), asm.label());
    asm.load_imm(Reg::R1, dev.cast_signed());
    asm.load_imm(Reg::R2, i64::from(ino));
    asm.mov(Reg::R3, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R3, i32::from(slot)));
    asm.mov(Reg::R4, 8);
    asm.call(Helper::GetNsCurrentPidTgid);
    asm.jump_if(Cond::Ne, Reg::R0, 0, elsewhere);
    // `struct bpf_pidns_info`: thread, process.
    asm.load(Size::W, Reg::R1, Reg::R10, slot);
    asm.load(Size::W, Reg::R0, Reg::R10, slot + 4);
    asm.emit(Insn::alu64(Alu::Lsh, Reg::R0, 32));
    asm.emit(Insn::alu64(Alu::Or, Reg::R0, Reg::R1));
    asm.jump(done);
    asm.bind(elsewhere);
    asm.mov(Reg::R0, 0);
    asm.bind(done);
}

impl Gen<'_> {
    /// `R0 =` process number << 32 | thread number of the current thread, as the tracer knows them.
    pub fn current(&mut self) {
        match self.input.target.namespace {
            None => self.asm.call(Helper::GetCurrentPidTgid),
            Some(_) => {
                let routine = self.routine(Routine::Current);
                self.asm.call_func(routine);
            }
        }
    }

    /// The same of the task in `R0`.
    pub fn numbers(&mut self) {
        let routine = self.routine(Routine::Numbers);
        self.asm.mov(Reg::R1, Reg::R0);
        self.asm.call_func(routine);
    }

    pub(super) fn emit_current(&mut self) {
        current(&mut self.asm, self.input.target.namespace, -8);
        self.asm.exit();
    }

    /// `(task) -> process number << 32 | thread number` in the tracer's namespace.
    pub(super) fn emit_numbers(&mut self) {
        const SAVED: i16 = -8;
        let number = self.asm.declare("number", Linkage::Static, &[Arg::Scalar]);
        let KernelOffsets { process, zone, .. } = self.input.target.offsets;
        let (Some(process), Some(zone)) = (process, zone) else { return self.asm.ret(0) };
        self.asm.mov(Reg::R6, Reg::R1);
        // PIDTYPE_TGID is 1.
        self.word(Reg::R6, process.signal, 8);
        self.asm.mov(Reg::R1, Reg::R0);
        self.word(Reg::R1, process.pids + 8, 8);
        self.asm.mov(Reg::R1, Reg::R0);
        self.asm.call_func(number);
        self.alu(Alu::Lsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R10, SAVED, Reg::R0);
        self.word(Reg::R6, zone.thread_pid, 8);
        self.asm.mov(Reg::R1, Reg::R0);
        self.asm.call_func(number);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, SAVED);
        self.alu(Alu::Or, Reg::R0, Reg::R1);
        self.asm.exit();
        // `(struct pid) -> its number in the namespace, or 0`: it has one at each level down to its own.
        self.asm.enter(number);
        let none = self.asm.label();
        let ino = self.input.target.namespace.map_or(0, |namespace| namespace.ino);
        self.asm.mov(Reg::R6, Reg::R1);
        self.word(Reg::R6, zone.level, 4);
        self.asm.mov(Reg::R7, Reg::R0);
        self.asm.load_imm(Reg::R9, i64::from(ino));
        for level in 0..LEVELS {
            let other = self.asm.label();
            self.asm.jump_if(Cond::Gt, Reg::R7, LEVELS, none);
            self.asm.jump_if(Cond::Lt, Reg::R7, level, none);
            // `struct upid`: the number, the namespace.
            let upid = process.number + 16 * level.cast_unsigned();
            self.word(Reg::R6, upid + 8, 8);
            self.asm.mov(Reg::R1, Reg::R0);
            self.word(Reg::R1, process.inum, 4);
            self.asm.jump_if(Cond::Ne, Reg::R0, Reg::R9, other);
            self.word(Reg::R6, upid, 4);
            self.asm.exit();
            self.asm.bind(other);
        }
        self.asm.bind(none);
        self.asm.ret(0);
    }

    /// `R0 =` a field of a kernel structure, 0 where it cannot be read; the stack from -16 on is used.
    fn word(&mut self, base: Reg, offset: u32, bytes: i32) {
        const READ: i16 = -16;
        self.asm.mov(Reg::R3, base);
        self.alu(Alu::Add, Reg::R3, offset.cast_signed());
        self.emit(Insn::st(Size::DW, Reg::R10, READ, 0));
        self.asm.mov(Reg::R1, Reg::R10);
        self.alu(Alu::Add, Reg::R1, i32::from(READ));
        self.asm.mov(Reg::R2, bytes);
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, READ);
    }
}
