//! The actions that print values: printf() and kin, printa(), print(), tracemem().

use super::checker::{Checker, Res};
use super::node::{Kind, Node, cast, expr};
use crate::builtins::functions::{Action, Function};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ActionKind, ExprKind, Stmt, Ty};
use crate::output::Format;
use crate::output::printf::{Arg, Call};
use crate::syntax::ast;
use crate::types::{Type, TypeId};

impl Checker<'_> {
    pub(super) fn no_arguments(&self, row: &Function, span: Span) -> Diag {
        Diag::error(
            Tag::D_PROTO_LEN,
            span,
            format!("{}( ) prototype mismatch: 0 args passed, at least 1 expected", row.name),
        )
    }

    pub(super) fn format_string<'e>(
        &self,
        row: &Function,
        args: &'e [ast::Expr],
        span: Span,
    ) -> Res<&'e [u8]> {
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
    pub(super) fn printf_like(
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

    pub(super) fn add_format(&mut self, text: &[u8], call: Call<'_>, args: &[Arg], span: Span) -> Res<u32> {
        let wrong = |e: crate::output::printf::FormatError| Diag::error(e.tag, span, e.message);
        let format = Format::parse(text).map_err(wrong)?;
        format.check(call, args).map_err(wrong)?;
        self.program.formats.push(format);
        Ok(self.program.formats.len() as u32 - 1)
    }

    pub(super) fn printa(
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
    pub(super) fn key_arg(&self, ty: TypeId) -> Arg {
        self.arg_type(ty)
    }

    pub(super) fn print(&mut self, args: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Res<()> {
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
    pub(super) fn print_target(
        &mut self,
        node: Node,
        to: TypeId,
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
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
        let addr = self.rvalue(node)?;
        let (addr, again) = self.twice(cast(addr, Ty::U64));
        let load = expr(ExprKind::Load { addr: Box::new(addr), space }, ty, span);
        let kind = ActionKind::Print { type_name, text };
        out.push(self.record(kind, vec![load, again], vec![ty, Ty::U64], span));
        Ok(())
    }

    pub(super) fn tracemem(&mut self, args: &[ast::Expr], span: Span, out: &mut Vec<Stmt>) -> Res<()> {
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

    /// How print() shows a type.
    pub(super) fn print_shape(&self, ty: TypeId, depth: u32) -> ir::PrintShape {
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
}
