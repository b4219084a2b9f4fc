//! Calls of subroutines, checked against their rows in `builtins::functions`.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, expr};
use crate::builtins::functions::{self, Action, Function, FunctionKind};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind, Subroutine};
use crate::syntax::ast;

impl Checker<'_> {
    /// The row of the function that a call names.
    pub(super) fn callee(&self, function: &ast::Expr) -> Res<&'static Function> {
        let ast::ExprKind::Ident { scope: ast::Scope::Global, name } = &function.kind else {
            return Err(Diag::error(
                Tag::D_FUNC_IDENT,
                function.span,
                "function designator is not of function type",
            ));
        };
        functions::find(name).ok_or_else(|| {
            if super::variables::builtin(name).is_some() {
                let message = format!("scalar '{name}' may not be referenced as a function");
                return Diag::error(Tag::D_FUNC_IDKIND, function.span, message);
            }
            let mut diag =
                Diag::error(Tag::D_FUNC_UNDEF, function.span, format!("undefined function name: {name}"));
            let near = functions::FUNCTIONS.iter().map(|f| f.name).filter(|n| super::nearest::close(n, name));
            if let Some(best) = near.min_by_key(|n| super::nearest::distance(n, name)) {
                diag = diag.note(format!("did you mean {best}()?"));
            }
            diag
        })
    }

    /// A call within an expression.
    pub(super) fn call(&mut self, function: &ast::Expr, args: &[ast::Expr], span: Span) -> Res<Node> {
        let row = self.callee(function)?;
        match row.kind {
            FunctionKind::Subroutine(subroutine) => {
                if matches!(subroutine, Subroutine::Getmajor | Subroutine::Getminor) {
                    self.names(super::stability::Attributes::EVOLVING);
                }
                self.subroutine(row, subroutine, args, span)
            }
            FunctionKind::Copyinstr => self.copyinstr(row, args, span),
            FunctionKind::Aggregating => {
                Ok(Node { ty: self.types.basic().void, kind: Kind::Action(row.name), span })
            }
            FunctionKind::Action(action @ (Action::Stack | Action::Ustack | Action::Jstack)) => {
                self.stack_value(row, action, args, span)
            }
            FunctionKind::Action(_) | FunctionKind::Effect { .. } => self.nested_action(row, args, span),
        }
    }

    /// An action within an expression: its arguments are checked, then it is a void operand,
    /// and what it stands in says what is wrong with that.
    fn nested_action(&mut self, row: &'static Function, args: &[ast::Expr], span: Span) -> Res<Node> {
        let (clause, formats) = (self.clause.clone(), self.program.formats.len());
        let checked = self.perform(row, args, span, &mut Vec::new());
        self.clause = clause;
        self.program.formats.truncate(formats);
        checked?;
        Ok(Node { ty: self.types.basic().void, kind: Kind::Action(row.name), span })
    }

    pub(super) fn action_in_expression(&self, name: &str, span: Span) -> Diag {
        Diag::error(
            Tag::D_CG_EXPR,
            span,
            format!(
                "tracing function {name}( ) may not be called from a D expression (D program context required)"
            ),
        )
    }

    /// Checks the arguments of an action against its row, before its own rules: how many, of what types.
    pub(super) fn check_prototype(
        &mut self,
        row: &'static Function,
        args: &[ast::Expr],
        span: Span,
    ) -> Res<()> {
        self.check_arity(row, args.len(), span)?;
        for (i, (e, proto)) in args.iter().zip(row.args).enumerate() {
            let proto = proto.trim_start_matches('?');
            if !proto.starts_with('@') && proto != "..." {
                self.call_argument(row, i, e, proto)?;
            }
        }
        Ok(())
    }

    /// How many arguments does a row take, at least and at most?
    pub(super) fn arity(row: &Function) -> (usize, usize) {
        let least = row.args.iter().take_while(|a| !a.starts_with('?') && **a != "...").count();
        let most = if row.args.last() == Some(&"...") { usize::MAX } else { row.args.len() };
        (least, most)
    }

    pub(super) fn check_arity(&self, row: &Function, given: usize, span: Span) -> Res<()> {
        let (least, most) = Self::arity(row);
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = if given < least { least } else { most };
        let plus = match (least == most, given < least) {
            (true, _) => "",
            (false, true) => "at least ",
            (false, false) => "at most ",
        };
        Err(Diag::error(
            Tag::D_PROTO_LEN,
            span,
            format!(
                "{}( ) prototype mismatch: {given} arg{} passed, {plus}{wanted} expected",
                row.name,
                if given == 1 { "" } else { "s" }
            ),
        ))
    }

    fn subroutine(
        &mut self,
        row: &'static Function,
        subroutine: Subroutine,
        args: &[ast::Expr],
        span: Span,
    ) -> Res<Node> {
        self.check_arity(row, args.len(), span)?;
        if matches!(subroutine, Subroutine::Copyout | Subroutine::Copyoutstr) {
            self.needs_destructive(row.name, span);
        }
        let mut values = Vec::new();
        for (i, (e, proto)) in args.iter().zip(row.args).enumerate() {
            values.push(self.call_argument(row, i, e, proto.trim_start_matches('?'))?);
        }
        if matches!(subroutine, Subroutine::Lltostr | Subroutine::Strtoll)
            && let Some(ir::Expr { kind: ExprKind::Const(base), span, .. }) = values.get(1)
            && !(2..=36).contains(base)
        {
            return Err(Diag::error(
                Tag::D_PROTO_ARG,
                *span,
                format!("{}( ) base must be between 2 and 36", row.name),
            ));
        }
        let ty = self.prototype(row.ret, span)?;
        let ir_ty = self.value_type(ty, span)?;
        let call = expr(ExprKind::Call(subroutine, values), ir_ty, span);
        Ok(if ir_ty == ir::Ty::Void {
            Node { ty, kind: Kind::Void(call), span }
        } else {
            Node::value(ty, call)
        })
    }

    /// One argument of a subroutine by its prototype.
    pub(super) fn call_argument(
        &mut self,
        row: &Function,
        index: usize,
        e: &ast::Expr,
        proto: &str,
    ) -> Res<ir::Expr> {
        let node = self.operand(e)?;
        let given = self.types.name(node.ty);
        let mismatch = || {
            Diag::error(
                Tag::D_PROTO_ARG,
                e.span,
                format!(
                    "{}( ) argument #{} is incompatible with prototype:\n\tprototype: {}\n\t argument: {given}",
                    row.name,
                    index + 1,
                    match proto {
                        "@str" => "string",
                        other => other,
                    }
                ),
            )
        };
        if proto == "@str" {
            // A null pointer is a string too: a fault when it is looked at.
            let null = node.constant() == Some(0);
            if !null && !self.is_stringlike(node.ty) {
                return Err(mismatch());
            }
            return self.string_value(node);
        }
        let ty = self.prototype(proto, e.span)?;
        let pointer = self.types.pointee(ty).is_some();
        let node = if pointer || proto == "uintptr_t" { self.pointer_to_array(node)? } else { node };
        let given_pointer = self.types.pointee(node.ty).is_some();
        let integer = self.types.integer(node.ty).is_some();
        let to = self.value_type(ty, e.span)?;
        // Addresses may be given as integers or pointers, whatever they point to.
        let address = matches!(proto, "uintptr_t" | "uint64_t") || pointer;
        let number = integer && (!pointer || node.constant() == Some(0));
        if matches!(node.kind, Kind::Translated { .. }) || !(number || (given_pointer && address)) {
            return Err(mismatch());
        }
        Ok(cast(self.rvalue(node)?, to))
    }

    /// `copyinstr(addr[, max])`.
    fn copyinstr(&mut self, row: &Function, args: &[ast::Expr], span: Span) -> Res<Node> {
        self.check_arity(row, args.len(), span)?;
        let addr = self.call_argument(row, 0, &args[0], "uintptr_t")?;
        let max = match args.get(1) {
            None => None,
            Some(e) => Some(Box::new(self.call_argument(row, 1, e, "size_t")?)),
        };
        let kind = ExprKind::LoadStr { addr: Box::new(addr), space: ir::Space::User, max };
        Ok(Node::value(self.types.basic().string, expr(kind, ir::Ty::Str, span)))
    }

    /// Notes that the program has a destructive action: without `-w` it is refused, after everything
    /// else that is wrong with it.
    pub(super) fn needs_destructive(&mut self, name: &str, span: Span) {
        if self.destructive || self.refused.is_some() {
            return;
        }
        let message =
            format!("could not enable tracing: Destructive actions not allowed ({name}( ) needs -w)");
        self.refused = Some(Diag::error(Tag::D_ACT_SPEC, span, message));
    }
}
