//! Translators: objects whose members are computed from something else.

use super::checker::{Checker, Res};
use super::node::{Kind, Node};
use crate::diagnostic::{Diag, Span, Tag};
use crate::syntax::ast;
use crate::types::TypeId;

/// `translator out < in v > { member = expr; ... }`.
#[derive(Clone, Debug)]
pub(super) struct Translator {
    pub output: TypeId,
    pub input: TypeId,
    pub variable: String,
    pub members: Vec<(String, ast::Expr)>,
}

impl Checker<'_> {
    /// A translator definition.
    pub(super) fn translator(&mut self, t: &ast::Translator) -> Res<()> {
        let output = self.type_name(&t.output)?;
        let input = self.type_name(&t.input)?;
        if self.types.composite(output).is_some_and(|c| c.members.is_none()) {
            return Err(Diag::error(
                Tag::D_XLATE_SOU,
                t.output.span,
                format!("incomplete struct/union/enum {}", self.types.name(output)),
            ));
        }
        if self.types.composite(output).is_none() {
            return Err(Diag::error(
                Tag::D_XLATE_SOU,
                t.output.span,
                format!("translator output type must be a struct or union, not {}", self.quoted(output)),
            ));
        }
        if self.find_translator(output, input, true).is_some() {
            return Err(Diag::error(
                Tag::D_XLATE_REDECL,
                t.span,
                format!(
                    "translator from {} to {} has been redeclared",
                    self.quoted(input),
                    self.quoted(output)
                ),
            ));
        }
        // The members are checked here once, with the input standing for itself.
        let ir_ty = self.value_type(input, t.input.span)?;
        let stand_in = super::node::expr(crate::ir::ExprKind::Arg(0), ir_ty, t.span);
        let place = crate::ir::Place {
            kind: crate::ir::PlaceKind::Mem {
                addr: Box::new(stand_in.clone()),
                space: crate::ir::Space::Any,
            },
            ty: ir_ty,
            bits: None,
            span: t.span,
        };
        let node = if self.types.is_scalar(input) {
            Node::value(input, stand_in)
        } else {
            Node { ty: input, kind: Kind::Place { place, writable: false }, span: t.span }
        };
        for (member, value) in &t.members {
            let Some(found) = self.types.member(output, &member.text) else {
                return Err(Diag::error(
                    Tag::D_XLATE_MEMB,
                    member.span,
                    format!("translator member {} is not a member of {}", member.text, self.quoted(output)),
                ));
            };
            self.bindings.push((t.variable.text.clone(), node.clone()));
            let checked = self.expr(value);
            self.bindings.pop();
            let checked = self.decay(checked?)?;
            if matches!(checked.kind, Kind::Translated { .. }) {
                continue;
            }
            let given = checked.ty;
            self.converted(checked, found.ty).map_err(|_| {
                Diag::error(
                    Tag::D_XLATE_INCOMPAT,
                    value.span,
                    format!(
                        "translator member {} definition uses incompatible types: {} = {}",
                        member.text,
                        self.quoted(found.ty),
                        self.quoted(given)
                    ),
                )
            })?;
        }
        let members = t.members.iter().map(|(name, value)| (name.text.clone(), value.clone())).collect();
        self.translators.push(Translator { output, input, variable: t.variable.text.clone(), members });
        Ok(())
    }

    /// The translator for an output and input type; `exact`: no conversions of the input.
    pub(super) fn find_translator(&self, output: TypeId, input: TypeId, exact: bool) -> Option<usize> {
        let output = self.types.resolve(output);
        let same = |t: &Translator| {
            self.types.resolve(t.output) == output
                && (self.types.resolve(t.input) == self.types.resolve(input)
                    || self.types.name(self.types.resolve(t.input))
                        == self.types.name(self.types.resolve(input)))
        };
        if let Some(found) = self.translators.iter().position(same) {
            return Some(found);
        }
        if exact {
            return None;
        }
        self.translators.iter().position(|t| {
            self.types.resolve(t.output) == output
                && match (self.types.pointee(t.input), self.types.pointee(input)) {
                    (Some(a), Some(b)) => {
                        let void = |ty| matches!(self.types.base(ty), crate::types::Type::Void);
                        void(a) || void(b) || self.types.resolve(a) == self.types.resolve(b)
                    }
                    (None, None) => {
                        self.types.integer(t.input).is_some() && self.types.integer(input).is_some()
                    }
                    _ => false,
                }
        })
    }

    /// `xlate <type> (e)`.
    pub(super) fn xlate(&mut self, ty: &ast::TypeName, of: &ast::Expr, span: Span) -> Res<Node> {
        let wanted = self.type_name(ty)?;
        let node = self.operand_keeping_objects(of)?;
        self.translated(wanted, node, span)
    }

    /// An operand that may also be a struct.
    fn operand_keeping_objects(&mut self, e: &ast::Expr) -> Res<Node> {
        let node = self.expr(e)?;
        if self.types.composite(node.ty).is_some() { Ok(node) } else { self.decay(node) }
    }

    /// A translated object of type `wanted` (a struct or a pointer to one) made of `input`.
    pub(super) fn translated(&mut self, wanted: TypeId, input: Node, span: Span) -> Res<Node> {
        let (output, pointer) = match self.types.pointee(wanted) {
            Some(to) => (to, true),
            None => (wanted, false),
        };
        let Some(translator) = self.find_translator(output, input.ty, false) else {
            return Err(Diag::error(
                Tag::D_XLATE_NONE,
                span,
                format!("cannot translate from {} to {}", self.quoted(input.ty), self.quoted(wanted)),
            ));
        };
        Ok(Node { ty: wanted, kind: Kind::Translated { translator, input: Box::new(input), pointer }, span })
    }

    /// One member of a translated object: its expression with the input bound.
    pub(super) fn translated_member(
        &mut self,
        translator: usize,
        input: Node,
        member: &ast::Name,
        span: Span,
    ) -> Res<Node> {
        let t = self.translators[translator].clone();
        let Some(found) = self.types.member(t.output, &member.text) else {
            return Err(self.no_member(t.output, member));
        };
        let Some((_, value)) = t.members.iter().find(|(name, _)| *name == member.text) else {
            return Err(Diag::error(
                Tag::D_XLATE_NOCONV,
                span,
                format!("translator does not define conversion for member: {}", member.text),
            ));
        };
        if self.inline_depth >= 32 {
            return Err(Diag::error(Tag::D_XLATE_NONE, span, "translators expand each other too deeply"));
        }
        // Names within the translator are those of where it was written: only its input is bound.
        let mut before = Vec::new();
        let input = self.settled(input, &mut before);
        let outer = std::mem::take(&mut self.bindings);
        self.bindings.push((t.variable.clone(), input));
        self.inline_depth += 1;
        let checked = self.expr(value);
        self.inline_depth -= 1;
        self.bindings = outer;
        let node = self.decay(checked?)?;
        if matches!(node.kind, Kind::Translated { .. }) {
            return self.after(before, node);
        }
        let value = self.converted(node, found.ty)?;
        self.after(before, Node { ty: found.ty, kind: Kind::Value(value), span })
    }
}
