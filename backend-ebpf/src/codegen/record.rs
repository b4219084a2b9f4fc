//! Records: built in the frame at the layout's offsets, delivered whole through the ring.

use super::Hook;
use super::args::regs;
use super::asm::Label;
use super::context::{ArgMode, Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, drops, event, user_symbol};
use super::runtime::Routine;
use super::stmt::has_effect;
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{Clause, ClauseId, Effect, Expr, ExprKind, Fault, StackSpec, Ty};

/// `BPF_F_USER_STACK`.
const USER_STACK: i32 = 1 << 8;
/// `BPF_RB_NO_WAKEUP`, `BPF_RB_FORCE_WAKEUP`.
const NO_WAKEUP: i32 = 1;
pub(super) const FORCE_WAKEUP: i32 = 2;

impl Gen<'_> {
    /// Where a field lies in the frame.
    fn field_at(&self, offset: u32) -> u32 {
        self.plan.record_at + event::HEADER + offset
    }

    /// Before the body: no action has been reached.
    pub fn start_record(&mut self, clause: &Clause) {
        if clause.record.present {
            for word in 0..clause.record.actions.len().div_ceil(64) as u32 {
                self.frame_store_imm(self.field_at(word * 8), 0);
            }
        }
        if has_effect(&clause.body, &[Effect::Commit, Effect::Discard]) {
            self.emit(Insn::st(Size::DW, Reg::R10, slot::RELEASE, 0));
        }
    }

    /// Fills an action's fields.
    pub fn record(&mut self, action: u32, values: &[Expr], clause: &Clause, span: Span) -> Res {
        let Some(def) = clause.record.actions.get(action as usize) else {
            return self.unsupported(span, "this action");
        };
        let fields = clause.record.fields.get(def.fields.start as usize..def.fields.end as usize);
        for (field, value) in fields.unwrap_or(&[]).iter().zip(values) {
            let to = self.field_at(field.offset);
            let mark = self.mark();
            match field.ty {
                Ty::Int { bytes, .. } => {
                    self.scalar(value)?;
                    let size = Size::of_bytes(u64::from(bytes)).unwrap_or(Size::DW);
                    self.frame_store(size, to, Reg::R0);
                }
                Ty::Str => {
                    self.string(value, to)?;
                    if value.may_be_null() {
                        // There is nothing to record at NULL.
                        self.emit(Insn::st(Size::DW, Reg::R10, slot::ADDRESS, 0));
                        let bad = self.fault(Fault::BadAddr, true);
                        self.frame_load(Size::DW, Reg::R1, to);
                        self.asm.jump_if(Cond::Eq, Reg::R1, -1, bad);
                    }
                }
                Ty::Bytes(_) => self.bytes(value, to)?,
                Ty::Stack(spec) => self.call_trace(value, spec, to)?,
                Ty::Symbol(_) => self.symbol(value, field.ty, to)?,
                Ty::Void => self.effects(value)?,
            }
            self.free_temps(mark);
        }
        if clause.record.present {
            let word = self.field_at(action / 64 * 8);
            self.frame_load(Size::DW, Reg::R1, word);
            self.asm.load_imm(Reg::R2, (1u64 << (action % 64)) as i64);
            self.alu(Alu::Or, Reg::R1, Reg::R2);
            self.frame_store(Size::DW, word, Reg::R1);
        }
        Ok(())
    }

    /// An address to be shown as a symbol: user kinds with the process before it.
    pub fn symbol(&mut self, value: &Expr, ty: Ty, mut to: u32) -> Res {
        if let Ty::Symbol(kind) = ty
            && user_symbol(kind)
        {
            self.pid();
            self.frame_store(Size::DW, to, Reg::R0);
            to += 8;
        }
        self.scalar(value)?;
        self.frame_store(Size::DW, to, Reg::R0);
        Ok(())
    }

    /// A call trace to be shown: that of here, or one that an object holds.
    pub fn call_trace(&mut self, value: &Expr, spec: StackSpec, to: u32) -> Res {
        match &value.kind {
            ExprKind::Cast(of) => self.bytes(of, to),
            _ => self.stack(spec, to, value.span),
        }
    }

    /// A call trace (a size for strings means nothing: names of made code come from perf's maps): count, for user stacks the process, then addresses, zeroes after the last.
    pub fn stack(&mut self, spec: StackSpec, to: u32, span: Span) -> Res {
        if self.group.task.is_some() && spec.user {
            // The processor still has the memory of the thread that leaves: its frames would be shown.
            return self.unsupported(span, "ustack() of a thread that is only about to run");
        }
        let mut at = to + 8;
        if spec.user {
            self.pid();
            self.frame_store(Size::DW, at, Reg::R0);
            at += 8;
        }
        let bytes = spec.frames.min(1 << 12) * 8;
        if bytes == 0 {
            self.frame_store_imm(to, 0);
            return Ok(());
        }
        let walked = self.asm.label();
        if spec.user && cfg!(target_arch = "x86_64") {
            self.walk_by_tables(to, at, bytes, walked);
        }
        if spec.user && self.group.at_entry && self.group.hook == Hook::Uprobe && bytes >= 16 {
            self.stack_at_entry(to, at, bytes);
            self.asm.bind(walked);
            return Ok(());
        }
        match self.group.task {
            Some(_) => {
                self.task();
                self.asm.mov(Reg::R1, Reg::R0);
            }
            None => self.asm.mov(Reg::R1, Reg::R6),
        }
        self.frame_ptr(Reg::R2, at);
        self.asm.mov(Reg::R3, bytes as i32);
        self.asm.mov(Reg::R4, if spec.user { USER_STACK } else { self.own_frames() });
        self.asm.call(if self.group.task.is_some() { Helper::GetTaskStack } else { Helper::GetStack });
        let fine = self.asm.label();
        self.asm.jump_if(Cond::SGe, Reg::R0, 0, fine);
        // No stack there (no kernel frames in a uprobe, no user memory of a kernel thread): none is shown.
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(fine);
        self.alu(Alu::Rsh, Reg::R0, 3);
        self.frame_store(Size::DW, to, Reg::R0);
        self.asm.bind(walked);
        Ok(())
    }

    /// Frames at the top of the kernel's stack that are not the probe's: of its program and of what called that, and the
    /// probed function, for `stack()` begins with its caller.
    pub fn own_frames(&self) -> i32 {
        // A lone clause is in the entry function, others are functions that it calls.
        let called = i32::from(self.group.clauses.len() != 1 || self.f.args != ArgMode::Probe);
        match self.group.hook {
            // These begin with the registers that the probe interrupted.
            Hook::PerfEvent | Hook::Uprobe => 0,
            Hook::Kprobe => 1,
            Hook::BtfTracepoint if self.group.task.is_some() => 0,
            // The entry, and `bpf_trace_runN` or nothing.
            Hook::TestRun => 1 + called,
            Hook::RawTracepoint | Hook::BtfTracepoint => 2 + called,
            Hook::SysEnter | Hook::SysExit => 2 + called + i32::from(self.input.target.guards_syscalls),
            // The trampoline, the function.
            Hook::Function => 3 + called,
        }
    }

    /// Walks the user stack by the tables of the process, if it has any, and goes to `walked`.
    fn walk_by_tables(&mut self, to: u32, at: u32, bytes: u32, walked: Label) {
        const REGISTERS: [(u16, i16); 3] =
            [(regs::RIP, slot::BUFFER), (regs::RSP, slot::ADDRESS), (regs::RBP, slot::KEY)];
        let (kernel, walk, none) = (self.asm.label(), self.asm.label(), self.asm.label());
        // What a sample interrupted may be the kernel; a system call or tracepoint always is in it.
        if self.group.hook == Hook::PerfEvent {
            self.asm.load(Size::DW, Reg::R1, Reg::R6, regs::CS as i16);
            self.alu(Alu::And, Reg::R1, 3);
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, kernel);
        }
        if matches!(self.group.hook, Hook::Uprobe | Hook::PerfEvent) {
            for (register, to) in REGISTERS {
                self.asm.load(Size::DW, Reg::R1, Reg::R6, register as i16);
                self.asm.store(Size::DW, Reg::R10, to, Reg::R1);
            }
            self.asm.jump(walk);
        }
        self.asm.bind(kernel);
        if self.group.hook != Hook::Uprobe {
            self.asm.call(Helper::GetCurrentTaskBtf);
            self.asm.mov(Reg::R1, Reg::R0);
            self.asm.call(Helper::TaskPtRegs);
            self.asm.store(Size::DW, Reg::R10, slot::KEY, Reg::R0);
            // The last of them takes the place of the pointer.
            for (register, to) in REGISTERS {
                self.asm.load(Size::DW, Reg::R3, Reg::R10, slot::KEY);
                self.alu(Alu::Add, Reg::R3, i32::from(register));
                self.slot_ptr(Reg::R1, to);
                self.asm.mov(Reg::R2, 8);
                self.asm.call(Helper::ProbeReadKernel);
                self.asm.jump_if(Cond::Ne, Reg::R0, 0, none);
            }
        }
        self.asm.bind(walk);
        self.zero(at, bytes);
        for ((_, from), reg) in REGISTERS.into_iter().zip([Reg::R3, Reg::R4, Reg::R5]) {
            self.asm.load(Size::DW, reg, Reg::R10, from);
        }
        self.asm.load_imm(Reg::R2, i64::from(bytes / 8) << 32 | i64::from(at));
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        let routine = self.routine(Routine::Unwind);
        self.asm.call_func(routine);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, none);
        self.frame_store(Size::DW, to, Reg::R0);
        self.asm.jump(walked);
        self.asm.bind(none);
    }

    /// A user stack at a function's entry, where the frame pointer is still the caller's: the kernel's walk
    /// then leaves the caller out (but for functions that begin with `push %rbp`, which it knows), so the return address is put in.
    /// The walk is stored one place further, so that no more than its first address must move.
    fn stack_at_entry(&mut self, to: u32, at: u32, bytes: u32) {
        let (none, whole, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R1, Reg::R6);
        self.frame_ptr(Reg::R2, at + 8);
        self.asm.mov(Reg::R3, bytes as i32 - 8);
        self.asm.mov(Reg::R4, USER_STACK);
        self.asm.call(Helper::GetStack);
        self.asm.jump_if(Cond::SLe, Reg::R0, 0, none);
        self.alu(Alu::Rsh, Reg::R0, 3);
        self.frame_store(Size::DW, to, Reg::R0);
        self.user_caller();
        self.frame_load(Size::DW, Reg::R1, at + 16);
        if bytes >= 24 {
            self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R1, whole);
        }
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, whole);
        self.frame_load(Size::DW, Reg::R1, at + 8);
        self.frame_store(Size::DW, at, Reg::R1);
        self.frame_store(Size::DW, at + 8, Reg::R0);
        self.frame_load(Size::DW, Reg::R0, to);
        self.alu(Alu::Add, Reg::R0, 1);
        self.frame_store(Size::DW, to, Reg::R0);
        self.asm.jump(end);
        self.asm.bind(none);
        self.frame_store_imm(to, 0);
        self.zero(at, bytes.min(16));
        self.asm.jump(end);
        self.asm.bind(whole);
        // Forwards, word by word: source and destination may overlap this way.
        self.frame_ptr(Reg::R1, at);
        self.frame_ptr(Reg::R3, at + 8);
        self.copy(bytes - 8);
        self.frame_store_imm(at + bytes - 8, 0);
        self.asm.bind(end);
    }

    /// Delivers the record, if the clause makes one.
    pub fn submit_record(&mut self, id: ClauseId, clause: &Clause) {
        let releases = has_effect(&clause.body, &[Effect::Commit, Effect::Discard]);
        if clause.record.actions.is_empty() {
            if releases {
                self.release_speculation();
            }
            return;
        }
        let skip = self.asm.label();
        if clause.record.present {
            self.asm.mov(Reg::R1, 0);
            for word in 0..clause.record.actions.len().div_ceil(64) as u32 {
                self.frame_load(Size::DW, Reg::R2, self.field_at(word * 8));
                self.alu(Alu::Or, Reg::R1, Reg::R2);
            }
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, skip);
        }
        let at = self.plan.record_at;
        self.frame_store_imm(at + event::KIND, (u64::from(id.0) << 32 | u64::from(event::RECORD)) as i64);
        self.asm.call(Helper::GetSmpProcessorId);
        self.alu(Alu::Lsh, Reg::R0, 32);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::PROBE);
        self.alu(Alu::Or, Reg::R0, Reg::R1);
        self.frame_store(Size::DW, at + event::PROBE, Reg::R0);
        self.timestamp();
        self.frame_store(Size::DW, at + event::TIMESTAMP, Reg::R0);
        self.pid();
        self.frame_store(Size::DW, at + event::PID, Reg::R0);
        self.asm.mov(Reg::R4, NO_WAKEUP);
        if has_effect(&clause.body, &[Effect::Stop]) {
            self.asm.mov(Reg::R4, FORCE_WAKEUP);
        } else if has_effect(&clause.body, &[Effect::ExitFlag]) {
            self.asm.load_map_value(Reg::R1, layout::CONTROL, layout::control::EXITING as i32);
            self.asm.load(Size::W, Reg::R1, Reg::R1, 0);
            let quiet = self.asm.label();
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, quiet);
            self.asm.mov(Reg::R4, FORCE_WAKEUP);
            self.asm.bind(quiet);
        }
        self.asm.load_map(Reg::R1, layout::EVENTS);
        self.frame_ptr(Reg::R2, at);
        self.asm.load_imm(Reg::R3, i64::from(event::HEADER + clause.record.size));
        self.asm.call(Helper::RingbufOutput);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, skip);
        self.count_drop(drops::PRINCIPAL);
        self.asm.bind(skip);
        if releases {
            self.release_speculation();
        }
    }
}
