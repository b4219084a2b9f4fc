//! Statements, and the actions that the kernel performs itself.

use super::context::{Gen, Res, slot};
use super::insn::{Cond, Helper, Insn, Reg, Size};
use super::layout::{self, control};
use duotrace_core::diagnostic::{Diag, Span, Tag};
use duotrace_core::ir::{Clause, Effect, Expr, Fault, Stmt};

/// SIGSTOP on x86-64 and arm64.
pub(super) const SIGSTOP: i32 = 19;

/// Longest `chill()`: 500 ms, as in illumos; more is a fault.
const MAX_CHILL: i32 = 500_000_000;

impl Gen<'_> {
    /// "X cannot be done on this system: why".
    fn impossible(&self, span: Span, what: &str, why: &str) -> Res {
        Err(Box::new(Diag::error(
            Tag::D_EBPF_UNSUP,
            span,
            format!("{what} cannot be done on this system: {why}"),
        )))
    }

    /// Statements in order.
    pub fn body(&mut self, body: &[Stmt], clause: &Clause) -> Res {
        for stmt in body {
            self.statement(stmt, clause)?;
        }
        Ok(())
    }

    fn statement(&mut self, stmt: &Stmt, clause: &Clause) -> Res {
        match stmt {
            Stmt::Expr(expr) => {
                self.at(expr.span);
                self.effects(expr)
            }
            Stmt::If { cond, then, otherwise } => {
                let (no, end) = (self.asm.label(), self.asm.label());
                self.at(cond.span);
                self.branch(cond, no, false)?;
                self.body(then, clause)?;
                if !otherwise.is_empty() {
                    self.asm.jump(end);
                }
                self.asm.bind(no);
                self.body(otherwise, clause)?;
                self.asm.bind(end);
                Ok(())
            }
            Stmt::Aggregate { agg, key, value, increment, span } => {
                self.at(*span);
                self.aggregate(*agg, key, value.as_ref(), increment.as_ref(), *span)
            }
            Stmt::Record { action, values, span } => {
                self.at(*span);
                self.f.action = *action + 1;
                self.record(*action, values, clause, *span)
            }
            Stmt::Effect { effect, args, span } => {
                self.at(*span);
                self.effect(*effect, args, *span)
            }
        }
    }

    fn effect(&mut self, effect: Effect, args: &[Expr], span: Span) -> Res {
        if let Some(arg) = args.first() {
            self.scalar(arg)?;
        }
        match effect {
            Effect::ExitFlag => {
                self.asm.load_map_value(Reg::R1, layout::CONTROL, control::EXITING as i32);
                self.emit(Insn::st(Size::W, Reg::R1, 0, 1));
            }
            Effect::Raise => {
                self.asm.mov(Reg::R1, Reg::R0);
                self.asm.call(Helper::SendSignal);
            }
            Effect::Stop => {
                self.asm.mov(Reg::R1, SIGSTOP);
                self.asm.call(Helper::SendSignal);
            }
            Effect::Speculate => {
                // A number that is too great is a fault; a speculation that is not in use ends the clause, as in
                // illumos: nothing after speculate() happens.
                let invalid = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Gt, Reg::R0, self.plan.nspec as i32, invalid);
                let (bad, end) = (self.asm.label(), self.asm.label());
                self.speculation_state(bad);
                self.asm.load(Size::DW, Reg::R1, Reg::R1, 0);
                self.asm.jump_if(Cond::Ne, Reg::R1, 0, end);
                self.asm.bind(bad);
                self.answer(0);
                self.asm.bind(end);
            }
            Effect::Commit | Effect::Discard => {
                let invalid = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Gt, Reg::R0, self.plan.nspec as i32, invalid);
                // The number is free again only after the record that ends it is out: see `release_speculation`.
                self.asm.store(Size::DW, Reg::R10, slot::RELEASE, Reg::R0);
            }
            Effect::Chill => {
                let bad = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Gt, Reg::R0, MAX_CHILL, bad);
                let routine = self.routine(super::runtime::Routine::Chill);
                self.asm.mov(Reg::R1, Reg::R0);
                self.asm.call_func(routine);
            }
            Effect::Panic => {
                return self.impossible(span, "panic()", "no BPF program can bring the kernel down");
            }
            Effect::Breakpoint => {
                return self.impossible(
                    span,
                    "breakpoint()",
                    "no BPF program can enter the kernel's debugger",
                );
            }
        }
        Ok(())
    }

    /// `R1 =` address of the state word of speculation `R0`; goes to `bad` when there is no such.
    fn speculation_state(&mut self, bad: super::asm::Label) {
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, bad);
        self.asm.jump_if(Cond::Gt, Reg::R0, self.plan.nspec as i32, bad);
        self.asm.load_map_value(Reg::R1, layout::CONTROL, control::SPECULATIONS as i32);
        self.alu(super::insn::Alu::Lsh, Reg::R0, 3);
        self.alu(super::insn::Alu::Add, Reg::R1, Reg::R0);
    }

    /// Makes the number of a committed or discarded speculation free.
    pub fn release_speculation(&mut self) {
        let none = self.asm.label();
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::RELEASE);
        self.speculation_state(none);
        self.emit(Insn::st(Size::DW, Reg::R1, 0, 0));
        self.asm.bind(none);
    }
}

/// Does any statement use one of these effects?
pub(super) fn has_effect(body: &[Stmt], wanted: &[Effect]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::If { then, otherwise, .. } => has_effect(then, wanted) || has_effect(otherwise, wanted),
        Stmt::Effect { effect, .. } => wanted.contains(effect),
        _ => false,
    })
}
