//! Expressions: from tree to checked nodes.
//!
//! The rules are libdtrace's: integers are promoted to the wider operand's type
//! (so `char + char` is a `char`), comparisons are signed when either side is.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, binary, cast, constant, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind, Space};
use crate::syntax::ast::{self, BinaryOp, UnaryOp};
use crate::types::{Qualifier, Type, TypeId};

impl Checker<'_> {
    /// Checks an expression.
    pub(super) fn expr(&mut self, e: &ast::Expr) -> Res<Node> {
        match &e.kind {
            ast::ExprKind::Int(int) => Ok(self.int_constant(int, e.span)),
            ast::ExprKind::Str(bytes) => {
                let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
                let end = end.min(self.strsize.saturating_sub(1) as usize);
                let kind = ExprKind::StrConst(bytes[..end].to_vec());
                Ok(Node::value(self.types.basic().string, expr(kind, ir::Ty::Str, e.span)))
            }
            ast::ExprKind::Ident { scope, name } => self.identifier(*scope, name, e.span),
            ast::ExprKind::KernelSymbol { module, name } => {
                self.kernel_symbol(module.as_deref(), name, e.span)
            }
            ast::ExprKind::Aggregation { name, .. } => Err(Diag::error(
                Tag::D_AGG_NULL,
                e.span,
                format!(
                    "expression cannot use the value of aggregation @{name}: an aggregating function must be assigned to it"
                ),
            )),
            ast::ExprKind::Unary(op, of) => self.unary(*op, of, e.span),
            ast::ExprKind::Binary(op, a, b) => self.binary_expr(*op, a, b, e.span),
            ast::ExprKind::Assign { op, target, value } => self.assign(*op, target, value, e.span),
            ast::ExprKind::IncDec { increment, prefix, target } => {
                self.increment(*increment, *prefix, target, e.span)
            }
            ast::ExprKind::Cond(c, a, b) => self.conditional(c, a, b, e.span),
            ast::ExprKind::Comma(a, b) => {
                let first = self.expr(a)?;
                let first = self.rvalue_or_void(first)?;
                let second = self.expr(b)?;
                let ty = second.ty;
                let value = self.rvalue_or_void(second)?;
                let ir_ty = value.ty;
                Ok(Node::value(ty, expr(ExprKind::Comma(Box::new(first), Box::new(value)), ir_ty, e.span)))
            }
            ast::ExprKind::Cast { ty, of } => self.cast_expr(ty, of, e.span),
            ast::ExprKind::SizeofType(ty) => {
                let id = self.type_name(ty)?;
                self.sizeof(id, e.span)
            }
            ast::ExprKind::SizeofExpr(of) => {
                let node = self.expr(of)?;
                if let Kind::Place { place, .. } = &node.kind
                    && place.bits.is_some()
                {
                    return Err(Diag::error(
                        Tag::D_SIZEOF_BITFIELD,
                        e.span,
                        "cannot apply sizeof to a bit-field",
                    ));
                }
                self.sizeof(node.ty, e.span)
            }
            ast::ExprKind::Offsetof { ty, member } => self.offsetof(ty, member, e.span),
            ast::ExprKind::Stringof(of) => {
                let node = self.expr(of)?;
                self.stringof(node, e.span)
            }
            ast::ExprKind::Xlate { ty, of } => self.xlate(ty, of, e.span),
            ast::ExprKind::Call { function, args } => self.call(function, args, e.span),
            ast::ExprKind::Index { of, index } => self.index(of, index, e.span),
            ast::ExprKind::Member { of, member } => {
                let node = self.expr(of)?;
                self.member(node, member, e.span)
            }
            ast::ExprKind::Arrow { of, member } => {
                let node = self.expr(of)?;
                self.arrow(node, member, e.span)
            }
            ast::ExprKind::Error => Err(Diag::error(Tag::D_SYNTAX, e.span, "syntax error")),
        }
    }

    /// C's rules for the type of an integer constant.
    fn int_constant(&mut self, int: &ast::IntLit, span: Span) -> Node {
        let b = self.types.basic();
        let candidates = [
            (b.int, i32::MAX as u64, false, 0),
            (b.unsigned_int, u32::MAX as u64, true, 0),
            (b.long, i64::MAX as u64, false, 1),
            (b.unsigned_long, u64::MAX, true, 1),
            (b.long_long, i64::MAX as u64, false, 2),
            (b.unsigned_long_long, u64::MAX, true, 2),
        ];
        let fits = |&&(_, max, unsigned, longs): &&(TypeId, u64, bool, u8)| {
            int.value <= max
                && longs >= int.longs
                && (if int.unsigned { unsigned } else { !unsigned || !int.decimal || int.character })
        };
        let ty = candidates.iter().find(fits).map_or(b.unsigned_long_long, |c| c.0);
        let ir_ty = self.ir_type(ty).unwrap_or(ir::Ty::I64);
        Node::value(ty, constant(int.value as i64, ir_ty, span))
    }

    /// An `int` constant.
    pub(super) fn int_node(&self, value: i64, span: Span) -> Node {
        Node::value(self.types.basic().int, constant(value, ir::Ty::I32, span))
    }

    /// Reads an lvalue, decays arrays in memory; what remains is a value.
    pub(super) fn rvalue(&mut self, node: Node) -> Res<ir::Expr> {
        match node.kind {
            Kind::Value(e) => Ok(e),
            Kind::Place { place, .. } => Ok(self.read(place)),
            Kind::Translated { .. } => Err(Diag::error(
                Tag::D_OP_DYN,
                node.span,
                "expression of a translated type cannot be used as a value: name one of its members",
            )),
            Kind::Void(e) => {
                Err(Diag::error(Tag::D_OP_VFPTR, e.span, "expression of type \"void\" has no value"))
            }
        }
    }

    /// As [`Checker::rvalue`], but a void expression is fine too.
    pub(super) fn rvalue_or_void(&mut self, node: Node) -> Res<ir::Expr> {
        match node.kind {
            Kind::Void(e) => Ok(e),
            _ => self.rvalue(node),
        }
    }

    /// The present value of a place.
    fn read(&mut self, place: ir::Place) -> ir::Expr {
        let (ty, span, bits) = (place.ty, place.span, place.bits);
        let whole = match place.kind {
            ir::PlaceKind::Mem { addr, space } if ty == ir::Ty::Str => {
                expr(ExprKind::LoadStr { addr, space, max: None }, ty, span)
            }
            ir::PlaceKind::Mem { addr, space } => expr(ExprKind::Load { addr, space }, ty, span),
            _ => expr(ExprKind::Read(Box::new(ir::Place { bits: None, ..place })), ty, span),
        };
        match bits {
            None => whole,
            Some((shift, bits)) => expr(ExprKind::BitField { of: Box::new(whole), shift, bits }, ty, span),
        }
    }

    /// A value as it is used in an expression: arrays in memory become pointers.
    pub(super) fn operand(&mut self, e: &ast::Expr) -> Res<Node> {
        let node = self.expr(e)?;
        self.decay(node)
    }

    /// Arrays in memory become pointers to their first element; other lvalues are read.
    pub(super) fn decay(&mut self, node: Node) -> Res<Node> {
        if let Some((of, _)) = self.types.element(node.ty)
            && let Kind::Place { place: ir::Place { kind: ir::PlaceKind::Mem { addr, .. }, .. }, .. } =
                &node.kind
        {
            let ty = self.types.pointer(of);
            return Ok(Node::value(ty, ir::Expr { ty: ir::Ty::U64, ..(**addr).clone() }));
        }
        if matches!(node.kind, Kind::Translated { .. }) {
            return Ok(node);
        }
        let (ty, span) = (node.ty, node.span);
        let value = self.rvalue(node)?;
        Ok(Node { ty, kind: Kind::Value(value), span })
    }

    /// An integer operand for operator `op`.
    pub(super) fn integer(&mut self, e: &ast::Expr, op: &str) -> Res<Node> {
        let node = self.operand(e)?;
        if self.types.integer(node.ty).is_none() {
            return Err(Diag::error(
                Tag::D_OP_INT,
                e.span,
                format!("operator {op} requires an operand of integral type"),
            ));
        }
        Ok(node)
    }

    /// The value of a constant integer expression.
    pub(super) fn constant_expr(&mut self, e: &ast::Expr) -> Option<i64> {
        self.expr(e).ok().and_then(|n| n.constant())
    }

    fn unary(&mut self, op: UnaryOp, of: &ast::Expr, span: Span) -> Res<Node> {
        match op {
            UnaryOp::Deref => {
                let node = self.operand(of)?;
                self.deref(node, span)
            }
            UnaryOp::AddrOf => self.address_of(of, span),
            UnaryOp::LogNot => {
                let node = self.operand(of)?;
                let value = if self.types.is_string(node.ty) {
                    let value = self.rvalue(node)?;
                    return Ok(Node::value(
                        self.types.basic().int,
                        expr(ExprKind::StrIsNull(Box::new(value)), ir::Ty::I32, span),
                    ));
                } else if self.types.is_scalar(node.ty) && !matches!(node.kind, Kind::Translated { .. }) {
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
                let value = self.rvalue(node)?;
                let ir_ty = value.ty;
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

    /// `*p`.
    pub(super) fn deref(&mut self, node: Node, span: Span) -> Res<Node> {
        if let Kind::Translated { translator, input, pointer: true } = node.kind {
            return Ok(Node {
                ty: node.ty,
                kind: Kind::Translated { translator, input, pointer: false },
                span,
            });
        }
        let Some(to) = self.types.pointee(node.ty) else {
            return Err(Diag::error(
                Tag::D_DEREF_NONPTR,
                span,
                format!("cannot dereference non-pointer type {}", self.quoted(node.ty)),
            ));
        };
        match self.types.base(to) {
            Type::Void => {
                return Err(Diag::error(Tag::D_DEREF_VOID, span, "cannot dereference pointer to void"));
            }
            Type::Function { .. } => {
                return Err(Diag::error(Tag::D_DEREF_FUNC, span, "cannot dereference pointer to function"));
            }
            _ => {}
        }
        let space = self.space(node.ty, to);
        let addr = self.rvalue(node)?;
        self.memory(addr, space, to, span)
    }

    /// Where objects of a pointer's target live.
    pub(super) fn space(&self, pointer: TypeId, to: TypeId) -> Space {
        let user = Qualifier::Userland;
        if self.types.has_qualifier(pointer, user) || self.types.has_qualifier(to, user) {
            Space::User
        } else {
            Space::Any
        }
    }

    /// The object of type `to` at an address.
    pub(super) fn memory(&mut self, addr: ir::Expr, space: Space, to: TypeId, span: Span) -> Res<Node> {
        self.complete_from_source(to);
        let ty = self.ir_type(to);
        let Some(ty) = ty else {
            return Err(Diag::error(
                Tag::D_OP_INCOMPLETE,
                span,
                format!("operator requires a complete type: {} is incomplete", self.quoted(to)),
            ));
        };
        let place =
            ir::Place { kind: ir::PlaceKind::Mem { addr: Box::new(addr), space }, ty, bits: None, span };
        Ok(Node { ty: to, kind: Kind::Place { place, writable: true }, span })
    }

    /// `&x`: only objects in memory have addresses in D.
    fn address_of(&mut self, of: &ast::Expr, span: Span) -> Res<Node> {
        let node = self.expr(of)?;
        match node.kind {
            Kind::Place { place, .. } if place.bits.is_some() => {
                Err(Diag::error(Tag::D_ADDROF_BITFIELD, span, "cannot take address of a bit-field"))
            }
            Kind::Place { place: ir::Place { kind: ir::PlaceKind::Mem { addr, .. }, .. }, .. } => {
                let ty = self.types.pointer(node.ty);
                Ok(Node::value(ty, *addr))
            }
            Kind::Place { .. } => {
                let name = match &of.kind {
                    ast::ExprKind::Ident { name, .. } => name.clone(),
                    _ => "expression".to_string(),
                };
                Err(Diag::error(
                    Tag::D_ADDROF_VAR,
                    span,
                    format!("cannot take address of dynamic variable \"{name}\""),
                ))
            }
            Kind::Value(_) if matches!(of.kind, ast::ExprKind::Ident { .. }) => {
                Err(Diag::error(Tag::D_ADDROF_VAR, span, "cannot take address of a built-in variable"))
            }
            _ => Err(Diag::error(
                Tag::D_ADDROF_LVAL,
                span,
                "unacceptable operand for unary & operator: cannot take address of it",
            )),
        }
    }

    /// `sizeof`.
    fn sizeof(&mut self, ty: TypeId, span: Span) -> Res<Node> {
        self.complete_from_source(ty);
        match self.types.size(ty) {
            Some(size) => {
                let ty = self.types.lookup_typedef("size_t").unwrap_or(self.types.basic().unsigned_long);
                Ok(Node::value(ty, constant(size as i64, ir::Ty::U64, span)))
            }
            None => Err(Diag::error(
                Tag::D_SIZEOF_TYPE,
                span,
                format!("cannot apply sizeof to an operand of type {}", self.quoted(ty)),
            )),
        }
    }

    fn offsetof(&mut self, ty: &ast::TypeName, member: &ast::Name, span: Span) -> Res<Node> {
        let id = self.type_name(ty)?;
        self.complete_from_source(id);
        if self.types.composite(id).is_none() {
            return Err(Diag::error(
                Tag::D_OFFSETOF_TYPE,
                span,
                format!("offsetof operand must be a struct or union type, not {}", self.quoted(id)),
            ));
        }
        let Some(found) = self.types.member(id, &member.text) else { return Err(self.no_member(id, member)) };
        if found.bits.is_some() {
            return Err(Diag::error(
                Tag::D_OFFSETOF_BITFIELD,
                span,
                format!("cannot take offset of a bit-field: {}", member.text),
            ));
        }
        let ty = self.types.lookup_typedef("size_t").unwrap_or(self.types.basic().unsigned_long);
        Ok(Node::value(ty, constant(found.offset as i64, ir::Ty::U64, span)))
    }

    pub(super) fn no_member(&self, ty: TypeId, member: &ast::Name) -> Diag {
        Diag::error(
            Tag::D_TYPE_MEMBER,
            member.span,
            format!("{} is not a member of {}", member.text, self.types.name(self.types.resolve(ty))),
        )
    }

    /// `o.m`.
    pub(super) fn member(&mut self, node: Node, member: &ast::Name, span: Span) -> Res<Node> {
        if let Kind::Translated { translator, input, .. } = node.kind {
            return self.translated_member(translator, *input, member, span);
        }
        if self.types.composite(node.ty).is_none() {
            return Err(Diag::error(
                Tag::D_OP_SOU,
                span,
                format!("operator . cannot be applied to operand of type {}", self.quoted(node.ty)),
            ));
        }
        let Some(found) = self.types.member(node.ty, &member.text) else {
            return Err(self.no_member(node.ty, member));
        };
        let ty = self.value_type(found.ty, span)?;
        match node.kind {
            Kind::Place { place, writable } => {
                let kind = offset_place(place.kind, found.offset);
                let place = ir::Place { kind, ty, bits: found.bits, span };
                Ok(Node { ty: found.ty, kind: Kind::Place { place, writable }, span })
            }
            Kind::Value(of) => {
                let part = expr(ExprKind::Extract { of: Box::new(of), offset: found.offset }, ty, span);
                let part = match found.bits {
                    Some((shift, bits)) => {
                        expr(ExprKind::BitField { of: Box::new(part), shift, bits }, ty, span)
                    }
                    None => part,
                };
                Ok(Node::value(found.ty, part))
            }
            _ => Err(Diag::error(Tag::D_OP_SOU, span, "operator . cannot be applied to a void expression")),
        }
    }

    /// `p->m`.
    fn arrow(&mut self, node: Node, member: &ast::Name, span: Span) -> Res<Node> {
        if let Kind::Translated { translator, input, pointer: true } = node.kind {
            return self.translated_member(translator, *input, member, span);
        }
        let node = self.decay(node)?;
        let target = self.types.pointee(node.ty);
        match target {
            Some(to) if self.types.composite(to).is_some() => {
                let object = self.deref(node, span)?;
                self.member(object, member, span)
            }
            Some(to) => Err(Diag::error(
                Tag::D_OP_SOU,
                span,
                format!(
                    "operator -> cannot be applied to pointer to type {}; must be applied to a struct or union pointer",
                    self.quoted(to)
                ),
            )),
            None => Err(Diag::error(Tag::D_OP_PTR, span, "operator -> must be applied to a pointer")),
        }
    }

    fn binary_expr(&mut self, op: BinaryOp, a: &ast::Expr, b: &ast::Expr, span: Span) -> Res<Node> {
        use BinaryOp::*;
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

    /// A scalar as a condition; a string is true unless NULL.
    fn truth(&mut self, e: &ast::Expr, op: &str) -> Res<ir::Expr> {
        let node = self.operand(e)?;
        if self.types.is_string(node.ty) {
            let value = self.rvalue(node)?;
            let null = expr(ExprKind::StrIsNull(Box::new(value)), ir::Ty::I32, e.span);
            return Ok(expr(ExprKind::Unary(ir::UnaryOp::LogNot, Box::new(null)), ir::Ty::I32, e.span));
        }
        if matches!(node.kind, Kind::Translated { .. }) || !self.types.is_scalar(node.ty) {
            return Err(Diag::error(
                Tag::D_OP_SCALAR,
                e.span,
                format!("operator {op} requires operands of scalar type"),
            ));
        }
        self.rvalue(node)
    }

    /// Arithmetic and bitwise operators on decayed operands.
    pub(super) fn arithmetic(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Res<Node> {
        let (lptr, rptr) = (self.types.pointee(left.ty), self.types.pointee(right.ty));
        if matches!(op, BinaryOp::Add | BinaryOp::Sub) && (lptr.is_some() || rptr.is_some()) {
            return self.pointer_arithmetic(op, left, right, span);
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
        let ty = self.promote(left.ty, right.ty);
        let ir_ty = self.value_type(ty, span)?;
        let a = cast(self.rvalue(left)?, ir_ty);
        let b = cast(self.rvalue(right)?, ir_ty);
        Ok(Node::value(ty, binary(ir_op(op), a, b, ir_ty, span)))
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

    fn pointer_arithmetic(&mut self, op: BinaryOp, left: Node, right: Node, span: Span) -> Res<Node> {
        let (lto, rto) = (self.types.pointee(left.ty), self.types.pointee(right.ty));
        let (to, ty) = match (lto, rto) {
            (Some(to), None) => (to, left.ty),
            (None, Some(to)) if op == BinaryOp::Add => (to, right.ty),
            (Some(to), Some(other)) if op == BinaryOp::Sub => {
                if self.types.size(to) != self.types.size(other) {
                    return Err(self.incompatible(op.text(), &left, &right, span));
                }
                (to, self.types.lookup_typedef("ptrdiff_t").unwrap_or(left.ty))
            }
            _ => return Err(self.incompatible(op.text(), &left, &right, span)),
        };
        let size = match self.types.base(to) {
            Type::Void => 1,
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
        let int = self.types.basic().int;
        let scalar =
            |c: &Self, n: &Node| c.types.is_scalar(n.ty) && !matches!(n.kind, Kind::Translated { .. });
        let string = |c: &Self, n: &Node| c.types.is_string(n.ty);
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
        let signed = [&left, &right].iter().any(|n| matches!(self.types.integer(n.ty), Some((_, true))));
        let pointer = self.types.pointee(left.ty).is_some() || self.types.pointee(right.ty).is_some();
        let wide = if signed && !pointer { ir::Ty::I64 } else { ir::Ty::U64 };
        let a = cast(self.rvalue(left)?, wide);
        let b = cast(self.rvalue(right)?, wide);
        Ok(Node::value(int, binary(ir_op(op), a, b, ir::Ty::I32, span)))
    }

    fn conditional(&mut self, c: &ast::Expr, a: &ast::Expr, b: &ast::Expr, span: Span) -> Res<Node> {
        let cond = self.truth(c, "?:")?;
        let left = self.operand(a)?;
        let right = self.operand(b)?;
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

    /// `a[i]`: an associative array's element, an array's, or `args[]`.
    fn index(&mut self, of: &ast::Expr, index: &[ast::Expr], span: Span) -> Res<Node> {
        if let ast::ExprKind::Ident { scope, name } = &of.kind
            && let Some(node) = self.named_index(*scope, name, index, span)?
        {
            return Ok(node);
        }
        let base = self.expr(of)?;
        let [only] = index else {
            return Err(Diag::error(
                Tag::D_ARR_BADREF,
                span,
                "expression is not an associative array: it takes one index",
            ));
        };
        // An array variable is indexed in place; everything else through its address.
        if let Some((element, len)) = self.types.element(base.ty)
            && let Kind::Place { place, writable } = &base.kind
            && !matches!(place.kind, ir::PlaceKind::Mem { .. })
        {
            let (place, writable) = (place.clone(), *writable);
            return self.array_element(place, writable, element, len, only, span);
        }
        let base = self.decay(base)?;
        if self.types.pointee(base.ty).is_none() {
            return Err(Diag::error(
                Tag::D_ARR_BADREF,
                span,
                format!(
                    "cannot index an expression of type {}: it is no array or pointer",
                    self.quoted(base.ty)
                ),
            ));
        }
        let index = self.integer(only, "[]")?;
        let address = self.pointer_arithmetic(BinaryOp::Add, base, index, span)?;
        self.deref(address, span)
    }

    /// Element of an array that lives in a variable.
    fn array_element(
        &mut self,
        place: ir::Place,
        writable: bool,
        element: TypeId,
        len: u64,
        index: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        let node = self.integer(index, "[]")?;
        let size = self.types.size(element).unwrap_or(1) as i64;
        let ty = self.value_type(element, span)?;
        if let Some(i) = node.constant()
            && (i < 0 || i as u64 >= len)
        {
            return Err(Diag::error(
                Tag::D_ARR_BOUNDS,
                span,
                format!("index outside array bounds: {i}, array size is {len}"),
            ));
        }
        let index = cast(self.rvalue(node)?, ir::Ty::I64);
        let offset = binary(ir::BinaryOp::Mul, index, constant(size, ir::Ty::I64, span), ir::Ty::I64, span);
        let kind = match place.kind {
            ir::PlaceKind::Var { var, offset: None } => {
                ir::PlaceKind::Var { var, offset: Some(Box::new(offset)) }
            }
            ir::PlaceKind::Var { var, offset: Some(base) } => {
                let sum = binary(ir::BinaryOp::Add, *base, offset, ir::Ty::I64, span);
                ir::PlaceKind::Var { var, offset: Some(Box::new(sum)) }
            }
            ir::PlaceKind::Elem { var, key, offset: base } => match offset.kind {
                ExprKind::Const(v) => ir::PlaceKind::Elem { var, key, offset: base + v as u32 },
                _ => {
                    return Err(Diag::error(
                        Tag::D_ARR_BADREF,
                        span,
                        "an array within an associative array takes a constant index",
                    ));
                }
            },
            mem => mem,
        };
        let place = ir::Place { kind, ty, bits: None, span };
        Ok(Node { ty: element, kind: Kind::Place { place, writable }, span })
    }
}

/// The same place, `offset` bytes further.
pub(super) fn offset_place(kind: ir::PlaceKind, offset: u32) -> ir::PlaceKind {
    let add = |base: ir::Expr, ty: ir::Ty| {
        let span = base.span;
        binary(ir::BinaryOp::Add, cast(base, ty), constant(offset as i64, ty, span), ty, span)
    };
    match kind {
        kind if offset == 0 => kind,
        ir::PlaceKind::Var { var, offset: None } => {
            let span = Span::default();
            ir::PlaceKind::Var { var, offset: Some(Box::new(constant(offset as i64, ir::Ty::I64, span))) }
        }
        ir::PlaceKind::Var { var, offset: Some(base) } => {
            ir::PlaceKind::Var { var, offset: Some(Box::new(add(*base, ir::Ty::I64))) }
        }
        ir::PlaceKind::Elem { var, key, offset: base } => {
            ir::PlaceKind::Elem { var, key, offset: base + offset }
        }
        ir::PlaceKind::Mem { addr, space } => {
            ir::PlaceKind::Mem { addr: Box::new(add(*addr, ir::Ty::U64)), space }
        }
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
