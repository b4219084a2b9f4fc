//! What happens when a clause faults: its record is dropped, the consumer is told, the ERROR clauses run.

use super::asm::{FuncId, Label};
use super::context::{ArgMode, Gen, slot};
use super::insn::{Cond, Reg, Size};
use super::layout::drops;
use super::runtime::Routine;
use duotrace_core::diagnostic::Diag;
use duotrace_core::ir::ClauseId;

/// A clause function's answer: it faulted, the frame says how.
pub(super) const FAULTED: i32 = 1;
/// A clause function's answer: it called `exit()`.
pub(super) const EXITED: i32 = 2;

impl Gen<'_> {
    /// Emits the ERROR clauses of a program that can fault. In the ERROR probe's own program there are none.
    pub fn error_clauses(&mut self, diags: &mut Vec<Diag>) -> Vec<(FuncId, ClauseId)> {
        let Some(errors) = &self.input.errors else { return Vec::new() };
        let mut functions = Vec::new();
        for id in &errors.clauses {
            let Some(clause) = self.input.program.clauses.get(id.0 as usize) else { continue };
            let function = self.declare_clause(&format!("error_{}", id.0));
            self.asm.enter(function);
            if let Err(diag) = self.clause(*id, clause, ArgMode::Fault, true) {
                diags.push(*diag);
            }
            functions.push((function, *id));
        }
        functions
    }

    /// In the entry function, after a clause that faulted: `R6` context, `R7` probe, `R9` frame.
    pub fn call_fault(&mut self, clause: ClauseId, errors: &[(FuncId, ClauseId)], release: Label) {
        self.f.clause = clause;
        self.asm.store(Size::DW, Reg::R10, slot::PROBE, Reg::R7);
        self.epid();
        let routine = self.routine(Routine::Fault);
        self.asm.mov(Reg::R1, Reg::R9);
        self.asm.mov(Reg::R2, clause.0 as i32);
        self.asm.mov(Reg::R3, Reg::R7);
        self.asm.mov(Reg::R4, Reg::R0);
        self.asm.call_func(routine);
        let probe = self.input.errors.as_ref().map_or(0, |errors| errors.probe.0);
        for (function, _) in errors {
            self.asm.mov(Reg::R1, Reg::R6);
            self.asm.mov(Reg::R2, Reg::R9);
            self.asm.mov(Reg::R3, probe as i32);
            self.asm.mov(Reg::R4, 0);
            self.asm.call_func(*function);
            self.asm.jump_if(Cond::Eq, Reg::R0, EXITED, release);
            let fine = self.asm.label();
            self.asm.jump_if(Cond::Ne, Reg::R0, FAULTED, fine);
            self.count_drop(drops::ERROR_FAULT);
            self.asm.bind(fine);
        }
    }
}
