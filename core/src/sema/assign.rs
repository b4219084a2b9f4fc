//! Assignments, increments, and the variables that they declare.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, constant, expr};
use super::operators::ir_op;
use super::variables::builtin;
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind};
use crate::syntax::ast::{self, Scope};
use crate::types::{Type, TypeId};

impl Checker<'_> {
    /// `target = value`, `target op= value`.
    pub(super) fn assign(
        &mut self,
        op: Option<ast::BinaryOp>,
        target: &ast::Expr,
        value: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        if let ast::ExprKind::Aggregation { name, .. } = &target.kind {
            return Err(Diag::error(
                Tag::D_AGG_NULL,
                span,
                format!("aggregation @{name} may only be assigned in a statement of its own"),
            ));
        }
        let text = op.map_or("=".to_string(), |op| format!("{}=", op.text()));
        if op.is_some()
            && let Some((scope, name)) = self.new_name(target)
        {
            return Err(self.unassigned(scope, &name, target.span));
        }
        let Some(op) = op else {
            let node = self.expr(value)?;
            let node = self.decay(node)?;
            if let Some(done) = self.assign_character(target, &node, span)? {
                return Ok(done);
            }
            self.create_on_assignment(target, &node)?;
            let (place, ty) = self.lvalue(target, &text)?;
            if self.types.element(ty).is_some() {
                return Err(self.whole_array(&text, ty, span));
            }
            let ir_ty = place.ty;
            let whole = matches!(place.kind, ir::PlaceKind::Elem { offset: 0, .. })
                && matches!(target.kind, ast::ExprKind::Index { .. });
            let stored = match ir_ty {
                // Zero deletes an element, whatever its type.
                ir::Ty::Bytes(_) if whole && node.constant() == Some(0) => constant(0, ir_ty, span),
                _ => self.stored(node, ty, &text, target, span)?,
            };
            let kind = ExprKind::Assign { place: Box::new(place), value: Box::new(stored) };
            return Ok(Node::value(ty, expr(kind, ir_ty, span)));
        };
        let (place, ty) = self.lvalue(target, &text)?;
        let node = self.operand(value)?;
        let right_ty = node.ty;
        if matches!(op, ast::BinaryOp::Add | ast::BinaryOp::Sub) {
            self.additive_assignment(ty, &node, &text, span)?;
        }
        let (compute, operand) = if let Some(to) = self.types.pointee(ty) {
            if !matches!(op, ast::BinaryOp::Add | ast::BinaryOp::Sub) {
                return Err(needs_numbers(op, span));
            }
            let size = self.types.size(to).unwrap_or(1).max(1) as i64;
            let value = cast(self.rvalue(node)?, ir::Ty::I64);
            let scaled = super::node::binary(
                ir::BinaryOp::Mul,
                value,
                constant(size, ir::Ty::I64, span),
                ir::Ty::I64,
                span,
            );
            (ir::Ty::U64, cast(scaled, ir::Ty::U64))
        } else {
            if self.types.integer(ty).is_none() || self.types.integer(right_ty).is_none() {
                return Err(needs_numbers(op, span));
            }
            if matches!(op, ast::BinaryOp::Div | ast::BinaryOp::Mod) && node.constant() == Some(0) {
                return Err(Diag::error(Tag::D_DIV_ZERO, span, "expression contains division by zero"));
            }
            // Signed as what is assigned to, whatever the operand is.
            let compute = self.wide(ty, span)?;
            (compute, cast(self.rvalue(node)?, compute))
        };
        let ir_ty = place.ty;
        let kind = ExprKind::Update {
            place: Box::new(place),
            op: ir_op(op),
            value: Box::new(operand),
            compute,
            old: false,
        };
        Ok(Node::value(ty, expr(kind, ir_ty, span)))
    }

    /// `s[i] = 'c'` of a string variable: the string with that character in place of its own. Past the end nothing
    /// changes. `None`: it is no such assignment.
    fn assign_character(&mut self, target: &ast::Expr, value: &Node, span: Span) -> Res<Option<Node>> {
        let ast::ExprKind::Index { of, index } = &target.kind else { return Ok(None) };
        let ([index], Some(character), None) = (index.as_slice(), value.constant(), self.new_name(target))
        else {
            return Ok(None);
        };
        let is_array = |c: &Self, scope, name: &String| {
            c.variables.get(&(scope, name.clone())).is_some_and(|variable| variable.key.is_some())
        };
        if matches!(&of.kind, ast::ExprKind::Ident { scope, name } if is_array(self, *scope, name)) {
            return Ok(None);
        }
        let node = self.expr(of)?;
        let Kind::Place { writable: true, .. } = node.kind else { return Ok(None) };
        if !self.types.is_string(node.ty) {
            return Ok(None);
        }
        let ty = node.ty;
        let call = |subroutine, args| expr(ExprKind::Call(subroutine, args), ir::Ty::Str, span);
        let number = |value| constant(value, ir::Ty::I64, span);
        let at = self.operand(index)?;
        let at = cast(self.rvalue(at)?, ir::Ty::I64);
        // The place, the text and the index are each used more than once.
        let mut before = Vec::new();
        let node = self.settled(node, &mut before);
        let at = Node::value(self.types.basic().int64, at);
        let Kind::Value(at) = self.settled(at, &mut before).kind else { return Ok(None) };
        let Kind::Place { place, .. } = node.kind.clone() else { return Ok(None) };
        let text = self.rvalue(node)?;
        let head = call(ir::Subroutine::Substr, vec![text.clone(), number(0), at.clone()]);
        let changed = match character as u8 {
            0 => head,
            character => {
                let middle = expr(ExprKind::StrConst(vec![character]), ir::Ty::Str, span);
                let next = super::node::binary(ir::BinaryOp::Add, at.clone(), number(1), ir::Ty::I64, span);
                let tail = call(ir::Subroutine::Substr, vec![text.clone(), next]);
                let head = call(ir::Subroutine::Strjoin, vec![head, middle]);
                call(ir::Subroutine::Strjoin, vec![head, tail])
            }
        };
        let length = cast(
            expr(ExprKind::Call(ir::Subroutine::Strlen, vec![text.clone()]), ir::Ty::U64, span),
            ir::Ty::I64,
        );
        let within = super::node::binary(ir::BinaryOp::Lt, at, length, ir::Ty::I32, span);
        let kind = ExprKind::Cond(Box::new(within), Box::new(changed), Box::new(text));
        let value = Box::new(expr(kind, ir::Ty::Str, span));
        let kind = ExprKind::Assign { place: Box::new(place), value };
        self.after(before, Node::value(ty, expr(kind, ir::Ty::Str, span))).map(Some)
    }

    /// Arrays are assigned element by element.
    fn whole_array(&self, op: &str, ty: TypeId, span: Span) -> Diag {
        Diag::error(
            Tag::D_OP_ARRFUN,
            span,
            format!("operator {op} may not be applied to operand of type {}", self.quoted(ty)),
        )
    }

    /// What `+=` and `-=` want: scalars of known size, and no pointer added to a pointer.
    fn additive_assignment(&mut self, ty: TypeId, value: &Node, text: &str, span: Span) -> Res<()> {
        let given = value.ty;
        let incompatible = |c: &Self| {
            Diag::error(
                Tag::D_OP_INCOMPAT,
                span,
                format!("operands have incompatible types: {} {text} {}", c.quoted(ty), c.quoted(given)),
            )
        };
        if self.types.is_string(ty) || self.types.is_string(given) {
            return Err(incompatible(self));
        }
        for (side, of) in [("left", ty), ("right", given)] {
            let unsized_pointer = self
                .types
                .pointee(of)
                .is_some_and(|to| matches!(self.types.base(to), Type::Void | Type::Function { .. }));
            if !self.types.is_scalar(of) || unsized_pointer {
                return Err(Diag::error(
                    Tag::D_OP_VFPTR,
                    span,
                    format!("operator {text} requires {side}-hand scalar operand of known size"),
                ));
            }
        }
        if self.types.pointee(given).is_some() {
            return Err(incompatible(self));
        }
        Ok(())
    }

    /// The name that an assignment would declare: a variable that does not exist yet.
    fn new_name(&self, target: &ast::Expr) -> Option<(Scope, String)> {
        let (scope, name) = match &target.kind {
            ast::ExprKind::Ident { scope, name } => (*scope, name),
            ast::ExprKind::Index { of, .. } => match &of.kind {
                ast::ExprKind::Ident { scope, name } => (*scope, name),
                _ => return None,
            },
            _ => return None,
        };
        let taken = self.variables.contains_key(&(scope, name.clone()))
            || (scope == Scope::Global
                && (builtin(name).is_some()
                    || self.inlines.contains_key(name)
                    || self.types.enumerator(name).is_some()
                    || matches!(name.as_str(), "args" | "uregs" | "regs" | "NULL" | "self" | "this")
                    || crate::builtins::functions::find(name).is_some()
                    || self.bindings.iter().any(|(n, _)| n == name)));
        (!taken).then(|| (scope, name.clone()))
    }

    /// `++x`, `x--`, ...
    pub(super) fn increment(
        &mut self,
        increment: bool,
        prefix: bool,
        target: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        let int64 = Node::value(self.types.basic().int64, constant(0, ir::Ty::I64, span));
        self.create_on_assignment(target, &int64)?;
        let text = if increment { "++" } else { "--" };
        let of = self.expr(target)?;
        if !self.types.is_scalar(of.ty) {
            return Err(Diag::error(
                Tag::D_OP_SCALAR,
                span,
                format!("operator {text} requires operand of scalar type"),
            ));
        }
        let (place, ty) = self.lvalue(target, text)?;
        let step = match self.types.pointee(ty) {
            Some(to) => self.types.size(to).unwrap_or(1).max(1) as i64,
            None if self.types.integer(ty).is_some() => 1,
            None => {
                return Err(Diag::error(
                    Tag::D_OP_SCALAR,
                    span,
                    format!("operator {text} requires operand of scalar type"),
                ));
            }
        };
        let ir_ty = place.ty;
        let op = if increment { ir::BinaryOp::Add } else { ir::BinaryOp::Sub };
        let kind = ExprKind::Update {
            place: Box::new(place),
            op,
            value: Box::new(constant(step, ir_ty, span)),
            compute: ir_ty,
            old: !prefix,
        };
        Ok(Node::value(ty, expr(kind, ir_ty, span)))
    }

    /// The place an assignment writes to.
    fn lvalue(&mut self, target: &ast::Expr, op: &str) -> Res<(ir::Place, TypeId)> {
        let node = self.expr(target)?;
        match node.kind {
            Kind::Place { place, writable: true } => Ok((place, node.ty)),
            Kind::Place { .. } => Err(Diag::error(
                Tag::D_OP_WRITE,
                target.span,
                format!("operator {op} cannot be applied to read-only data"),
            )),
            _ => {
                let named = match &target.kind {
                    ast::ExprKind::Ident { name, .. } => builtin(name).is_some(),
                    ast::ExprKind::Index { of, .. } => {
                        matches!(&of.kind, ast::ExprKind::Ident { name, .. } if matches!(name.as_str(), "args" | "uregs" | "regs"))
                    }
                    _ => false,
                };
                let tag = if named { Tag::D_OP_WRITE } else { Tag::D_OP_LVAL };
                Err(Diag::error(
                    tag,
                    target.span,
                    format!("operator {op} requires modifiable lvalue as an operand"),
                ))
            }
        }
    }

    /// The first assignment to a name declares it with the value's type.
    fn create_on_assignment(&mut self, target: &ast::Expr, value: &Node) -> Res<()> {
        let Some((scope, name)) = self.new_name(target) else { return Ok(()) };
        let index = match &target.kind {
            ast::ExprKind::Index { index, .. } => Some(index),
            _ => None,
        };
        if let Kind::Translated { .. } = value.kind {
            return Err(Diag::error(
                Tag::D_OP_DYN,
                target.span,
                format!("cannot assign a translated object to {name}: assign one of its members"),
            ));
        }
        if value.is_void() {
            return Err(Diag::error(
                Tag::D_OP_INCOMPAT,
                target.span,
                format!("operands have incompatible types: cannot assign \"void\" to {name}"),
            ));
        }
        if self.types.element(value.ty).is_some() && !self.is_stringlike(value.ty) {
            return Err(self.whole_array("=", value.ty, target.span));
        }
        let ty = match self.types.base(value.ty) {
            Type::Array { .. } if self.is_stringlike(value.ty) => self.types.basic().string,
            _ => self.unqualified(value.ty),
        };
        let key = match index {
            None => None,
            Some(_) if scope == Scope::Clause => {
                return Err(Diag::error(
                    Tag::D_ARR_LOCAL,
                    target.span,
                    format!(
                        "this->{name}[ ] may not be used: clause-local associative arrays are not supported"
                    ),
                ));
            }
            Some(index) => {
                let mut key = Vec::new();
                for (i, e) in index.iter().enumerate() {
                    let node = self.operand(e)?;
                    self.usable_key(&node, i)?;
                    let ty = match self.types.base(node.ty) {
                        Type::Array { .. } if self.is_stringlike(node.ty) => self.types.basic().string,
                        _ => self.unqualified(node.ty),
                    };
                    key.push(ty);
                }
                Some(key)
            }
        };
        self.add_variable(scope, &name, ty, key, target.span)?;
        Ok(())
    }

    fn unqualified(&self, mut ty: TypeId) -> TypeId {
        while let Type::Qualified {
            qualifier: crate::types::Qualifier::Const | crate::types::Qualifier::Volatile,
            to,
        } = self.types.get(ty)
        {
            ty = *to;
        }
        ty
    }
}

/// An assignment operator on what it cannot compute with.
fn needs_numbers(op: ast::BinaryOp, span: Span) -> Diag {
    let arithmetic = matches!(op, ast::BinaryOp::Mul | ast::BinaryOp::Div);
    let (tag, what) = if arithmetic { (Tag::D_OP_ARITH, "arithmetic") } else { (Tag::D_OP_INT, "integral") };
    Diag::error(tag, span, format!("operator {}= requires operands of {what} type", op.text()))
}
