//! Conversions: casts, strings out of pointers and arrays, values for places.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind};
use crate::syntax::ast;
use crate::types::{Type, TypeId};

impl Checker<'_> {
    /// `(type)e`.
    pub(super) fn cast_expr(&mut self, ty: &ast::TypeName, of: &ast::Expr, span: Span) -> Res<Node> {
        let to = self.type_name(ty)?;
        let node = self.operand(of)?;
        if let Kind::Translated { pointer: true, .. } = node.kind
            && self.types.pointee(to).is_some()
        {
            return Ok(node);
        }
        if matches!(node.kind, Kind::Translated { .. }) {
            return Err(self.bad_cast(&node, to, span));
        }
        if self.types.is_string(to) {
            return self.stringof(node, span);
        }
        match self.types.base(to) {
            Type::Void => {
                let value = self.rvalue_or_void(node)?;
                return Ok(Node { ty: to, kind: Kind::Void(value), span });
            }
            Type::Composite(c) => {
                let id = self.types.resolve(to);
                let same = self.types.resolve(node.ty) == id;
                let _ = c;
                return if same { Ok(node) } else { Err(self.bad_cast(&node, to, span)) };
            }
            _ => {}
        }
        let node = if self.types.pointee(to).is_some() { self.pointer_to_array(node)? } else { node };
        let from_scalar =
            self.types.is_scalar(node.ty) || matches!(self.types.base(node.ty), Type::Function { .. });
        if !self.types.is_scalar(to) || !from_scalar {
            return Err(self.bad_cast(&node, to, span));
        }
        let ir_ty = self.value_type(to, span)?;
        let mut value = cast(self.rvalue(node)?, ir_ty);
        value.span = span;
        Ok(Node { ty: to, kind: Kind::Value(value), span })
    }

    fn bad_cast(&self, node: &Node, to: TypeId, span: Span) -> Diag {
        Diag::error(
            Tag::D_CAST_INVAL,
            span,
            format!("invalid cast expression: {} to {}", self.quoted(node.ty), self.quoted(to)),
        )
    }

    /// `stringof e`, `(string)e`.
    pub(super) fn stringof(&mut self, node: Node, span: Span) -> Res<Node> {
        let string = self.types.basic().string;
        if matches!(node.kind, Kind::Translated { .. }) {
            return Err(Diag::error(
                Tag::D_STRINGOF_TYPE,
                span,
                "cannot apply stringof to a translated object",
            ));
        }
        if self.types.is_string(node.ty) {
            return Ok(node);
        }
        // An integer is taken as an address, as dtrace does.
        let address = self.types.pointee(node.ty).is_some() || self.types.integer(node.ty).is_some();
        if address {
            let space = match self.types.pointee(node.ty) {
                Some(to) => self.space(node.ty, to),
                None => ir::Space::Any,
            };
            let addr = cast(self.rvalue(node)?, ir::Ty::U64);
            let kind = ExprKind::LoadStr { addr: Box::new(addr), space, max: None };
            return Ok(Node::value(string, expr(kind, ir::Ty::Str, span)));
        }
        if self.types.element(node.ty).is_some() {
            let value = self.rvalue(node)?;
            return Ok(Node::value(string, expr(ExprKind::StrOfBytes(Box::new(value)), ir::Ty::Str, span)));
        }
        Err(Diag::error(
            Tag::D_STRINGOF_TYPE,
            span,
            format!("cannot apply stringof to a value of type {}", self.quoted(node.ty)),
        ))
    }

    /// A string-like value as a string.
    pub(super) fn string_value(&mut self, node: Node) -> Res<ir::Expr> {
        let span = node.span;
        if node.constant() == Some(0) {
            return Ok(expr(ExprKind::StrNull, ir::Ty::Str, span));
        }
        let node = self.stringof(node, span)?;
        self.rvalue(node)
    }

    /// A decayed value converted to a type, as an argument or operand is; the error is the caller's to word.
    pub(super) fn converted(&mut self, node: Node, to: TypeId) -> Res<ir::Expr> {
        let span = node.span;
        let mismatch = |c: &Self, n: &Node| {
            Diag::error(
                Tag::D_OP_INCOMPAT,
                span,
                format!("operands have incompatible types: {} = {}", c.quoted(to), c.quoted(n.ty)),
            )
        };
        if node.is_void() || matches!(node.kind, Kind::Translated { .. }) {
            return Err(mismatch(self, &node));
        }
        let target = self.value_type(to, span)?;
        let node = if self.types.pointee(to).is_some() { self.pointer_to_array(node)? } else { node };
        match target {
            ir::Ty::Str => {
                if self.is_stringlike(node.ty) || node.constant() == Some(0) {
                    return self.string_value(node);
                }
                Err(mismatch(self, &node))
            }
            ir::Ty::Int { .. } => {
                let integer = self.types.integer(node.ty).is_some();
                let pointer = self.types.pointee(node.ty).is_some();
                let to_pointer = self.types.pointee(to);
                let fits = match to_pointer {
                    None => integer,
                    Some(target) => {
                        (pointer && self.pointers_agree(node.ty, target))
                            || (integer && node.constant() == Some(0))
                    }
                };
                if !fits {
                    return Err(mismatch(self, &node));
                }
                Ok(cast(self.rvalue(node)?, target))
            }
            ir::Ty::Bytes(_) => {
                let same = self.types.resolve(node.ty) == self.types.resolve(to);
                let arrays = self.types.element(to).is_some()
                    && self.types.element(node.ty).is_some()
                    && self.types.size(to) == self.types.size(node.ty);
                if self.is_stringlike(to) && self.types.element(to).is_some() && !arrays {
                    // A char array as a key part or argument is a string.
                    return self.string_value(node);
                }
                if !same && !arrays {
                    return Err(mismatch(self, &node));
                }
                self.rvalue(node)
            }
            _ => Err(mismatch(self, &node)),
        }
    }

    /// May a pointer be assigned to a pointer to `target`? Void goes with all, else the targets must be alike.
    pub(super) fn pointers_agree(&self, from: TypeId, target: TypeId) -> bool {
        let Some(source) = self.types.pointee(from) else { return false };
        let void = |ty| matches!(self.types.base(ty), Type::Void);
        if void(source) || void(target) {
            return true;
        }
        let (a, b) = (self.types.resolve(source), self.types.resolve(target));
        a == b
            || self.types.name(a) == self.types.name(b)
            || match (self.types.integer(a), self.types.integer(b)) {
                (Some((x, _)), Some((y, _))) => x == y,
                _ => self.types.pointee(a).is_some() && self.types.pointee(b).is_some(),
            }
    }

    /// An argument converted for a parameter of an inline or translator; keeps translated objects.
    pub(super) fn argument(&mut self, node: Node, ty: TypeId, name: &str, span: Span) -> Res<Node> {
        if matches!(node.kind, Kind::Translated { .. }) {
            return Ok(node);
        }
        let given = node.ty;
        let value = self.converted(node, ty).map_err(|_| {
            Diag::error(
                Tag::D_PROTO_ARG,
                span,
                format!(
                    "argument {name} is incompatible with prototype:\n\tprototype: {}\n\t argument: {}",
                    self.types.name(ty),
                    self.types.name(given)
                ),
            )
        })?;
        Ok(Node { ty, kind: Kind::Value(value), span })
    }

    /// A value as it is stored into a place of type `ty`.
    pub(super) fn stored(
        &mut self,
        node: Node,
        ty: TypeId,
        op: &str,
        target: &ast::Expr,
        span: Span,
    ) -> Res<ir::Expr> {
        let given = node.ty;
        self.converted(node, ty).map_err(|diag| {
            if diag.tag != Tag::D_OP_INCOMPAT {
                return diag;
            }
            let _ = target;
            Diag::error(
                Tag::D_OP_INCOMPAT,
                span,
                format!("operands have incompatible types: {} {op} {}", self.quoted(ty), self.quoted(given)),
            )
        })
    }
}
