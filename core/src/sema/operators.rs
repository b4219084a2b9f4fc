//! Operators on values: arithmetic, comparisons, logic, `?:`.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, binary, cast, constant, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind};
use crate::syntax::ast::{self, BinaryOp, UnaryOp};
use crate::types::{Type, TypeId};

impl Checker<'_> {
    pub(super) fn unary(&mut self, op: UnaryOp, of: &ast::Expr, span: Span) -> Res<Node> {
        match op {
            UnaryOp::Deref => {
                let node = self.operand(of)?;
                self.deref(node, span)
            }
            UnaryOp::AddrOf => self.address_of(of, span),
            UnaryOp::LogNot => {
                let node = self.operand(of)?;
                let value = if self.types.is_scalar(node.ty) && !matches!(node.kind, Kind::Translated { .. })
                {
                    self.rvalue(node)?
                } else {
                    return Err(Diag::error(
                        Tag::D_OP_SCALAR,
                        of.span,
                        "operator ! requires an operand of scalar type",
                    ));
                };
                if let ExprKind::Const(v) = value.kind {
                    return Ok(self.int_node((v == 0) as i64, span));
                }
                let kind = ExprKind::Unary(ir::UnaryOp::LogNot, Box::new(value));
                Ok(Node::value(self.types.basic().int, expr(kind, ir::Ty::I32, span)))
            }
            UnaryOp::Neg | UnaryOp::Plus | UnaryOp::BitNot => {
                let text = match op {
                    UnaryOp::Neg => "-",
                    UnaryOp::Plus => "+",
                    _ => "~",
                };
                let node = self.integer(of, text)?;
                let ty = node.ty;
                let ir_ty = self.wide(ty, span)?;
                let value = cast(self.rvalue(node)?, ir_ty);
                let node = match (&value.kind, op) {
                    (_, UnaryOp::Plus) => value,
                    (ExprKind::Const(v), UnaryOp::Neg) => constant(v.wrapping_neg(), ir_ty, span),
                    (ExprKind::Const(v), _) => constant(!v, ir_ty, span),
                    (_, UnaryOp::Neg) => {
                        expr(ExprKind::Unary(ir::UnaryOp::Neg, Box::new(value)), ir_ty, span)
                    }
                    _ => expr(ExprKind::Unary(ir::UnaryOp::BitNot, Box::new(value)), ir_ty, span),
                };
                Ok(Node::value(ty, node))
            }
        }
    }

    pub(super) fn binary_expr(
        &mut self,
        op: BinaryOp,
        a: &ast::Expr,
        b: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        use BinaryOp::*;
        if let Some(side) = [a, b].into_iter().find(|side| side.is_aggregation()) {
            return Err(Diag::error(
                Tag::D_OP_INCOMPAT,
                side.span,
                format!("operator {} may not be applied to an aggregation", op.text()),
            ));
        }
        match op {
            LogAnd | LogOr | LogXor => {
                let left = self.truth(a, op.text())?;
                let right = self.truth(b, op.text())?;
                let kind = match op {
                    LogAnd => ir::LogicalOp::And,
                    LogOr => ir::LogicalOp::Or,
                    _ => ir::LogicalOp::Xor,
                };
                let e = expr(ExprKind::Logical(kind, Box::new(left), Box::new(right)), ir::Ty::I32, span);
                Ok(Node::value(self.types.basic().int, e))
            }
            Eq | Ne | Lt | Le | Gt | Ge => {
                let (left, right) = (self.operand(a)?, self.operand(b)?);
                self.compare(op, left, right, span)
            }
            _ => {
                let (left, right) = (self.operand(a)?, self.operand(b)?);
                self.arithmetic(op, left, right, span)
            }
        }
    }

    /// A scalar as a condition.
    pub(super) fn truth(&mut self, e: &ast::Expr, op: &str) -> Res<ir::Expr> {
        let node = self.operand(e)?;
        if matches!(node.kind, Kind::Translated { .. }) || !self.types.is_scalar(node.ty) {
            return Err(Diag::error(
                Tag::D_OP_SCALAR,
                e.span,
                match op {
                    "?:" => "operator ?: expression must be of scalar type".to_string(),
                    _ => format!("operator {op} requires operands of scalar type"),
                },
            ));
        }
        self.rvalue(node)
    }

    /// Arithmetic and bitwise operators on decayed operands.
    pub(super) fn arithmetic(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Res<Node> {
        let (left, right) = (self.pointer_to_array(left)?, self.pointer_to_array(right)?);
        let (lptr, rptr) = (self.types.pointee(left.ty), self.types.pointee(right.ty));
        if matches!(op, BinaryOp::Add | BinaryOp::Sub) {
            if lptr.is_some() || rptr.is_some() {
                return self.pointer_arithmetic(op, left, right, span);
            }
            if op == BinaryOp::Add && self.types.is_string(left.ty) && self.types.integer(right.ty).is_some()
            {
                return self.string_from(left, right, span);
            }
            if op == BinaryOp::Add && self.types.is_string(right.ty) && self.types.integer(left.ty).is_some()
            {
                return self.string_from(right, left, span);
            }
            if self.types.integer(left.ty).is_none() || self.types.integer(right.ty).is_none() {
                return Err(self.incompatible(op.text(), &left, &right, span));
            }
        }
        if self.types.integer(left.ty).is_none() || self.types.integer(right.ty).is_none() {
            let tag = if matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div) {
                Tag::D_OP_ARITH
            } else {
                Tag::D_OP_INT
            };
            let what = if tag == Tag::D_OP_INT { "integral" } else { "arithmetic" };
            return Err(Diag::error(
                tag,
                span,
                format!("operator {} requires operands of {what} type", op.text()),
            ));
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Mod) && right.constant() == Some(0) {
            return Err(Diag::error(Tag::D_DIV_ZERO, span, "expression contains division by zero"));
        }
        // A shift has the type of what is shifted, which DTrace does not promote.
        let ty = match op {
            BinaryOp::Shl | BinaryOp::Shr => left.ty,
            _ => self.promote(left.ty, right.ty),
        };
        let wide = self.wide(ty, span)?;
        let (a, b) = (cast(self.rvalue(left)?, wide), cast(self.rvalue(right)?, wide));
        Ok(Node::value(ty, binary(ir_op(op), a, b, wide, span)))
    }

    /// DTrace computes in 64-bit registers whatever the C type: an operand enters as its own type
    /// extends it, a result is narrowed where it is stored, recorded, cast or passed. The type
    /// that two operands meet in only says whether the computation is signed.
    pub(super) fn wide(&self, ty: TypeId, span: Span) -> Res<ir::Ty> {
        Ok(match self.value_type(ty, span)? {
            ir::Ty::Int { signed, .. } => ir::Ty::Int { bytes: 8, signed },
            other => other,
        })
    }

    /// The string that begins `n` characters into another.
    fn string_from(&mut self, string: Node, n: Node, span: Span) -> Res<Node> {
        let args = vec![self.rvalue(string)?, cast(self.rvalue(n)?, ir::Ty::I64)];
        let call = expr(ExprKind::Call(ir::Subroutine::Substr, args), ir::Ty::Str, span);
        Ok(Node::value(self.types.basic().string, call))
    }

    /// The type two integers meet in: the wider; of equal widths the unsigned, else the right one.
    pub(super) fn promote(&self, left: TypeId, right: TypeId) -> TypeId {
        let (Some((lb, ls)), Some((rb, _))) = (self.types.integer(left), self.types.integer(right)) else {
            return left;
        };
        let enumeration = |ty| matches!(self.types.base(ty), Type::Enum(_));
        match (enumeration(left), enumeration(right)) {
            (true, true) => return self.types.basic().int,
            (true, false) if lb <= rb => return right,
            (false, true) if rb <= lb => return left,
            _ => {}
        }
        if lb > rb || (lb == rb && !ls) { left } else { right }
    }

    pub(super) fn pointer_arithmetic(
        &mut self,
        op: BinaryOp,
        left: Node,
        right: Node,
        span: Span,
    ) -> Res<Node> {
        let (lto, rto) = (self.types.pointee(left.ty), self.types.pointee(right.ty));
        let (to, ty) = match (lto, rto) {
            (Some(to), None) => (to, left.ty),
            (None, Some(to)) if op == BinaryOp::Add => (to, right.ty),
            (Some(to), Some(other)) if op == BinaryOp::Sub => {
                if self.types.resolve(to) != self.types.resolve(other)
                    && self.types.name(self.types.resolve(to)) != self.types.name(self.types.resolve(other))
                {
                    return Err(self.incompatible(op.text(), &left, &right, span));
                }
                (to, self.types.lookup_typedef("ptrdiff_t").unwrap_or(left.ty))
            }
            _ => return Err(self.incompatible(op.text(), &left, &right, span)),
        };
        let size = match self.types.base(to) {
            // The target has no size to count in.
            Type::Void | Type::Function { .. } => {
                return Err(self.incompatible(op.text(), &left, &right, span));
            }
            _ => self.types.size(to).ok_or_else(|| {
                Diag::error(
                    Tag::D_OP_INCOMPLETE,
                    span,
                    format!(
                        "operator {} cannot be applied to pointer to incomplete type {}",
                        op.text(),
                        self.quoted(to)
                    ),
                )
            })? as i64,
        };
        for (node, pointer) in [(&left, lto), (&right, rto)] {
            if pointer.is_none() && self.types.integer(node.ty).is_none() {
                return Err(self.incompatible(op.text(), &left, &right, span));
            }
        }
        let both = lto.is_some() && rto.is_some();
        let mut scaled = |node: Node, pointer: bool| -> Res<ir::Expr> {
            let value = cast(self.rvalue(node)?, ir::Ty::I64);
            if pointer || size == 1 {
                return Ok(value);
            }
            Ok(binary(ir::BinaryOp::Mul, value, constant(size, ir::Ty::I64, span), ir::Ty::I64, span))
        };
        let a = scaled(left, lto.is_some())?;
        let b = scaled(right, rto.is_some())?;
        if both {
            let difference = binary(ir::BinaryOp::Sub, a, b, ir::Ty::I64, span);
            let value = binary(
                ir::BinaryOp::Div,
                difference,
                constant(size.max(1), ir::Ty::I64, span),
                ir::Ty::I64,
                span,
            );
            return Ok(Node::value(ty, value));
        }
        let value = binary(ir_op(op), cast(a, ir::Ty::U64), cast(b, ir::Ty::U64), ir::Ty::U64, span);
        Ok(Node::value(ty, value))
    }

    pub(super) fn incompatible(&self, op: &str, left: &Node, right: &Node, span: Span) -> Diag {
        Diag::error(
            Tag::D_OP_INCOMPAT,
            span,
            format!(
                "operands have incompatible types: {} {op} {}",
                self.quoted(left.ty),
                self.quoted(right.ty)
            ),
        )
    }

    /// Comparisons on decayed operands.
    fn compare(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Res<Node> {
        let text = |c: &Self, n: &Node| c.is_stringlike(n.ty) || n.constant() == Some(0);
        let (left, right) = if text(self, &left) && text(self, &right) {
            (left, right)
        } else {
            (self.pointer_to_array(left)?, self.pointer_to_array(right)?)
        };
        let int = self.types.basic().int;
        let scalar =
            |c: &Self, n: &Node| c.types.is_scalar(n.ty) && !matches!(n.kind, Kind::Translated { .. });
        let string = |c: &Self, n: &Node| c.types.is_string(n.ty);
        // A translated pointer against NULL asks what it is translated from.
        let untranslated = |c: &Self, n: Node, other: &Node| match n.kind {
            Kind::Translated { ref input, pointer: true, .. }
                if other.constant() == Some(0) && c.types.is_scalar(input.ty) =>
            {
                let word = c.types.basic().unsigned_long;
                Node { ty: word, ..(**input).clone() }
            }
            _ => n,
        };
        let (left, right) = (untranslated(self, left.clone(), &right), untranslated(self, right, &left));
        if string(self, &left) || string(self, &right) {
            // A string against NULL asks whether it is NULL.
            for (this, other) in [(&left, &right), (&right, &left)] {
                if other.constant() == Some(0)
                    && string(self, this)
                    && matches!(op, BinaryOp::Eq | BinaryOp::Ne)
                {
                    let value = self.rvalue(this.clone())?;
                    let null = expr(ExprKind::StrIsNull(Box::new(value)), ir::Ty::I32, span);
                    return Ok(Node::value(
                        int,
                        if op == BinaryOp::Eq {
                            null
                        } else {
                            expr(ExprKind::Unary(ir::UnaryOp::LogNot, Box::new(null)), ir::Ty::I32, span)
                        },
                    ));
                }
            }
            if !self.is_stringlike(left.ty) || !self.is_stringlike(right.ty) {
                return Err(self.incompatible(op.text(), &left, &right, span));
            }
            let a = self.string_value(left)?;
            let b = self.string_value(right)?;
            let kind = ExprKind::StrCompare(ir_op(op), Box::new(a), Box::new(b));
            return Ok(Node::value(int, expr(kind, ir::Ty::I32, span)));
        }
        if !scalar(self, &left) || !scalar(self, &right) {
            return Err(Diag::error(
                Tag::D_OP_INCOMPAT,
                span,
                format!(
                    "operator {} requires operands of compatible scalar types: {} {} {}",
                    op.text(),
                    self.quoted(left.ty),
                    op.text(),
                    self.quoted(right.ty)
                ),
            ));
        }
        if !self.comparable(&left, &right) {
            return Err(self.incompatible(op.text(), &left, &right, span));
        }
        // As arithmetic would promote them; what is no integer compares unsigned.
        let pointer = self.types.pointee(left.ty).is_some() || self.types.pointee(right.ty).is_some();
        let promoted = self.types.integer(self.promote(left.ty, right.ty));
        let wide = if !pointer && matches!(promoted, Some((_, true))) { ir::Ty::I64 } else { ir::Ty::U64 };
        let a = cast(self.rvalue(left)?, wide);
        let b = cast(self.rvalue(right)?, wide);
        Ok(Node::value(int, binary(ir_op(op), a, b, ir::Ty::I32, span)))
    }

    /// May two scalars be compared? Pointers only with pointers to the same type or to void, and with 0.
    fn comparable(&self, left: &Node, right: &Node) -> bool {
        match (self.types.pointee(left.ty), self.types.pointee(right.ty)) {
            (None, None) => true,
            (Some(_), None) => right.constant() == Some(0),
            (None, Some(_)) => left.constant() == Some(0),
            (Some(_), Some(to)) => self.pointers_agree(left.ty, to),
        }
    }

    pub(super) fn conditional(
        &mut self,
        c: &ast::Expr,
        a: &ast::Expr,
        b: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        let cond = self.truth(c, "?:")?;
        let left = self.operand(a)?;
        let right = self.operand(b)?;
        if matches!(left.kind, Kind::Action(_)) || matches!(right.kind, Kind::Action(_)) {
            return Err(Diag::error(Tag::D_OP_ACT, span, "action cannot be used in a conditional context"));
        }
        let ty = if self.types.integer(left.ty).is_some() && self.types.integer(right.ty).is_some() {
            self.promote(left.ty, right.ty)
        } else if (self.types.is_string(left.ty)
            && (self.is_stringlike(right.ty) || right.constant() == Some(0)))
            || (self.types.is_string(right.ty) && (self.is_stringlike(left.ty) || left.constant() == Some(0)))
        {
            self.types.basic().string
        } else if self.types.pointee(left.ty).is_some()
            && (self.types.pointee(right.ty).is_some() || right.constant() == Some(0))
        {
            left.ty
        } else if self.types.pointee(right.ty).is_some() && left.constant() == Some(0) {
            right.ty
        } else if self.types.resolve(left.ty) == self.types.resolve(right.ty)
            && !matches!(left.kind, Kind::Translated { .. })
        {
            left.ty
        } else {
            return Err(Diag::error(
                Tag::D_OP_INCOMPAT,
                span,
                format!(
                    "operator ?: operands must have compatible types: {} and {}",
                    self.quoted(left.ty),
                    self.quoted(right.ty)
                ),
            ));
        };
        let ir_ty = self.value_type(ty, span)?;
        let (x, y) = (self.converted(left, ty)?, self.converted(right, ty)?);
        if let ExprKind::Const(v) = cond.kind {
            return Ok(Node::value(ty, if v != 0 { x } else { y }));
        }
        Ok(Node::value(ty, expr(ExprKind::Cond(Box::new(cond), Box::new(x), Box::new(y)), ir_ty, span)))
    }
}

/// The executor's operator.
pub(super) fn ir_op(op: BinaryOp) -> ir::BinaryOp {
    use ir::BinaryOp as I;
    match op {
        BinaryOp::Add => I::Add,
        BinaryOp::Sub => I::Sub,
        BinaryOp::Mul => I::Mul,
        BinaryOp::Div => I::Div,
        BinaryOp::Mod => I::Mod,
        BinaryOp::And => I::And,
        BinaryOp::Or => I::Or,
        BinaryOp::Xor => I::Xor,
        BinaryOp::Shl => I::Shl,
        BinaryOp::Shr => I::Shr,
        BinaryOp::Eq => I::Eq,
        BinaryOp::Ne => I::Ne,
        BinaryOp::Lt => I::Lt,
        BinaryOp::Le => I::Le,
        BinaryOp::Gt => I::Gt,
        BinaryOp::Ge => I::Ge,
        // The logical operators have nodes of their own; never reached.
        BinaryOp::LogAnd | BinaryOp::LogOr | BinaryOp::LogXor => I::And,
    }
}
