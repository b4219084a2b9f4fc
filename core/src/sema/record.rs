//! Record layouts: actions and their fields are collected, then given offsets.

use super::checker::Checker;
use crate::diagnostic::Span;
use crate::ir::{self, ActionDef, ActionKind, Field, RecordLayout, Stmt, Ty};

impl Checker<'_> {
    /// Adds an action with its values to the clause's record and gives the statement that fills it.
    pub(super) fn record(
        &mut self,
        kind: ActionKind,
        values: Vec<ir::Expr>,
        types: Vec<Ty>,
        span: Span,
    ) -> Stmt {
        let layout = &mut self.clause.record;
        let action = layout.actions.len() as u32;
        let first = layout.fields.len() as u32;
        layout.fields.extend(types.into_iter().map(|ty| Field { offset: 0, ty }));
        layout.actions.push(ActionDef { kind, fields: first..layout.fields.len() as u32, span });
        layout.present |= self.clause.depth > 0;
        self.clause.recorded = true;
        Stmt::Record { action, values, span }
    }

    /// Gives the fields their offsets.
    pub(super) fn finish_record(&self, mut layout: RecordLayout) -> RecordLayout {
        let mut offset = if layout.present { layout.actions.len().div_ceil(64) as u32 * 8 } else { 0 };
        for field in &mut layout.fields {
            let (size, align) = self.field_size(field.ty);
            offset = offset.next_multiple_of(align);
            field.offset = offset;
            offset += size;
        }
        layout.size = offset.next_multiple_of(8);
        layout
    }

    /// Size and alignment of a field, as [`Field`] documents them.
    fn field_size(&self, ty: Ty) -> (u32, u32) {
        match ty {
            Ty::Int { bytes, .. } => (bytes as u32, bytes as u32),
            Ty::Str => (8 + self.strsize.next_multiple_of(8), 8),
            Ty::Bytes(n) => (n.next_multiple_of(8), 8),
            Ty::Stack(spec) => (8 + if spec.user { 8 } else { 0 } + spec.frames.saturating_mul(8), 8),
            Ty::Symbol(kind) => {
                use ir::SymbolKind::*;
                (if matches!(kind, Sym | Mod | Func) { 8 } else { 16 }, 8)
            }
            Ty::Void => (0, 1),
        }
    }
}
