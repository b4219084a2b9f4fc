//! Lowers the recipes of virtual probes: registers and memory chains, none of which can do harm.

use super::context::{Gen, Hold, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Operand, Reg, Size};
use super::layout;
use crate::symbols::recipe::{Op, Recipe};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::ClauseId;

/// A recipe that is being lowered: what its names hold, and where failed reads go.
struct Lowering {
    named: Vec<(u8, Hold)>,
    failed: super::asm::Label,
}

impl Gen<'_> {
    /// `R0 =` what a recipe yields; 0 where memory on the way cannot be read.
    pub fn recipe(&mut self, recipe: &Recipe) -> Res {
        let mut lowering = Lowering { named: Vec::new(), failed: self.asm.label() };
        // The names around the whole: each is held only as long as something that follows uses it.
        let mut rest = recipe;
        while let Recipe::Let { name, value, body } = rest {
            self.recipe_value(value, &mut lowering)?;
            for at in (0..lowering.named.len()).rev() {
                if lowering.named.get(at).is_some_and(|(name, _)| !body.mentions(*name)) {
                    let (_, hold) = lowering.named.remove(at);
                    self.release(hold);
                }
            }
            let hold = self.hold()?;
            lowering.named.push((*name, hold));
            rest = body;
        }
        self.recipe_value(rest, &mut lowering)?;
        lowering.named.drain(..).for_each(|(_, hold)| self.release(hold));
        if has_load(recipe) {
            let done = self.asm.label();
            self.asm.jump(done);
            self.asm.bind(lowering.failed);
            self.asm.mov(Reg::R0, 0);
            self.asm.bind(done);
        }
        Ok(())
    }

    /// A function of its own that yields what the probe's condition does: its stack is free again afterwards.
    pub fn condition(&mut self, recipe: &Recipe) -> Res<super::asm::FuncId> {
        let linkage = if self.input.target.global_ctx {
            super::asm::Linkage::Global
        } else {
            super::asm::Linkage::Static
        };
        let function = self.asm.declare("condition", linkage, &[super::asm::Arg::Ctx]);
        self.asm.enter(function);
        self.start_function(ClauseId(0), super::context::ArgMode::Probe, Span::default());
        self.asm.mov(Reg::R6, Reg::R1);
        self.recipe(recipe)?;
        self.asm.exit();
        Ok(function)
    }

    fn recipe_value(&mut self, recipe: &Recipe, lowering: &mut Lowering) -> Res {
        match recipe {
            Recipe::Const(value) => self.asm.load_imm(Reg::R0, *value),
            Recipe::Register(offset) => self.register(*offset),
            Recipe::Called => self.asm.mov(Reg::R0, 0),
            Recipe::Kept => self.kept(false, lowering.failed),
            Recipe::Tid => {
                self.current();
                self.emit(Insn::mov32(Reg::R0, Reg::R0));
            }
            Recipe::Thread => self.specific(lowering.failed)?,
            Recipe::Found => self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::COOKIE),
            Recipe::Named(name) => {
                let held = lowering.named.iter().rposition(|(other, _)| other == name);
                match held.and_then(|at| lowering.named.get(at)) {
                    Some((_, hold)) => self.peek(hold, Reg::R0),
                    None => self.asm.mov(Reg::R0, 0),
                }
            }
            Recipe::Load { at, bytes, signed } => {
                self.recipe_value(at, lowering)?;
                self.asm.mov(Reg::R3, Reg::R0);
                self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
                self.read_small(Helper::ProbeReadUser, u32::from(*bytes).clamp(1, 8));
                self.asm.jump_if(Cond::Ne, Reg::R0, 0, lowering.failed);
                self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
                self.extend(Reg::R0, u32::from(*bytes) * 8, *signed);
            }
            Recipe::Binary { op, left, right } => {
                self.recipe_value(left, lowering)?;
                let operand = match right.as_ref() {
                    Recipe::Const(value) if i32::try_from(*value).is_ok() => Operand::from(*value as i32),
                    right => {
                        let hold = self.hold()?;
                        self.recipe_value(right, lowering)?;
                        self.asm.mov(Reg::R1, Reg::R0);
                        self.take(hold, Reg::R0);
                        Operand::from(Reg::R1)
                    }
                };
                match op {
                    Op::Add => self.alu(Alu::Add, Reg::R0, operand),
                    Op::Sub => self.alu(Alu::Sub, Reg::R0, operand),
                    Op::Mul => self.alu(Alu::Mul, Reg::R0, operand),
                    Op::And => self.alu(Alu::And, Reg::R0, operand),
                    Op::Eq | Op::Ne => {
                        let cond = if *op == Op::Eq { Cond::Eq } else { Cond::Ne };
                        let (yes, done) = (self.asm.label(), self.asm.label());
                        self.asm.jump_if(cond, Reg::R0, operand, yes);
                        self.asm.mov(Reg::R0, 0);
                        self.asm.jump(done);
                        self.asm.bind(yes);
                        self.asm.mov(Reg::R0, 1);
                        self.asm.bind(done);
                    }
                }
            }
            Recipe::If { cond, then, otherwise } => {
                let (no, done) = (self.asm.label(), self.asm.label());
                self.recipe_value(cond, lowering)?;
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, no);
                self.recipe_value(then, lowering)?;
                self.asm.jump(done);
                self.asm.bind(no);
                self.recipe_value(otherwise, lowering)?;
                self.asm.bind(done);
            }
            Recipe::Let { name, value, body } => {
                self.recipe_value(value, lowering)?;
                let hold = self.hold()?;
                lowering.named.push((*name, hold));
                self.recipe_value(body, lowering)?;
                if let Some((_, hold)) = lowering.named.pop() {
                    self.release(hold);
                }
            }
        }
        Ok(())
    }

    /// `R0 =` the word that the probe keeps; or that word `= R8`. Goes to `none` where the thread has none.
    fn kept(&mut self, store: bool, none: super::asm::Label) {
        let slot = self.group.keep.map_or(0, |keep| keep.slot);
        self.asm.call(Helper::GetCurrentTaskBtf);
        self.asm.mov(Reg::R2, Reg::R0);
        self.asm.load_map(Reg::R1, layout::KEPT);
        self.asm.mov(Reg::R3, 0);
        self.asm.mov(Reg::R4, i32::from(store));
        self.asm.call(Helper::TaskStorageGet);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, none);
        let at = (slot % layout::KEPT_WORDS * 8) as i16;
        match store {
            true => self.asm.store(Size::DW, Reg::R0, at, Reg::R8),
            false => self.asm.load(Size::DW, Reg::R0, Reg::R0, at),
        }
    }

    /// The program at a function's entry: stores what the condition's function yields.
    pub fn keep(&mut self, function: super::asm::FuncId, out: super::asm::Label) {
        self.asm.mov(Reg::R1, Reg::R6);
        self.asm.call_func(function);
        self.asm.mov(Reg::R8, Reg::R0);
        self.kept(true, out);
    }

    /// Calls the condition's function; leaves unless it holds. What it yields is in `R8`.
    pub fn check_condition(&mut self, function: super::asm::FuncId, out: super::asm::Label) {
        self.asm.mov(Reg::R1, Reg::R6);
        self.asm.call_func(function);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
        self.asm.mov(Reg::R8, Reg::R0);
    }
}

/// Can lowering the recipe jump to where failed reads go? (The verifier refuses code that nothing reaches.)
fn has_load(recipe: &Recipe) -> bool {
    match recipe {
        Recipe::Const(_)
        | Recipe::Register(_)
        | Recipe::Found
        | Recipe::Tid
        | Recipe::Called
        | Recipe::Named(_) => false,
        Recipe::Load { .. } | Recipe::Kept | Recipe::Thread => true,
        Recipe::Binary { left, right, .. } => has_load(left) || has_load(right),
        Recipe::If { cond, then, otherwise } => has_load(cond) || has_load(then) || has_load(otherwise),
        Recipe::Let { value, body, .. } => has_load(value) || has_load(body),
    }
}
