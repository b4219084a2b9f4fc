//! Scalar expressions: the value ends in `R0`, in the canonical form of its type.

use super::args::regs;
use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::frame;
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Fault, LogicalOp, PlaceKind, Space, Ty, UnaryOp};

impl Gen<'_> {
    /// `R0 = expr`.
    pub fn scalar(&mut self, expr: &Expr) -> Res {
        let before = self.at(expr.span);
        let result = self.scalar_inner(expr);
        self.at(before);
        result
    }

    fn scalar_inner(&mut self, expr: &Expr) -> Res {
        match &expr.kind {
            ExprKind::Const(value) => self.asm.load_imm(Reg::R0, *value),
            ExprKind::Builtin(builtin) => return self.builtin(*builtin, expr.span),
            ExprKind::Arg(index) => return self.arg(*index),
            ExprKind::Ureg(index) => return self.ureg(index),
            ExprKind::Read(place) => {
                let place = self.prepare(place)?;
                self.read_place(&place)?;
                self.finish_place(place);
            }
            ExprKind::Load { addr, space } => {
                self.scalar(addr)?;
                self.load_memory(expr.ty, *space)?;
            }
            ExprKind::AddressOf(place) => {
                let place = self.prepare(place)?;
                self.address_value(&place)?;
                self.finish_place(place);
            }
            ExprKind::BitField { of, shift, bits } => {
                self.scalar(of)?;
                self.bit_field(*shift, *bits, expr.ty);
            }
            ExprKind::Extract { of, offset } => {
                let mark = self.mark();
                let Ty::Bytes(size) = of.ty else { return self.unsupported(expr.span, "this member access") };
                let at = self.temp(size)?;
                self.bytes(of, at)?;
                self.load_extract(expr.ty, at + offset)?;
                self.free_temps(mark);
            }
            ExprKind::Unary(UnaryOp::LogNot, _) => return self.materialise(expr),
            ExprKind::Unary(op, of) => return self.unary(*op, of, expr.ty),
            ExprKind::Binary(op, left, right) => match op {
                BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                    return self.materialise(expr);
                }
                op => return self.binary(*op, left, right, expr.ty),
            },
            ExprKind::StrCompare(op, left, right) => return self.compare_strings(*op, left, right),
            ExprKind::StrIsNull(of) => {
                let mark = self.mark();
                let at = self.string_somewhere(of)?;
                self.frame_load(Size::DW, Reg::R0, at);
                self.free_temps(mark);
                self.asm.mov(Reg::R1, -1);
                self.compare_to_value(Cond::Eq, Reg::R1);
            }
            ExprKind::Logical(LogicalOp::Xor, left, right) => {
                self.materialise(left)?;
                let hold = self.hold()?;
                self.materialise(right)?;
                self.take(hold, Reg::R1);
                self.alu(Alu::Xor, Reg::R0, Reg::R1);
            }
            ExprKind::Logical(..) => return self.materialise(expr),
            ExprKind::Cond(cond, yes, no) => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.branch(cond, otherwise, false)?;
                self.scalar(yes)?;
                self.asm.jump(end);
                self.asm.bind(otherwise);
                self.scalar(no)?;
                self.asm.bind(end);
            }
            ExprKind::Cast(of) => {
                match of.ty {
                    Ty::Int { .. } | Ty::Symbol(_) => self.scalar(of)?,
                    _ => return self.unsupported(expr.span, "this cast"),
                }
                if !narrows_not(of.ty, expr.ty) {
                    self.canonical(expr.ty);
                }
            }
            ExprKind::Assign { place, value } => {
                let place = self.prepare(place)?;
                self.scalar(value)?;
                self.canonical(place.ty);
                self.write_place(&place, true)?;
                self.finish_place(place);
            }
            ExprKind::Update { place, op, value, compute, old } => {
                return self.update(place, *op, value, *compute, *old);
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                return self.scalar(second);
            }
            ExprKind::Call(subroutine, args) => return self.call_scalar(*subroutine, args, expr),
            ExprKind::StrConst(_)
            | ExprKind::StrNull
            | ExprKind::LoadStr { .. }
            | ExprKind::StrOfBytes(_) => {
                return self.unsupported(expr.span, "a string as a number");
            }
        }
        Ok(())
    }

    /// Evaluates an expression of any type for its effects.
    pub fn effects(&mut self, expr: &Expr) -> Res {
        let mark = self.mark();
        match expr.ty {
            Ty::Str => {
                let at = self.temp_str()?;
                self.string(expr, at)?;
            }
            Ty::Bytes(size) => {
                let at = self.temp(size)?;
                self.bytes(expr, at)?;
            }
            Ty::Stack(_) => {}
            Ty::Void if !matches!(expr.kind, ExprKind::Call(..) | ExprKind::Comma(..)) => {}
            _ => self.scalar(expr)?,
        }
        self.free_temps(mark);
        Ok(())
    }

    /// `R0 = uregs[n]`: the n-th word of the platform's `struct pt_regs`; no such word is a fault.
    fn ureg(&mut self, index: &Expr) -> Res {
        match index.kind {
            ExprKind::Const(n) if (0..regs::WORDS).contains(&n) => {
                self.register(n as u16 * 8);
                Ok(())
            }
            ExprKind::Const(_) => {
                let label = self.fault(Fault::IllOp, false);
                self.asm.mov(Reg::R0, 0);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, label);
                Ok(())
            }
            _ => {
                // A context can be read only at constant offsets.
                self.scalar(index)?;
                let index = self.hold()?;
                let end = self.asm.label();
                for word in 0..regs::WORDS {
                    let next = self.asm.label();
                    self.peek(&index, Reg::R0);
                    self.asm.jump_if(Cond::Ne, Reg::R0, word as i32, next);
                    self.register(word as u16 * 8);
                    self.asm.jump(end);
                    self.asm.bind(next);
                }
                let bad = self.fault(Fault::IllOp, false);
                self.asm.mov(Reg::R0, 0);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, bad);
                self.asm.bind(end);
                self.release(index);
                Ok(())
            }
        }
    }

    /// Shifts a bit-field down in `R0` and extends it.
    pub fn bit_field(&mut self, shift: u8, bits: u8, ty: Ty) {
        if shift != 0 {
            self.alu(Alu::Rsh, Reg::R0, i32::from(shift));
        }
        self.extend(Reg::R0, u32::from(bits), matches!(ty, Ty::Int { signed: true, .. }));
    }

    /// `R0 = *(ty *)R0`.
    pub fn load_memory(&mut self, ty: Ty, space: Space) -> Res {
        let Ty::Int { bytes, .. } = ty else { return self.unsupported(self.f.span, "a load of this type") };
        self.read_memory(space, u32::from(bytes), None)?;
        self.load_buffer(ty)
    }

    /// Reads `bytes` at the pointer in `R0` to the frame, or to `slot::BUFFER`; a bad address is a fault.
    /// A pointer with the scratch tag is one into scratch memory, whatever space it is thought to point to.
    pub fn read_memory(&mut self, space: Space, bytes: u32, to: Option<u32>) -> Res {
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        let done = self.asm.label();
        if self.plan.uses_scratch {
            let plain = self.asm.label();
            self.unless_scratch(plain);
            self.scratch_address(bytes)?;
            self.read_call(Helper::ProbeReadKernel, bytes, to);
            self.asm.jump(done);
            self.asm.bind(plain);
        }
        self.read_call(reader(space), bytes, to);
        self.asm.bind(done);
        self.fault_if(Cond::Ne, 0, Fault::BadAddr, true);
        Ok(())
    }

    /// Calls a reading helper for the address in `R0`.
    fn read_call(&mut self, helper: Helper, bytes: u32, to: Option<u32>) {
        self.asm.mov(Reg::R3, Reg::R0);
        match to {
            Some(to) => self.frame_ptr(Reg::R1, to),
            None => self.slot_ptr(Reg::R1, slot::BUFFER),
        }
        self.asm.load_imm(Reg::R2, i64::from(bytes));
        self.asm.call(helper);
    }

    /// `R0 =` frame address of the tagged pointer in `R0`, after checking that `bytes` bytes lie in scratch.
    pub fn scratch_address(&mut self, bytes: u32) -> Res {
        self.emit(Insn::mov32(Reg::R0, Reg::R0));
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::Add, Reg::R1, bytes as i32);
        self.frame_load(Size::DW, Reg::R2, frame::SCRATCH_TOP as u32);
        let bad = self.fault(Fault::BadAddr, true);
        self.asm.jump_if(Cond::Gt, Reg::R1, Reg::R2, bad);
        // What the verifier needs: it knows nothing of the top.
        self.asm.jump_if(Cond::Gt, Reg::R0, self.plan.scratch_bytes as i32, bad);
        self.frame_ptr(Reg::R1, self.plan.scratch_at);
        self.alu(Alu::Add, Reg::R1, Reg::R0);
        self.asm.mov(Reg::R0, Reg::R1);
        Ok(())
    }

    /// Loads a member out of an object in the frame.
    fn load_extract(&mut self, ty: Ty, at: u32) -> Res {
        self.frame_ptr(Reg::R1, at);
        self.load_canonical(ty, Reg::R1, 0)
    }

    /// Writes an object by value to the frame.
    pub fn bytes(&mut self, expr: &Expr, to: u32) -> Res {
        let before = self.at(expr.span);
        let result = self.bytes_inner(expr, to);
        self.at(before);
        result
    }

    fn bytes_inner(&mut self, expr: &Expr, to: u32) -> Res {
        let Ty::Bytes(size) = expr.ty else { return self.unsupported(expr.span, "this object") };
        match &expr.kind {
            ExprKind::Load { addr, space } => {
                self.scalar(addr)?;
                self.read_memory(*space, size, Some(to))?;
                Ok(())
            }
            ExprKind::Read(place) => {
                if let PlaceKind::Mem { .. } = place.kind {
                    return self.unsupported(expr.span, "this object");
                }
                let place = self.prepare(place)?;
                self.copy_from_place(&place, to, size)?;
                self.finish_place(place);
                Ok(())
            }
            ExprKind::Extract { of, offset } => {
                let Ty::Bytes(whole) = of.ty else { return self.unsupported(expr.span, "this object") };
                let mark = self.mark();
                let at = self.temp(whole)?;
                self.bytes(of, at)?;
                self.frame_copy(to, at + offset, size);
                self.free_temps(mark);
                Ok(())
            }
            ExprKind::Const(0) => {
                self.zero(to, super::layout::round8(size));
                Ok(())
            }
            ExprKind::Assign { place, value } => {
                self.bytes(value, to)?;
                let place = self.prepare(place)?;
                if let (ExprKind::Const(0), true) = (&value.kind, self.delete_element(&place)) {
                    self.finish_place(place);
                    return Ok(());
                }
                self.copy_to_place(&place, to, size)?;
                self.finish_place(place);
                Ok(())
            }
            ExprKind::Cond(cond, yes, no) => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.branch(cond, otherwise, false)?;
                self.bytes(yes, to)?;
                self.asm.jump(end);
                self.asm.bind(otherwise);
                self.bytes(no, to)?;
                self.asm.bind(end);
                Ok(())
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                self.bytes(second, to)
            }
            ExprKind::Cast(of) => match of.ty {
                Ty::Stack(spec) => {
                    self.zero(to, spec.bytes());
                    self.stack(spec, to, expr.span)
                }
                ty if ty == expr.ty => self.bytes(of, to),
                _ => self.unsupported(expr.span, "this object"),
            },
            _ => self.unsupported(expr.span, "this object"),
        }
    }

    /// `frame[to..] = frame[from..]`, `bytes` bytes that do not overlap.
    pub fn frame_copy(&mut self, to: u32, from: u32, bytes: u32) {
        if bytes <= 32 && bytes.is_multiple_of(8) {
            for at in (0..bytes).step_by(8) {
                self.frame_load(Size::DW, Reg::R1, from + at);
                self.frame_store(Size::DW, to + at, Reg::R1);
            }
            return;
        }
        self.frame_ptr(Reg::R1, to);
        self.frame_ptr(Reg::R3, from);
        self.copy(bytes);
    }
}

/// The helper that reads a space.
pub(super) fn reader(space: Space) -> Helper {
    match space {
        Space::Any => Helper::ProbeReadKernel,
        Space::User => Helper::ProbeReadUser,
    }
}

/// Is every value of `from` its own canonical form in `to`?
pub(super) fn narrows_not(from: Ty, to: Ty) -> bool {
    match (from, to) {
        (Ty::Int { bytes: a, signed: x }, Ty::Int { bytes: b, signed: y }) => {
            b == 8 || (a == b && x == y) || (a < b && !x)
        }
        _ => false,
    }
}
