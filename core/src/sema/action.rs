//! Statements that record or act: printf, trace, exit, clear, speculate, ...

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, constant};
use crate::builtins::functions::{Action, Function, FunctionKind};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ActionKind, Effect, StackSpec, Stmt, SymbolKind, Ty};
use crate::output::printf::{Arg, ArgType};
use crate::syntax::ast;
use crate::types::{Type, TypeId};

impl Checker<'_> {
    /// A call as a statement of its own. `None`: it is an ordinary expression.
    pub(super) fn action_statement(&mut self, e: &ast::Expr, out: &mut Vec<Stmt>) -> Res<bool> {
        let ast::ExprKind::Call { function, args } = &e.kind else { return Ok(false) };
        let row = self.callee(function)?;
        self.perform(row, args, e.span, out)
    }

    /// Lowers a call of an action. `false`: it is none.
    pub(super) fn perform(
        &mut self,
        row: &'static Function,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<bool> {
        match row.kind {
            FunctionKind::Action(action) => {
                self.check_prototype(row, args, span)?;
                self.action(row, action, args, span, out)?;
                if matches!(action, Action::System | Action::Freopen) {
                    self.needs_destructive(row.name, span);
                }
            }
            FunctionKind::Effect { effect, destructive } => {
                if self.clause.speculated {
                    return Err(self.may_not_follow(row.name, span));
                }
                self.check_arity(row, args.len(), span)?;
                let mut values = Vec::new();
                for (i, (arg, proto)) in args.iter().zip(row.args).enumerate() {
                    values.push(self.call_argument(row, i, arg, proto)?);
                }
                if destructive {
                    self.needs_destructive(row.name, span);
                }
                out.push(Stmt::Effect { effect, args: values, span });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn may_not_follow(&self, name: &str, span: Span) -> Diag {
        Diag::error(Tag::D_ACT_SPEC, span, format!("{name}( ) may not follow speculate( )"))
    }

    fn action(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        if self.clause.speculated {
            match action {
                Action::System
                | Action::Freopen
                | Action::Ftruncate
                | Action::Clear
                | Action::Trunc
                | Action::Normalize
                | Action::Denormalize
                | Action::Setopt => {
                    return Err(self.may_not_follow(row.name, span));
                }
                Action::Exit => {
                    return Err(Diag::error(Tag::D_EXIT_SPEC, span, "exit( ) may not follow speculate( )"));
                }
                _ => {}
            }
        }
        if self.clause.committed
            && !matches!(action, Action::Speculate | Action::Commit | Action::Discard)
            && !self.clause.speculated
        {
            return Err(Diag::error(
                Tag::D_DREC_COMM,
                span,
                "data-recording actions may not follow commit( )",
            ));
        }
        match action {
            Action::Printf | Action::System | Action::Freopen => {
                self.printf_like(row, action, args, span, out)
            }
            Action::Printa => self.printa(row, args, span, out),
            Action::Trace => self.trace(args, span, out),
            Action::Print => self.print(args, span, out),
            Action::Tracemem => self.tracemem(args, span, out),
            Action::Stack | Action::Ustack | Action::Jstack => {
                let ty = self.stack_spec(row, action, args, span)?;
                let value = constant(0, ty, span);
                out.push(self.record(ActionKind::Stack, vec![value], vec![ty], span));
                Ok(())
            }
            Action::Symbol(kind) => {
                let value = self.symbol_argument(row, args, span)?;
                out.push(self.record(ActionKind::Symbol, vec![value], vec![Ty::Symbol(kind)], span));
                Ok(())
            }
            Action::Exit => {
                let value = self.call_argument(row, 0, &args[0], "int")?;
                out.push(self.record(ActionKind::Exit, vec![value], vec![Ty::I32], span));
                out.push(Stmt::Effect { effect: Effect::ExitFlag, args: Vec::new(), span });
                Ok(())
            }
            Action::Clear | Action::Trunc | Action::Normalize | Action::Denormalize => {
                self.aggregation_action(row, action, args, span, out)
            }
            Action::Ftruncate => {
                out.push(self.record(ActionKind::Ftruncate, Vec::new(), Vec::new(), span));
                Ok(())
            }
            Action::Setopt => self.setopt(row, args, span, out),
            Action::Speculate | Action::Commit | Action::Discard => {
                self.speculation(row, action, args, span, out)
            }
        }
    }

    /// The kind of a value for the format checker.
    pub(super) fn arg_type(&self, ty: TypeId) -> Arg {
        let name = self.types.name(ty);
        let kind = match self.types.base(ty) {
            Type::Int(int) => ArgType::Int { bytes: int.bytes, signed: int.signed },
            Type::Enum(e) => ArgType::Int { bytes: e.bytes, signed: e.signed },
            Type::Float { bytes, .. } => ArgType::Float { bytes: *bytes as u8 },
            Type::Pointer(_) | Type::Function { .. } => ArgType::Pointer,
            Type::String => ArgType::Str,
            Type::Array { of, .. } if self.types.is_char(*of) => ArgType::CharArray,
            Type::Array { of, .. } if self.types.integer(*of).is_some_and(|(b, _)| b == 4) => {
                ArgType::WideCharArray
            }
            Type::Stack => ArgType::Stack,
            Type::Symaddr => ArgType::Symaddr,
            Type::Usymaddr => ArgType::Usymaddr,
            _ => ArgType::Other,
        };
        Arg { ty: kind, name }
    }

    /// A value that a record can hold: an ordinary value, or a stack or symbol call.
    pub(super) fn recordable(&mut self, e: &ast::Expr, what: &str) -> Res<(ir::Expr, Ty, Arg)> {
        if let ast::ExprKind::Call { function, args } = &e.kind
            && let Ok(row) = self.callee(function)
            && let FunctionKind::Action(action) = row.kind
        {
            match action {
                Action::Stack | Action::Ustack | Action::Jstack => {
                    let ty = self.stack_spec(row, action, args, e.span)?;
                    let arg = Arg { ty: ArgType::Stack, name: "stack".to_string() };
                    return Ok((constant(0, ty, e.span), ty, arg));
                }
                Action::Symbol(kind) => {
                    let value = self.symbol_argument(row, args, e.span)?;
                    let user = matches!(
                        kind,
                        SymbolKind::Usym | SymbolKind::Umod | SymbolKind::Ufunc | SymbolKind::Uaddr
                    );
                    let ty = if user { ArgType::Usymaddr } else { ArgType::Symaddr };
                    let name = if user { "_usymaddr" } else { "_symaddr" };
                    return Ok((value, Ty::Symbol(kind), Arg { ty, name: name.to_string() }));
                }
                _ => {}
            }
        }
        if let ast::ExprKind::Aggregation { .. } = e.kind {
            let arg = Arg { ty: ArgType::Aggregation, name: "aggregation".to_string() };
            return Ok((constant(0, Ty::Void, e.span), Ty::Void, arg));
        }
        let node = self.expr(e)?;
        let arg = self.arg_type(node.ty);
        let node = if self.types.composite(node.ty).is_some() || self.types.element(node.ty).is_some() {
            node
        } else {
            self.decay(node)?
        };
        if node.is_void() {
            return Err(Diag::error(
                Tag::D_PRINTF_ARG_TYPE,
                e.span,
                format!("{what} may not be applied to a void expression"),
            ));
        }
        if let Kind::Translated { .. } = node.kind {
            return Err(Diag::error(
                Tag::D_OP_DYN,
                e.span,
                format!("{what} may not be applied to a translated object: name one of its members"),
            ));
        }
        if let Some(spec) = self.stack_held(node.ty) {
            let value = self.rvalue(node)?;
            let arg = Arg { ty: ArgType::Stack, name: "stack".to_string() };
            return Ok((super::stack::trace_of(value, spec), Ty::Stack(spec), arg));
        }
        let ty = self.value_type(node.ty, e.span)?;
        let value = self.rvalue(node)?;
        Ok((if let Ty::Int { .. } = ty { cast(value, ty) } else { value }, ty, arg))
    }

    fn trace(&mut self, args: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Res<()> {
        if let ast::ExprKind::Aggregation { .. } = args[0].kind {
            return Err(Diag::error(Tag::D_TRACE_AGG, span, "trace( ) may not be applied to an aggregation"));
        }
        let (value, ty, _) = self.recordable(&args[0], "trace( )").map_err(|mut diag| {
            diag.tag = match diag.tag {
                Tag::D_OP_DYN => Tag::D_TRACE_DYN,
                Tag::D_PRINTF_ARG_TYPE => Tag::D_TRACE_VOID,
                tag => tag,
            };
            diag
        })?;
        out.push(self.record(ActionKind::Trace, vec![value], vec![ty], span));
        Ok(())
    }

    /// stack(n), ustack(n, size), jstack(n, size).
    pub(super) fn stack_spec(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
    ) -> Res<Ty> {
        self.check_prototype(row, args, span)?;
        let number = |c: &mut Self, e: &ast::Expr, tag: Tag, least: i64| -> Res<u32> {
            match c.constant_expr(e) {
                Some(n) if n >= least && n <= 1024 => Ok(n as u32),
                _ => Err(Diag::error(
                    tag,
                    e.span,
                    format!("{}( ) argument must be a positive integral constant", row.name),
                )),
            }
        };
        let limits = self.stack_limits;
        let mut frames = match action {
            Action::Stack => limits.stack,
            Action::Ustack => limits.ustack,
            _ => limits.jstack,
        };
        if let Some(e) = args.first() {
            let tag = if action == Action::Stack { Tag::D_STACK_SIZE } else { Tag::D_USTACK_FRAMES };
            frames = number(self, e, tag, 1)?;
        }
        let mut strsize = if action == Action::Jstack { limits.jstack_strsize } else { 0 };
        if let Some(e) = args.get(1) {
            strsize = number(self, e, Tag::D_USTACK_STRSIZE, 0)?;
        }
        Ok(Ty::Stack(StackSpec { user: action != Action::Stack, frames, strsize }))
    }

    /// The address that sym() and its kin show.
    fn symbol_argument(&mut self, row: &'static Function, args: &[ast::Expr], span: Span) -> Res<ir::Expr> {
        self.check_arity(row, args.len(), span)?;
        let node = self.operand(&args[0])?;
        if !self.types.is_scalar(node.ty) {
            return Err(Diag::error(
                Tag::D_PROTO_ARG,
                args[0].span,
                format!(
                    "{}( ) argument #1 is incompatible with prototype:\n\tprototype: uintptr_t\n\t argument: {}",
                    row.name,
                    self.types.name(node.ty)
                ),
            ));
        }
        Ok(cast(self.rvalue(node)?, Ty::U64))
    }

    fn setopt(
        &mut self,
        row: &'static Function,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        self.check_arity(row, args.len(), span)?;
        let mut values = Vec::new();
        for e in args {
            let node = self.operand(e)?;
            if !self.is_stringlike(node.ty) {
                return Err(Diag::error(
                    Tag::D_PROTO_ARG,
                    e.span,
                    "setopt( ) argument is incompatible with prototype:\n\tprototype: string",
                ));
            }
            values.push(self.string_value(node)?);
        }
        let types = values.iter().map(|_| Ty::Str).collect();
        out.push(self.record(ActionKind::Setopt, values, types, span));
        Ok(())
    }

    fn speculation(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        let id = self.call_argument(row, 0, &args[0], "int")?;
        let (id, again) = self.twice(id);
        let recorded = self.clause.recorded;
        match action {
            Action::Speculate => {
                if self.clause.speculated {
                    return Err(Diag::error(
                        Tag::D_SPEC_SPEC,
                        span,
                        "speculate( ) may not appear multiple times in a clause",
                    ));
                }
                if self.clause.committed {
                    return Err(Diag::error(Tag::D_SPEC_COMM, span, "speculate( ) may not follow commit( )"));
                }
                if recorded {
                    return Err(Diag::error(
                        Tag::D_SPEC_DREC,
                        span,
                        "speculate( ) may not follow data-recording action(s)",
                    ));
                }
                self.clause.speculated = true;
                out.push(Stmt::Effect { effect: Effect::Speculate, args: vec![id], span });
                out.push(self.record(ActionKind::Speculate, vec![again], vec![Ty::I32], span));
                self.clause.recorded = recorded;
            }
            Action::Commit => {
                if recorded {
                    return Err(Diag::error(
                        Tag::D_COMM_DREC,
                        span,
                        "commit( ) may not follow data-recording action(s)",
                    ));
                }
                if self.clause.speculated {
                    return Err(self.may_not_follow("commit", span));
                }
                self.clause.committed = true;
                out.push(Stmt::Effect { effect: Effect::Commit, args: vec![id], span });
                out.push(self.record(ActionKind::Commit, vec![again], vec![Ty::I32], span));
                self.clause.recorded = recorded;
            }
            _ => {
                out.push(Stmt::Effect { effect: Effect::Discard, args: vec![id], span });
                out.push(self.record(ActionKind::Discard, vec![again], vec![Ty::I32], span));
                self.clause.recorded = recorded;
            }
        }
        Ok(())
    }

    /// Wraps a node that is used only for its effects.
    pub(super) fn effect(&mut self, node: Node) -> Res<ir::Expr> {
        match node.kind {
            // A translated object or a struct read for nothing has no effects.
            Kind::Translated { .. } => Ok(constant(0, Ty::I32, node.span)),
            Kind::Place { ref place, .. } if !matches!(place.kind, ir::PlaceKind::Mem { .. }) => {
                self.rvalue(node)
            }
            _ => self.rvalue_or_void(node),
        }
    }
}
