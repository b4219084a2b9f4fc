//! Arithmetic on canonical 64-bit values: widths, signs, division, shifts, comparisons.

use super::asm::Label;
use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Insn, Reg, Size};
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Fault, LogicalOp, Ty, UnaryOp};

/// Is a type signed? Pointers and all else that is no integer count as unsigned.
fn signed(ty: Ty) -> bool {
    matches!(ty, Ty::Int { signed: true, .. })
}

/// The branch that holds when a comparison does; `None` for other operators.
fn condition(op: BinaryOp, signed: bool) -> Option<Cond> {
    Some(match (op, signed) {
        (BinaryOp::Eq, _) => Cond::Eq,
        (BinaryOp::Ne, _) => Cond::Ne,
        (BinaryOp::Lt, true) => Cond::SLt,
        (BinaryOp::Le, true) => Cond::SLe,
        (BinaryOp::Gt, true) => Cond::SGt,
        (BinaryOp::Ge, true) => Cond::SGe,
        (BinaryOp::Lt, false) => Cond::Lt,
        (BinaryOp::Le, false) => Cond::Le,
        (BinaryOp::Gt, false) => Cond::Gt,
        (BinaryOp::Ge, false) => Cond::Ge,
        _ => return None,
    })
}

impl Gen<'_> {
    /// Brings `R0` into the canonical form of a type: truncated, then extended.
    pub fn canonical(&mut self, ty: Ty) {
        let Ty::Int { bytes, signed } = ty else { return };
        self.extend(Reg::R0, u32::from(bytes) * 8, signed);
    }

    /// Keeps the low `bits` of a register and extends them.
    pub fn extend(&mut self, reg: Reg, bits: u32, signed: bool) {
        let v4 = self.input.target.isa_v4;
        match (bits, signed) {
            (64.., _) | (0, _) => {}
            (32, false) => self.emit(Insn::mov32(reg, reg)),
            (8 | 16, false) => self.alu(Alu::And, reg, (1 << bits) - 1),
            (32, true) if v4 => self.emit(Insn::movsx(Size::W, reg, reg)),
            (16, true) if v4 => self.emit(Insn::movsx(Size::H, reg, reg)),
            (8, true) if v4 => self.emit(Insn::movsx(Size::B, reg, reg)),
            (_, signed) => {
                self.alu(Alu::Lsh, reg, 64 - bits as i32);
                self.alu(if signed { Alu::Arsh } else { Alu::Rsh }, reg, 64 - bits as i32);
            }
        }
    }

    /// `R0 = op R0`, for operators that are no conditions.
    pub fn unary(&mut self, op: UnaryOp, of: &Expr, ty: Ty) -> Res {
        self.scalar(of)?;
        match op {
            UnaryOp::Neg => self.emit(Insn::neg64(Reg::R0)),
            _ => self.alu(Alu::Xor, Reg::R0, -1),
        }
        self.canonical(ty);
        Ok(())
    }

    /// `R0 = left op right`.
    pub fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, ty: Ty) -> Res {
        self.scalar(left)?;
        if let Some(value) = short_constant(right) {
            if value == 0 && matches!(op, BinaryOp::Div | BinaryOp::Mod) {
                let label = self.fault(Fault::DivZero, false);
                self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R0, label);
            }
            return self.operate_constant(op, value, ty);
        }
        let hold = self.hold()?;
        self.scalar(right)?;
        self.asm.mov(Reg::R1, Reg::R0);
        self.take(hold, Reg::R0);
        self.operate(op, ty, true)
    }

    /// `R0 = R0 op constant`.
    fn operate_constant(&mut self, op: BinaryOp, value: i32, ty: Ty) -> Res {
        let alu = match op {
            BinaryOp::Add => Alu::Add,
            BinaryOp::Sub => Alu::Sub,
            BinaryOp::Mul => Alu::Mul,
            BinaryOp::And => Alu::And,
            BinaryOp::Or => Alu::Or,
            BinaryOp::Xor => Alu::Xor,
            BinaryOp::Shl => Alu::Lsh,
            BinaryOp::Shr if signed(ty) => Alu::Arsh,
            BinaryOp::Shr => Alu::Rsh,
            BinaryOp::Div if !signed(ty) && value > 0 => Alu::Div,
            BinaryOp::Mod if !signed(ty) && value > 0 => Alu::Mod,
            _ => {
                self.asm.mov(Reg::R1, value);
                return self.operate(op, ty, value == 0);
            }
        };
        let value = if matches!(op, BinaryOp::Shl | BinaryOp::Shr) { value & 63 } else { value };
        self.alu(alu, Reg::R0, value);
        self.canonical(ty);
        Ok(())
    }

    /// `R0 = R0 op R1` of type `ty`; uses `R2`, `R3`. `check`: the divisor may be zero.
    pub fn operate(&mut self, op: BinaryOp, ty: Ty, check: bool) -> Res {
        match op {
            BinaryOp::Add => self.alu(Alu::Add, Reg::R0, Reg::R1),
            BinaryOp::Sub => self.alu(Alu::Sub, Reg::R0, Reg::R1),
            BinaryOp::Mul => self.alu(Alu::Mul, Reg::R0, Reg::R1),
            BinaryOp::And => self.alu(Alu::And, Reg::R0, Reg::R1),
            BinaryOp::Or => self.alu(Alu::Or, Reg::R0, Reg::R1),
            BinaryOp::Xor => self.alu(Alu::Xor, Reg::R0, Reg::R1),
            BinaryOp::Shl | BinaryOp::Shr => {
                let alu = match (op, signed(ty)) {
                    (BinaryOp::Shl, _) => Alu::Lsh,
                    (_, true) => Alu::Arsh,
                    (_, false) => Alu::Rsh,
                };
                self.alu(Alu::And, Reg::R1, 63);
                self.alu(alu, Reg::R0, Reg::R1);
            }
            BinaryOp::Div | BinaryOp::Mod => {
                if check {
                    let label = self.fault(Fault::DivZero, false);
                    self.asm.jump_if(Cond::Eq, Reg::R1, 0, label);
                }
                let alu = if op == BinaryOp::Div { Alu::Div } else { Alu::Mod };
                if signed(ty) {
                    self.signed_divide(alu);
                } else {
                    self.alu(alu, Reg::R0, Reg::R1);
                }
            }
            compare => {
                let cond = condition(compare, signed(ty)).unwrap_or(Cond::Eq);
                self.compare_to_value(cond, Reg::R1);
                return Ok(());
            }
        }
        self.canonical(ty);
        Ok(())
    }

    /// `R0 = R0 cond operand ? 1 : 0`.
    pub fn compare_to_value(&mut self, cond: Cond, operand: Reg) {
        let end = self.asm.label();
        self.asm.mov(Reg::R2, 1);
        self.asm.jump_if(cond, Reg::R0, operand, end);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(end);
        self.asm.mov(Reg::R0, Reg::R2);
    }

    /// Signed division from the unsigned one, for every kernel: on magnitudes, so INT64_MIN / -1 does not trap.
    fn signed_divide(&mut self, alu: Alu) {
        // The sign of the result: of the dividend for a remainder, of both for a quotient.
        self.asm.mov(Reg::R2, Reg::R0);
        if alu == Alu::Div {
            self.alu(Alu::Xor, Reg::R2, Reg::R1);
        }
        for reg in [Reg::R0, Reg::R1] {
            let positive = self.asm.label();
            self.asm.jump_if(Cond::SGe, reg, 0, positive);
            self.emit(Insn::neg64(reg));
            self.asm.bind(positive);
        }
        self.alu(alu, Reg::R0, Reg::R1);
        let done = self.asm.label();
        self.asm.jump_if(Cond::SGe, Reg::R2, 0, done);
        self.emit(Insn::neg64(Reg::R0));
        self.asm.bind(done);
    }

    /// `R0 = 1` or `0` for an expression that is a condition.
    pub fn materialise(&mut self, expr: &Expr) -> Res {
        let (no, end) = (self.asm.label(), self.asm.label());
        self.branch(expr, no, false)?;
        self.asm.mov(Reg::R0, 1);
        self.asm.jump(end);
        self.asm.bind(no);
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(end);
        Ok(())
    }

    /// Goes to `target` when the truth of `expr` is `sense`, else falls through.
    pub fn branch(&mut self, expr: &Expr, target: Label, sense: bool) -> Res {
        match &expr.kind {
            ExprKind::Unary(UnaryOp::LogNot, of) => self.branch(of, target, !sense),
            ExprKind::Logical(op @ (LogicalOp::And | LogicalOp::Or), left, right) => {
                // `a && b` goes on false at either, `a || b` on true at either; the other way round the first may skip.
                if (*op == LogicalOp::Or) == sense {
                    self.branch(left, target, sense)?;
                    self.branch(right, target, sense)
                } else {
                    let skip = self.asm.label();
                    self.branch(left, skip, !sense)?;
                    self.branch(right, target, sense)?;
                    self.asm.bind(skip);
                    Ok(())
                }
            }
            ExprKind::Binary(op, left, right) if condition(*op, false).is_some() => {
                let cond = condition(*op, signed(left.ty)).unwrap_or(Cond::Eq);
                let cond = if sense { cond } else { cond.negated().unwrap_or(cond) };
                self.scalar(left)?;
                if let Some(value) = short_constant(right) {
                    self.asm.jump_if(cond, Reg::R0, value, target);
                    return Ok(());
                }
                let hold = self.hold()?;
                self.scalar(right)?;
                self.take(hold, Reg::R1);
                self.asm.jump_if(cond, Reg::R1, Reg::R0, target);
                Ok(())
            }
            _ => {
                self.scalar(expr)?;
                self.asm.jump_if(if sense { Cond::Ne } else { Cond::Eq }, Reg::R0, 0, target);
                Ok(())
            }
        }
    }

    /// `R0 =` the value at `[base + offset]` in canonical form.
    pub fn load_canonical(&mut self, ty: Ty, base: Reg, offset: i16) -> Res {
        let Ty::Int { bytes, signed } = ty else {
            self.asm.load(Size::DW, Reg::R0, base, offset);
            return Ok(());
        };
        let size = Size::of_bytes(u64::from(bytes)).unwrap_or(Size::DW);
        self.asm.load(size, Reg::R0, base, offset);
        if signed {
            self.extend(Reg::R0, size.bytes() * 8, true);
        }
        Ok(())
    }

    /// Loads what was read to `slot::BUFFER`.
    pub fn load_buffer(&mut self, ty: Ty) -> Res {
        self.load_canonical(ty, Reg::R10, slot::BUFFER)
    }
}

/// The value of a constant that fits an immediate operand.
pub(super) fn short_constant(expr: &Expr) -> Option<i32> {
    match expr.kind {
        ExprKind::Const(value) => i32::try_from(value).ok(),
        _ => None,
    }
}
