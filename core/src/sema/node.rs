//! A checked expression: its C type and how to compute it.

use crate::diagnostic::Span;
use crate::ir;
use crate::types::TypeId;

/// A checked expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub ty: TypeId,
    pub kind: Kind,
    pub span: Span,
}

/// What a checked expression is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An rvalue.
    Value(ir::Expr),
    /// An lvalue: variable, element, memory.
    Place { place: ir::Place, writable: bool },
    /// A translated object: members are computed on demand. `pointer`: reached by `->`.
    Translated { translator: usize, input: Box<Node>, pointer: bool },
    /// An expression without a value.
    Void(ir::Expr),
    /// A call of an action, by its name: without a value too, and only a statement can perform it.
    Action(&'static str),
}

impl Node {
    pub fn value(ty: TypeId, expr: ir::Expr) -> Node {
        Node { ty, span: expr.span, kind: Kind::Value(expr) }
    }

    /// Has it no value?
    pub fn is_void(&self) -> bool {
        matches!(self.kind, Kind::Void(_) | Kind::Action(_))
    }

    /// The constant value, if it is one.
    pub fn constant(&self) -> Option<i64> {
        match &self.kind {
            Kind::Value(ir::Expr { kind: ir::ExprKind::Const(value), .. }) => Some(*value),
            _ => None,
        }
    }
}

/// Makes an IR expression.
pub(super) fn expr(kind: ir::ExprKind, ty: ir::Ty, span: Span) -> ir::Expr {
    ir::Expr { kind, ty, span }
}

/// A constant in canonical form for its type.
pub(super) fn constant(value: i64, ty: ir::Ty, span: Span) -> ir::Expr {
    expr(ir::ExprKind::Const(canonical(value, ty)), ty, span)
}

/// Truncates to the type's width, then extends by its sign.
pub(super) fn canonical(value: i64, ty: ir::Ty) -> i64 {
    match ty {
        ir::Ty::Int { bytes: 1, signed: true } => value as i8 as i64,
        ir::Ty::Int { bytes: 1, signed: false } => value as u8 as i64,
        ir::Ty::Int { bytes: 2, signed: true } => value as i16 as i64,
        ir::Ty::Int { bytes: 2, signed: false } => value as u16 as i64,
        ir::Ty::Int { bytes: 4, signed: true } => value as i32 as i64,
        ir::Ty::Int { bytes: 4, signed: false } => value as u32 as i64,
        _ => value,
    }
}

/// A cast of a scalar, folded for constants and left out where it changes nothing.
pub(super) fn cast(e: ir::Expr, ty: ir::Ty) -> ir::Expr {
    if e.ty == ty {
        return e;
    }
    match e.kind {
        ir::ExprKind::Const(value) => constant(value, ty, e.span),
        _ => {
            let span = e.span;
            expr(ir::ExprKind::Cast(Box::new(e)), ty, span)
        }
    }
}

/// A binary operation on operands of one type, folded where both are constants
/// and the result is defined (division by zero is left to run time).
pub(super) fn binary(op: ir::BinaryOp, a: ir::Expr, b: ir::Expr, ty: ir::Ty, span: Span) -> ir::Expr {
    if let (ir::ExprKind::Const(x), ir::ExprKind::Const(y)) = (&a.kind, &b.kind) {
        let signed = matches!(a.ty, ir::Ty::Int { signed: true, .. });
        if let Some(value) = fold(op, *x, *y, signed) {
            return constant(value, ty, span);
        }
    }
    expr(ir::ExprKind::Binary(op, Box::new(a), Box::new(b)), ty, span)
}

/// Computes on canonical values.
pub(super) fn fold(op: ir::BinaryOp, x: i64, y: i64, signed: bool) -> Option<i64> {
    use ir::BinaryOp::*;
    let (ux, uy) = (x as u64, y as u64);
    Some(match op {
        Add => x.wrapping_add(y),
        Sub => x.wrapping_sub(y),
        Mul => x.wrapping_mul(y),
        Div if y == 0 => return None,
        Mod if y == 0 => return None,
        Div if signed => x.wrapping_div(y),
        Div => (ux / uy) as i64,
        Mod if signed => x.wrapping_rem(y),
        Mod => (ux % uy) as i64,
        And => x & y,
        Or => x | y,
        Xor => x ^ y,
        Shl => x.wrapping_shl(y as u32 & 63),
        Shr if signed => x.wrapping_shr(y as u32 & 63),
        Shr => ux.wrapping_shr(y as u32 & 63) as i64,
        Eq => (x == y) as i64,
        Ne => (x != y) as i64,
        Lt if signed => (x < y) as i64,
        Lt => (ux < uy) as i64,
        Le if signed => (x <= y) as i64,
        Le => (ux <= uy) as i64,
        Gt if signed => (x > y) as i64,
        Gt => (ux > uy) as i64,
        Ge if signed => (x >= y) as i64,
        Ge => (ux >= uy) as i64,
    })
}
