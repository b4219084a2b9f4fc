//! Numbers and objects by value.

use super::arith::{binary, canonical, compares, extend, holds, signed, unary};
use super::{Firing, Halt, Res};
use crate::event::ReadValue;
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Fault, LogicalOp, Ty, UnaryOp};

impl<'a> Firing<'a> {
    /// A number in the canonical form of its type.
    pub(super) fn scalar(&mut self, expr: &'a Expr) -> Res<u64> {
        Ok(match &expr.kind {
            ExprKind::Const(value) => *value as u64,
            ExprKind::Builtin(builtin) => self.builtin(*builtin)?,
            ExprKind::Arg(index) => self.arg(*index)?,
            ExprKind::Ureg(index) => {
                let index = self.scalar(index)?;
                self.register(index)?
            }
            ExprKind::Read(place) => {
                let prepared = self.prepare(place)?;
                match self.recorded_read(place) {
                    Some(ReadValue::Number(number)) => number,
                    _ => self.read_place(&prepared)?,
                }
            }
            ExprKind::Load { addr, space } => {
                let address = self.scalar(addr)?;
                self.load(address, *space, expr.ty)?
            }
            ExprKind::BitField { of, shift, bits } => {
                let unit = self.scalar(of)?;
                extend(unit >> (shift & 63), u32::from(*bits), signed(expr.ty))
            }
            ExprKind::Extract { of, offset } => {
                let object = self.bytes(of)?;
                self.number_at(&object, *offset as usize, expr.ty)
            }
            ExprKind::Unary(UnaryOp::LogNot, of) => u64::from(self.scalar(of)? == 0),
            ExprKind::Unary(op, of) => unary(*op, self.scalar(of)?, expr.ty),
            ExprKind::Binary(op, left, right) => {
                let a = self.scalar(left)?;
                let b = self.scalar(right)?;
                match op {
                    BinaryOp::Eq
                    | BinaryOp::Ne
                    | BinaryOp::Lt
                    | BinaryOp::Le
                    | BinaryOp::Gt
                    | BinaryOp::Ge => u64::from(holds(*op, a, b, signed(left.ty))),
                    op => binary(*op, a, b, expr.ty).ok_or(Halt::Fault(Fault::DivZero, 0))?,
                }
            }
            ExprKind::StrCompare(op, left, right) => {
                let a = self.string(left)?;
                let b = self.string(right)?;
                let result = compares(*op, a.as_option().cmp(&b.as_option()));
                self.give_back(a);
                self.give_back(b);
                u64::from(result)
            }
            ExprKind::StrIsNull(of) => {
                let text = self.string(of)?;
                let result = text.is_null();
                self.give_back(text);
                u64::from(result)
            }
            ExprKind::Logical(op, left, right) => {
                let a = self.scalar(left)? != 0;
                u64::from(match op {
                    LogicalOp::And => a && self.scalar(right)? != 0,
                    LogicalOp::Or => a || self.scalar(right)? != 0,
                    LogicalOp::Xor => a != (self.scalar(right)? != 0),
                })
            }
            ExprKind::Cond(cond, yes, no) => {
                let chosen = if self.scalar(cond)? != 0 { yes } else { no };
                self.scalar(chosen)?
            }
            ExprKind::Cast(of) => canonical(self.scalar(of)?, expr.ty),
            ExprKind::Assign { place, value } => {
                let place = self.prepare(place)?;
                let value = canonical(self.scalar(value)?, place.ty);
                self.write_place(&place, value)?
            }
            ExprKind::Update { place, op, value, compute, old } => {
                let place = self.prepare(place)?;
                let before = self.read_place(&place)?;
                let operand = self.scalar(value)?;
                let result = binary(*op, canonical(before, *compute), canonical(operand, *compute), *compute)
                    .ok_or(Halt::Fault(Fault::DivZero, 0))?;
                let after = self.write_place(&place, canonical(result, place.ty))?;
                if *old { before } else { after }
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                self.scalar(second)?
            }
            ExprKind::Call(subroutine, args) => self.call_scalar(*subroutine, args, expr.ty)?,
            // Variables have no addresses here: whoever reads through such a pointer is told.
            ExprKind::AddressOf(_) => return Err(Halt::Fault(Fault::BadAddr, 0)),
            // The verifier keeps strings out of here.
            ExprKind::StrConst(_)
            | ExprKind::StrNull
            | ExprKind::LoadStr { .. }
            | ExprKind::StrOfBytes(_) => 0,
        })
    }

    /// Evaluates an expression of any type for its effects.
    pub(super) fn effects(&mut self, expr: &'a Expr) -> Res {
        match expr.ty {
            Ty::Str => {
                let text = self.string(expr)?;
                self.give_back(text);
            }
            Ty::Bytes(_) => {
                self.bytes(expr)?;
            }
            Ty::Stack(_) => {}
            Ty::Void if !matches!(expr.kind, ExprKind::Call(..) | ExprKind::Comma(..)) => {}
            _ => {
                self.scalar(expr)?;
            }
        }
        Ok(())
    }

    /// An object by value, as many bytes as its type says.
    pub(super) fn bytes(&mut self, expr: &'a Expr) -> Res<Vec<u8>> {
        let Ty::Bytes(size) = expr.ty else { return Ok(Vec::new()) };
        let size = size as usize;
        let mut object = match &expr.kind {
            ExprKind::Load { addr, space } => {
                let address = self.scalar(addr)?;
                self.load_bytes(address, *space, size)?
            }
            ExprKind::Read(place) => {
                let place = self.prepare(place)?;
                self.read_object(&place, size)?
            }
            ExprKind::Extract { of, offset } => {
                let whole = self.bytes(of)?;
                whole.get(*offset as usize..).unwrap_or(&[]).to_vec()
            }
            ExprKind::Assign { place, value } => {
                let object = self.bytes(value)?;
                let place = self.prepare(place)?;
                if let (ExprKind::Const(0), true) = (&value.kind, self.delete_element(&place)) {
                    return Ok(object);
                }
                self.write_object(&place, &object)?;
                object
            }
            ExprKind::Cond(cond, yes, no) => {
                let chosen = if self.scalar(cond)? != 0 { yes } else { no };
                self.bytes(chosen)?
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                self.bytes(second)?
            }
            ExprKind::Cast(of) => match of.ty {
                Ty::Stack(spec) => {
                    let big = self.machine.config.big_endian;
                    let bytes = |word: u64| if big { word.to_be_bytes() } else { word.to_le_bytes() };
                    self.stack(spec)?.into_iter().flat_map(bytes).collect()
                }
                _ => self.bytes(of)?,
            },
            _ => Vec::new(),
        };
        object.resize(size, 0);
        Ok(object)
    }

    /// A number within an object, in the byte order of the traced machine; zeroes where the object ends.
    pub(super) fn number_at(&self, object: &[u8], offset: usize, ty: Ty) -> u64 {
        let width = match ty {
            Ty::Int { bytes, .. } => usize::from(bytes).clamp(1, 8),
            _ => 8,
        };
        let bytes = object.get(offset..).unwrap_or(&[]);
        let bytes = bytes.get(..width).unwrap_or(bytes);
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = match self.machine.config.big_endian {
            true => bytes.iter().fold(0, fold),
            false => bytes.iter().rev().fold(0, fold),
        };
        canonical(value, ty)
    }
}
