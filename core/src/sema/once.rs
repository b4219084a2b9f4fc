//! What more than one place needs is computed once.
//!
//! `print(p++)` records an address and what lies there, `speculate(speculation())` acts on a number and records it,
//! parameters of inlines and translators stand in their text as often as they like. Where computing it again would do
//! something again, or might give something else, the value is kept in a clause-local variable without a D name.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, expr};
use crate::ir::{self, ExprKind, PlaceKind, Subroutine};

impl Checker<'_> {
    /// A value for two places: the first of them is evaluated before the second.
    pub(super) fn twice(&mut self, value: ir::Expr) -> (ir::Expr, ir::Expr) {
        if !differs_when_repeated(&value) {
            return (value.clone(), value);
        }
        let (ty, span) = (value.ty, value.span);
        let (first, place) = self.kept(value);
        (first, expr(ExprKind::Read(Box::new(place)), ty, span))
    }

    /// A value put into a variable without a name, and where it then is.
    pub(super) fn kept(&mut self, value: ir::Expr) -> (ir::Expr, ir::Place) {
        let (ty, span) = (value.ty, value.span);
        let var = ir::VarId(self.program.variables.len() as u32);
        self.program.variables.push(ir::Variable {
            name: format!(".{}", var.0),
            scope: ir::Scope::ClauseLocal,
            ty,
            key: None,
            span,
        });
        let place = ir::Place { kind: PlaceKind::Var { var, offset: None }, ty, bits: None, span };
        let kind = ExprKind::Assign { place: Box::new(place.clone()), value: Box::new(value) };
        (expr(kind, ty, span), place)
    }

    /// A node that can be used as often as wanted, and what has to be evaluated before, in order.
    pub(super) fn settled(&mut self, mut node: Node, before: &mut Vec<ir::Expr>) -> Node {
        match &mut node.kind {
            Kind::Value(value) => self.settle(value, before),
            Kind::Place { place, .. } => match &mut place.kind {
                PlaceKind::Var { offset, .. } => {
                    offset.iter_mut().for_each(|offset| self.settle(offset, before));
                }
                PlaceKind::Elem { key, .. } => key.iter_mut().for_each(|part| self.settle(part, before)),
                PlaceKind::Mem { addr, .. } => self.settle(addr, before),
            },
            Kind::Translated { input, .. } => **input = self.settled((**input).clone(), before),
            Kind::Void(_) | Kind::Action(_) => {}
        }
        node
    }

    fn settle(&mut self, value: &mut ir::Expr, before: &mut Vec<ir::Expr>) {
        if differs_when_repeated(value) {
            let (first, again) = self.twice(value.clone());
            before.push(first);
            *value = again;
        }
    }

    /// The node, evaluated after all of these.
    pub(super) fn after(&mut self, before: Vec<ir::Expr>, mut node: Node) -> Res<Node> {
        if before.is_empty() {
            return Ok(node);
        }
        if let Kind::Translated { input, .. } = &mut node.kind {
            **input = self.after(before, (**input).clone())?;
            return Ok(node);
        }
        let span = node.span;
        let ty = node.ty;
        let last = self.rvalue_or_void(node)?;
        let value = before.into_iter().rev().fold(last, |last, first| {
            let ty = last.ty;
            expr(ExprKind::Comma(Box::new(first), Box::new(last)), ty, span)
        });
        let kind = if value.ty == ir::Ty::Void { Kind::Void(value) } else { Kind::Value(value) };
        Ok(Node { ty, kind, span })
    }
}

/// Would evaluating it again do something again, or might it give something else?
fn differs_when_repeated(value: &ir::Expr) -> bool {
    let mut found = false;
    ir::walk::walk(value, &mut |e| {
        found |= match &e.kind {
            ExprKind::Assign { .. } | ExprKind::Update { .. } => true,
            ExprKind::Builtin(builtin) => {
                matches!(builtin, ir::Builtin::Vtimestamp | ir::Builtin::Walltimestamp)
            }
            ExprKind::Call(subroutine, _) => matches!(
                subroutine,
                Subroutine::Alloca
                    | Subroutine::Bcopy
                    | Subroutine::Copyin
                    | Subroutine::Copyinto
                    | Subroutine::Copyout
                    | Subroutine::Copyoutstr
                    | Subroutine::Rand
                    | Subroutine::Speculation
                    | Subroutine::Strtok
            ),
            _ => false,
        };
    });
    found
}
