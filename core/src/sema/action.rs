//! Statements that record or act: printf, trace, exit, clear, speculate, ...

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, constant, expr};
use crate::builtins::functions::{Action, Function, FunctionKind};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ActionKind, Effect, ExprKind, StackSpec, Stmt, SymbolKind, Ty};
use crate::output::Format;
use crate::output::printf::{Arg, ArgType, Call};
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
        let ty = self.value_type(node.ty, e.span)?;
        let value = self.rvalue(node)?;
        Ok((if let Ty::Int { .. } = ty { cast(value, ty) } else { value }, ty, arg))
    }

    fn no_arguments(&self, row: &Function, span: Span) -> Diag {
        Diag::error(
            Tag::D_PROTO_LEN,
            span,
            format!("{}( ) prototype mismatch: 0 args passed, at least 1 expected", row.name),
        )
    }

    fn format_string<'e>(&self, row: &Function, args: &'e [ast::Expr], span: Span) -> Res<&'e [u8]> {
        match args.first().map(|e| &e.kind) {
            None => Err(self.no_arguments(row, span)),
            Some(ast::ExprKind::Str(bytes)) => Ok(bytes),
            Some(_) => Err(Diag::error(
                Tag::D_PRINTF_ARG_FMT,
                args[0].span,
                format!(
                    "{}( ) argument #1 is incompatible with prototype:\n\tprototype: string constant\n\t argument: not a string constant",
                    row.name
                ),
            )),
        }
    }

    /// printf(), system(), freopen().
    fn printf_like(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        if let (Action::Printf, Some(first)) = (action, args.first())
            && !matches!(first.kind, ast::ExprKind::Aggregation { .. })
        {
            let node = self.operand(first)?;
            if !self.is_stringlike(node.ty) {
                return Err(Diag::error(
                    Tag::D_PROTO_ARG,
                    first.span,
                    format!(
                        "printf( ) argument #1 is incompatible with prototype:\n\tprototype: string\n\t argument: {}",
                        self.types.name(node.ty)
                    ),
                ));
            }
        }
        let text = self.format_string(row, args, span)?;
        if action == Action::Freopen && text == b"." {
            return Err(Diag::error(Tag::D_FREOPEN_INVALID, span, "freopen( ) argument #1 cannot be \".\""));
        }
        if text.is_empty() && action != Action::Freopen {
            return Err(Diag::error(
                Tag::D_PRINTF_FMT_EMPTY,
                span,
                format!("{}( ) format string is empty", row.name),
            ));
        }
        if text.is_empty() {
            // freopen("") restores the original output.
            self.program.formats.push(Format::empty());
            let format = self.program.formats.len() as u32 - 1;
            out.push(self.record(ActionKind::Freopen { format }, Vec::new(), Vec::new(), span));
            return Ok(());
        }
        let mut values = Vec::new();
        let mut types = Vec::new();
        let mut kinds = Vec::new();
        for e in &args[1..] {
            let (value, ty, kind) = self.recordable(e, row.name).map_err(|mut diag| {
                if diag.tag == Tag::D_OP_DYN {
                    diag.tag = Tag::D_PRINTF_ARG_TYPE;
                }
                diag
            })?;
            values.push(value);
            types.push(ty);
            kinds.push(kind);
        }
        let call = Call { function: row.name, before: 1, aggregation: None };
        let format = self.add_format(text, call, &kinds, span)?;
        let kind = match action {
            Action::System => ActionKind::System { format },
            Action::Freopen => ActionKind::Freopen { format },
            _ => ActionKind::Printf { format },
        };
        out.push(self.record(kind, values, types, span));
        Ok(())
    }

    fn add_format(&mut self, text: &[u8], call: Call<'_>, args: &[Arg], span: Span) -> Res<u32> {
        let wrong = |e: crate::output::printf::FormatError| Diag::error(e.tag, span, e.message);
        let format = Format::parse(text).map_err(wrong)?;
        format.check(call, args).map_err(wrong)?;
        self.program.formats.push(format);
        Ok(self.program.formats.len() as u32 - 1)
    }

    fn printa(
        &mut self,
        row: &'static Function,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        let (format, aggs) = match args.first().map(|e| &e.kind) {
            None => return Err(self.no_arguments(row, span)),
            Some(ast::ExprKind::Str(bytes)) => (Some(bytes.clone()), &args[1..]),
            Some(ast::ExprKind::Aggregation { .. }) => (None, args),
            Some(_) => {
                return Err(Diag::error(
                    Tag::D_PRINTA_AGGARG,
                    args[0].span,
                    "printa( ) argument #1 is incompatible with prototype:\n\tprototype: format string or aggregation",
                ));
            }
        };
        if aggs.is_empty() {
            return Err(Diag::error(
                Tag::D_PRINTA_PROTO,
                span,
                "printa( ) prototype mismatch: aggregation argument expected",
            ));
        }
        let mut ids = Vec::new();
        let mut key: Option<Vec<TypeId>> = None;
        for e in aggs {
            let ast::ExprKind::Aggregation { name, key: given } = &e.kind else {
                return Err(Diag::error(
                    Tag::D_PRINTA_AGGARG,
                    e.span,
                    format!(
                        "printa( ) argument #{} is incompatible with prototype:\n\tprototype: aggregation",
                        ids.len() + 2
                    ),
                ));
            };
            if given.is_some() {
                return Err(Diag::error(
                    Tag::D_PRINTA_AGGKEY,
                    e.span,
                    "printa( ) may not be used with an aggregation key",
                ));
            }
            let info = self.named_aggregation(name, e.span)?;
            match &key {
                None => key = Some(info.key.clone()),
                Some(first) if first.len() != info.key.len() => {
                    return Err(Diag::error(
                        Tag::D_PRINTA_AGGKEY,
                        e.span,
                        format!("printa( ) @{name}[...] key count mismatch with the first aggregation"),
                    ));
                }
                Some(first) => {
                    let alike =
                        first.iter().zip(&info.key).all(|(a, b)| self.ir_type(*a) == self.ir_type(*b));
                    if !alike {
                        return Err(Diag::error(
                            Tag::D_PRINTA_AGGPROTO,
                            e.span,
                            format!(
                                "printa( ) aggregation @{name} does not match key of the first aggregation"
                            ),
                        ));
                    }
                }
            }
            ids.push(info.id);
        }
        let format = match format {
            None => None,
            Some(text) => {
                let kinds: Vec<Arg> = key.iter().flatten().map(|ty| self.key_arg(*ty)).collect();
                let func = self.program.aggregations[ids[0].0 as usize].func;
                Some(self.add_format(&text, Call::printa(func), &kinds, span)?)
            }
        };
        let _ = row;
        out.push(self.record(ActionKind::Printa { format, aggs: ids }, Vec::new(), Vec::new(), span));
        Ok(())
    }

    /// A key part for the format checker: char arrays and pointers became strings when the key was made.
    fn key_arg(&self, ty: TypeId) -> Arg {
        self.arg_type(ty)
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

    fn print(&mut self, args: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Res<()> {
        if let ast::ExprKind::Aggregation { .. } = args[0].kind {
            return Err(Diag::error(Tag::D_PRINT_AGG, span, "print( ) may not be applied to an aggregation"));
        }
        let node = self.expr(&args[0])?;
        if node.is_void() {
            return Err(Diag::error(
                Tag::D_PRINT_VOID,
                span,
                "print( ) may not be applied to a void expression",
            ));
        }
        if let Some(to) =
            self.types.pointee(node.ty).filter(|_| !matches!(node.kind, Kind::Translated { .. }))
        {
            self.complete_from_source(to);
            if self.types.composite(to).is_some() || self.types.element(to).is_some() {
                return self.print_target(node, to, span, out);
            }
        }
        let type_name = self.types.name(node.ty);
        let shape = self.print_shape(node.ty, 0);
        let ty = self.value_type(node.ty, span)?;
        let value = self.rvalue(node)?;
        out.push(self.record(ActionKind::Print { type_name, text: shape }, vec![value], vec![ty], span));
        Ok(())
    }

    /// `print(p)` of a pointer to an object: where it is and what it is, as dtrace on Linux has it.
    fn print_target(&mut self, node: Node, to: TypeId, span: Span, out: &mut Vec<Stmt>) -> Res<()> {
        let type_name = self.types.name(to);
        let Some(size) = self.types.size(to).filter(|size| *size > 0) else {
            return Err(Diag::error(
                Tag::D_PRINT_SIZE,
                span,
                format!(
                    "print( ) argument #1 reference has type '{type_name}' with size 0; cannot print( ) it."
                ),
            ));
        };
        let space = self.space(node.ty, to);
        let text = self.print_shape(to, 0);
        let ty = Ty::Bytes(size.min(u64::from(self.print_size)) as u32);
        let addr = cast(self.rvalue(node)?, Ty::U64);
        let load = expr(ExprKind::Load { addr: Box::new(addr.clone()), space }, ty, span);
        let kind = ActionKind::Print { type_name, text };
        out.push(self.record(kind, vec![load, addr], vec![ty, Ty::U64], span));
        Ok(())
    }

    fn tracemem(&mut self, args: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Res<()> {
        let node = self.operand(&args[0])?;
        if !self.types.is_scalar(node.ty) {
            return Err(Diag::error(
                Tag::D_TRACEMEM_ADDR,
                args[0].span,
                format!(
                    "tracemem( ) argument #1 is incompatible with prototype:\n\tprototype: pointer or integer\n\t argument: {}",
                    self.types.name(node.ty)
                ),
            ));
        }
        let space = match self.types.pointee(node.ty) {
            Some(to) => self.space(node.ty, to),
            None => ir::Space::Any,
        };
        let addr = cast(self.rvalue(node)?, Ty::U64);
        let size =
            self.constant_expr(&args[1]).filter(|n| (1..=super::checker::MAX_OBJECT as i64).contains(n));
        let Some(size) = size else {
            return Err(Diag::error(
                Tag::D_TRACEMEM_SIZE,
                args[1].span,
                "tracemem( ) argument #2 must be a non-zero positive integral constant expression",
            ));
        };
        let ty = Ty::Bytes(size as u32);
        let mut values = vec![expr(ExprKind::Load { addr: Box::new(addr), space }, ty, span)];
        let mut types = vec![ty];
        if let Some(dynamic) = args.get(2) {
            let node = self.operand(dynamic)?;
            if self.types.integer(node.ty).is_none() {
                return Err(Diag::error(
                    Tag::D_TRACEMEM_DYNSIZE,
                    dynamic.span,
                    "tracemem( ) argument #3 must be an integer expression",
                ));
            }
            values.push(cast(self.rvalue(node)?, Ty::I64));
            types.push(Ty::I64);
        }
        out.push(self.record(ActionKind::Tracemem { dynamic: args.len() == 3 }, values, types, span));
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
                out.push(Stmt::Effect { effect: Effect::Speculate, args: vec![id.clone()], span });
                out.push(self.record(ActionKind::Speculate, vec![id], vec![Ty::I32], span));
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
                out.push(Stmt::Effect { effect: Effect::Commit, args: vec![id.clone()], span });
                out.push(self.record(ActionKind::Commit, vec![id], vec![Ty::I32], span));
                self.clause.recorded = recorded;
            }
            _ => {
                out.push(Stmt::Effect { effect: Effect::Discard, args: vec![id.clone()], span });
                out.push(self.record(ActionKind::Discard, vec![id], vec![Ty::I32], span));
                self.clause.recorded = recorded;
            }
        }
        Ok(())
    }

    /// How print() shows a type.
    fn print_shape(&self, ty: TypeId, depth: u32) -> ir::PrintShape {
        use ir::PrintShape as P;
        let type_name = self.types.name(ty);
        match self.types.base(ty) {
            Type::String => P::Str,
            Type::Enum(e) => {
                P::Enum { type_name, names: e.names.iter().flatten().map(|(n, v)| (*v, n.clone())).collect() }
            }
            Type::Pointer(_) => P::Pointer { type_name },
            Type::Array { of, .. } if self.types.is_char(*of) => P::CharArray { type_name },
            Type::Array { of, len } if depth < 8 => P::Array {
                type_name,
                element: self.types.size(*of).unwrap_or(0) as u32,
                len: *len as u32,
                ty: self.ir_type(*of).unwrap_or(Ty::Void),
                of: Box::new(self.print_shape(*of, depth + 1)),
            },
            Type::Composite(c) if depth < 8 => P::Struct {
                type_name,
                members: c
                    .members
                    .iter()
                    .flatten()
                    .filter_map(|m| {
                        Some(ir::PrintMember {
                            name: m.name.clone(),
                            offset: m.offset,
                            ty: self.ir_type(m.ty)?,
                            bits: m.bits,
                            shape: self.print_shape(m.ty, depth + 1),
                        })
                    })
                    .collect(),
            },
            _ => P::Int { type_name },
        }
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
