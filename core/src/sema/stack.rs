//! Call traces as values: `self->where = ustack(3)`, `ustack(7).addrs[0]`.
//!
//! The object is a structure of the compiler's own, laid out as a record's field: `depth`, for user stacks `pid`, then
//! `addrs[]`. Wherever it is shown or is a key, it is a call trace again. `is_user` and `strsz` are Oracle's too.

use super::checker::{Checker, Res};
use super::node::{Node, constant, expr};
use crate::builtins::functions::{Action, Function};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind, StackSpec, Ty};
use crate::syntax::ast;
use crate::types::{Composite, MemberSpec, Type, TypeId};

impl Checker<'_> {
    /// `stack()` and its kin as an operand.
    pub(super) fn stack_value(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
    ) -> Res<Node> {
        let ty = self.stack_spec(row, action, args, span)?;
        let Ty::Stack(spec) = ty else {
            return Err(self.action_in_expression(row.name, span));
        };
        let id = self.stack_type(spec, span)?;
        let here = constant(0, ty, span);
        Ok(Node::value(id, expr(ExprKind::Cast(Box::new(here)), Ty::Bytes(spec.bytes()), span)))
    }

    /// The structure that holds a call trace.
    fn stack_type(&mut self, spec: StackSpec, span: Span) -> Res<TypeId> {
        if let Some((_, id)) = self.stack_types.iter().find(|(known, _)| *known == spec) {
            return Ok(*id);
        }
        let word = self.types.basic().uint64;
        let addresses = self.types.array(word, u64::from(spec.frames));
        let tag = if spec.user { "ustack" } else { "stack" };
        let whole = Composite { union: false, tag: tag.to_string(), members: None, size: 0, align: 1 };
        let id = self.types.add(Type::Composite(whole));
        let mut members = vec![MemberSpec::plain("depth", word)];
        if spec.user {
            members.push(MemberSpec::plain("pid", word));
        }
        members.push(MemberSpec::plain("addrs", addresses));
        self.types.complete(id, members).map_err(|_| {
            Diag::error(Tag::D_DECL_TOOBIG, span, "a call trace of so many frames cannot be a value")
        })?;
        self.stack_types.push((spec, id));
        Ok(id)
    }

    /// What the type alone says of a call trace: no member holds it.
    pub(super) fn stack_constant(&self, ty: TypeId, member: &str, span: Span) -> Option<Node> {
        let spec = self.stack_held(ty)?;
        let value = match member {
            "is_user" => i64::from(spec.user),
            "strsz" => i64::from(spec.strsize),
            // The kernel's is no process'.
            "pid" => 0,
            _ => return None,
        };
        Some(self.int_node(value, span))
    }

    /// Which call trace a type holds.
    pub(super) fn stack_held(&self, ty: TypeId) -> Option<StackSpec> {
        let ty = self.types.resolve(ty);
        self.stack_types.iter().find(|(_, id)| *id == ty).map(|(spec, _)| *spec)
    }
}

/// What an object holds, to be shown.
pub(super) fn trace_of(value: ir::Expr, spec: StackSpec) -> ir::Expr {
    let span = value.span;
    expr(ExprKind::Cast(Box::new(value)), Ty::Stack(spec), span)
}
