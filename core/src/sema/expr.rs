//! Expressions: from tree to checked nodes.
//!
//! The rules are libdtrace's: integers are promoted to the wider operand's type
//! (so `char + char` is a `char`), comparisons are signed when either side is.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, constant, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind};
use crate::syntax::ast;
use crate::types::TypeId;

impl Checker<'_> {
    /// Checks an expression.
    pub(super) fn expr(&mut self, e: &ast::Expr) -> Res<Node> {
        match &e.kind {
            ast::ExprKind::Int(int) => self.int_constant(int, e.span),
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
            ast::ExprKind::Aggregation { name, .. } if !self.aggregations.contains_key(name) => {
                Err(self.no_aggregation(name, e.span))
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
                if self.is_action(a) || self.is_action(b) {
                    return Err(Diag::error(Tag::D_OP_ACT, e.span, "operator , operands cannot be actions"));
                }
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
                if let ast::ExprKind::Str(bytes) = &of.kind {
                    // As in C, the array that a string constant is: not the type `string`.
                    let size = constant(bytes.len() as i64 + 1, ir::Ty::U64, e.span);
                    return Ok(Node::value(self.size_type(), size));
                }
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
    fn int_constant(&mut self, int: &ast::IntLit, span: Span) -> Res<Node> {
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
        let Some(&(ty, ..)) = candidates.iter().find(fits) else {
            return Err(Diag::error(
                Tag::D_INT_OFLOW,
                span,
                format!(
                    "integer constant {:#x} cannot be represented in any built-in integral type",
                    int.value
                ),
            ));
        };
        let ir_ty = self.value_type(ty, span)?;
        Ok(Node::value(ty, constant(int.value as i64, ir_ty, span)))
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
            Kind::Action(name) => Err(self.action_in_expression(name, node.span)),
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
        // An array in a variable stays what it is: as a pointer only where one is asked for.
        let array = matches!(node.kind, Kind::Place { .. }) && self.types.element(node.ty).is_some();
        if array || node.is_void() || matches!(node.kind, Kind::Translated { .. }) {
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
            let arithmetic = matches!(op, "-" | "+");
            let (tag, what) =
                if arithmetic { (Tag::D_OP_ARITH, "arithmetic") } else { (Tag::D_OP_INT, "integral") };
            return Err(Diag::error(
                tag,
                e.span,
                format!("operator {op} requires an operand of {what} type"),
            ));
        }
        Ok(node)
    }

    /// The value of a constant integer expression.
    pub(super) fn constant_expr(&mut self, e: &ast::Expr) -> Option<i64> {
        self.expr(e).ok().and_then(|n| n.constant())
    }
}
