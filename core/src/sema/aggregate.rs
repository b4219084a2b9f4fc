//! Aggregations: `@a[key] = func(value)`, and the actions on them.

use super::checker::{AggInfo, Checker, Res};
use super::node::{Kind, cast};
use crate::aggregate::{AggFunc, Llquantize, Lquantize};
use crate::builtins::functions::{Action, Function, FunctionKind};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ActionKind, Stmt, Ty};
use crate::syntax::ast;
use crate::types::{Type, TypeId};

impl Checker<'_> {
    /// `@name[key] = func(args)` as a statement. `false`: it is something else.
    pub(super) fn aggregate_statement(&mut self, e: &ast::Expr, out: &mut Vec<Stmt>) -> Res<bool> {
        let (target, op, value) = match &e.kind {
            ast::ExprKind::Assign { op, target, value } => (target, op, value),
            ast::ExprKind::IncDec { target, .. } if target.is_aggregation() => {
                return Err(Diag::error(
                    Tag::D_AGG_FUNC,
                    e.span,
                    "operator ++ or -- may not be applied to an aggregation",
                ));
            }
            _ => return Ok(false),
        };
        let ast::ExprKind::Aggregation { name, key } = &target.kind else { return Ok(false) };
        if op.is_some() {
            return Err(Diag::error(
                Tag::D_AGG_FUNC,
                e.span,
                format!("@{name}: operators other than = may not be applied to an aggregation"),
            ));
        }
        if self.clause.speculated {
            return Err(Diag::error(
                Tag::D_AGG_SPEC,
                e.span,
                "aggregating actions may not follow speculate( )",
            ));
        }
        let ast::ExprKind::Call { function, args } = &value.kind else {
            return Err(Diag::error(
                Tag::D_AGG_FUNC,
                value.span,
                format!("@{name} must be assigned the result of an aggregating function"),
            ));
        };
        let row = self.callee(function)?;
        if row.kind != FunctionKind::Aggregating {
            return Err(Diag::error(
                Tag::D_AGG_FUNC,
                value.span,
                format!("{}( ) is not an aggregating function: @{name}", row.name),
            ));
        }
        let (parts, types) = self.aggregation_key(name, key.as_deref().unwrap_or(&[]))?;
        let (func, scalar, increment, signed) = self.aggregating_function(row, args, value.span)?;
        let key_types = parts.iter().map(|part| part.ty).collect();
        let id = self.define_aggregation(name, func, types, key_types, signed, e.span)?;
        out.push(Stmt::Aggregate { agg: id, key: parts, value: scalar, increment, span: e.span });
        Ok(true)
    }

    /// The key tuple's values and types.
    fn aggregation_key(&mut self, name: &str, key: &[ast::Expr]) -> Res<(Vec<ir::Expr>, Vec<TypeId>)> {
        let mut parts = Vec::new();
        let mut types = Vec::new();
        for e in key {
            if let ast::ExprKind::Aggregation { .. } = e.kind {
                return Err(Diag::error(
                    Tag::D_AGG_KEY,
                    e.span,
                    format!("@{name}: an aggregation may not be a key"),
                ));
            }
            if let ast::ExprKind::Call { function, .. } = &e.kind
                && let Ok(row) = self.callee(function)
                && matches!(
                    row.kind,
                    FunctionKind::Action(Action::Stack | Action::Ustack | Action::Jstack | Action::Symbol(_))
                )
            {
                let (mut value, ty, _) = self.recordable(e, "aggregation key")?;
                value.ty = ty;
                types.push(match ty {
                    Ty::Stack(_) => self.types.basic().stack,
                    Ty::Symbol(ir::SymbolKind::Sym | ir::SymbolKind::Mod | ir::SymbolKind::Func) => {
                        self.types.basic().symaddr
                    }
                    _ => self.types.basic().usymaddr,
                });
                parts.push(value);
                continue;
            }
            let node = self.operand(e)?;
            if node.is_void() || matches!(node.kind, Kind::Translated { .. }) {
                return Err(Diag::error(
                    Tag::D_KEY_TYPE,
                    e.span,
                    format!(
                        "{} expression may not be used as aggregation index of @{name}: key #{}",
                        if node.is_void() { "void" } else { "dynamic" },
                        parts.len() + 1
                    ),
                ));
            }
            if let Some(spec) = self.stack_held(node.ty) {
                types.push(self.types.basic().stack);
                let value = self.rvalue(node)?;
                parts.push(super::stack::trace_of(value, spec));
                continue;
            }
            let string = self.types.is_string(node.ty)
                || (self.types.element(node.ty).is_some() && self.is_stringlike(node.ty));
            if string {
                types.push(self.types.basic().string);
                parts.push(self.string_value(node)?);
            } else {
                let ty = node.ty;
                let to = self.value_type(ty, e.span)?;
                types.push(ty);
                let value = self.rvalue(node)?;
                parts.push(if let ir::Ty::Int { .. } = to { super::node::cast(value, to) } else { value });
            }
        }
        Ok((parts, types))
    }

    /// Declares an aggregation at its first use, checks it at the others.
    fn define_aggregation(
        &mut self,
        name: &str,
        func: AggFunc,
        key: Vec<TypeId>,
        key_types: Vec<Ty>,
        signed: bool,
        span: Span,
    ) -> Res<ir::AggId> {
        let same_kind = |a: &AggFunc, b: &AggFunc| std::mem::discriminant(a) == std::mem::discriminant(b);
        let Some(info) = self.aggregations.get(name).cloned() else {
            let id = ir::AggId(self.program.aggregations.len() as u32);
            self.program.aggregations.push(ir::AggregationDef {
                name: name.to_string(),
                func,
                key: key_types,
                signed,
                span,
            });
            self.aggregations.insert(name.to_string(), AggInfo { id, key });
            return Ok(id);
        };
        let def = &self.program.aggregations[info.id.0 as usize];
        if !same_kind(&def.func, &func) {
            return Err(Diag::error(
                Tag::D_AGG_REDEF,
                span,
                format!(
                    "aggregation redefined: @{name}\n\t current: @{name} = {}( )\n\tprevious: @{name} = {}( )",
                    func.name(),
                    def.func.name()
                ),
            ));
        }
        self.same_parameters(name, def.func, func, span)?;
        if info.key.len() != key.len() {
            return Err(Diag::error(
                Tag::D_PROTO_LEN,
                span,
                format!(
                    "@{name}[ ] prototype mismatch: {} arg{} passed, {} expected",
                    key.len(),
                    if key.len() == 1 { "" } else { "s" },
                    info.key.len()
                ),
            ));
        }
        for (i, (old, new)) in info.key.iter().zip(&key).enumerate() {
            let class = |c: &Self, ty: TypeId| match c.types.base(ty) {
                Type::Int(_) | Type::Enum(_) | Type::Pointer(_) => 0,
                Type::String => 1,
                Type::Stack => 2,
                Type::Symaddr | Type::Usymaddr => 3,
                _ => 4,
            };
            if class(self, *old) != class(self, *new) {
                return Err(Diag::error(
                    Tag::D_PROTO_ARG,
                    span,
                    format!(
                        "@{name}[ ] key #{} is incompatible with prototype:\n\tprototype: {}\n\t argument: {}",
                        i + 1,
                        self.types.name(*old),
                        self.types.name(*new)
                    ),
                ));
            }
        }
        Ok(info.id)
    }

    /// All uses of a distribution must have the same parameters.
    fn same_parameters(&self, name: &str, old: AggFunc, new: AggFunc, span: Span) -> Res<()> {
        let tag = match (old, new) {
            (AggFunc::Lquantize(a), AggFunc::Lquantize(b)) if a != b => {
                if a.base != b.base {
                    Tag::D_LQUANT_MATCHBASE
                } else if a.step != b.step {
                    Tag::D_LQUANT_MATCHSTEP
                } else {
                    Tag::D_LQUANT_MATCHLIM
                }
            }
            (AggFunc::Llquantize(a), AggFunc::Llquantize(b)) if a != b => {
                if a.factor != b.factor {
                    Tag::D_LLQUANT_FACTORMATCH
                } else if a.low != b.low {
                    Tag::D_LLQUANT_LOWMATCH
                } else if a.high != b.high {
                    Tag::D_LLQUANT_HIGHMATCH
                } else {
                    Tag::D_LLQUANT_NSTEPMATCH
                }
            }
            _ => return Ok(()),
        };
        Err(Diag::error(
            tag,
            span,
            format!("{}( ) arguments at @{name} do not match those of its previous use", new.name()),
        ))
    }

    /// The function with its constants, its value and its increment.
    #[allow(clippy::type_complexity)]
    fn aggregating_function(
        &mut self,
        row: &'static Function,
        args: &[ast::Expr],
        span: Span,
    ) -> Res<(AggFunc, Option<ir::Expr>, Option<ir::Expr>, bool)> {
        self.check_arity(row, args.len(), span)?;
        if row.name == "count" {
            return Ok((AggFunc::Count, None, None, false));
        }
        let node = self.operand(&args[0])?;
        if !self.types.is_scalar(node.ty) || matches!(node.kind, Kind::Translated { .. }) {
            return Err(Diag::error(
                Tag::D_AGG_SCALAR,
                args[0].span,
                format!("{}( ) argument #1 must be of scalar type", row.name),
            ));
        }
        let signed = self.types.integer(node.ty).is_none_or(|(_, signed)| signed);
        let value = cast(self.rvalue(node)?, Ty::I64);
        let (func, constants) = match row.name {
            "sum" => (AggFunc::Sum, 1),
            "min" => (AggFunc::Min, 1),
            "max" => (AggFunc::Max, 1),
            "avg" => (AggFunc::Avg, 1),
            "stddev" => (AggFunc::Stddev, 1),
            "quantize" => (AggFunc::Quantize, 1),
            "lquantize" => (self.lquantize(args, span)?, 4),
            _ => (self.llquantize(args, span)?, 5),
        };
        let increment = match args.get(constants) {
            None => None,
            Some(e) => {
                let node = self.operand(e)?;
                if self.types.integer(node.ty).is_none() {
                    return Err(Diag::error(
                        Tag::D_PROTO_ARG,
                        e.span,
                        format!("{}( ) increment must be an integer", row.name),
                    ));
                }
                Some(cast(self.rvalue(node)?, Ty::I64))
            }
        };
        Ok((func, Some(value), increment, signed))
    }

    /// A constant parameter within limits.
    fn parameter(
        &mut self,
        e: &ast::Expr,
        what: &str,
        ty: Tag,
        range: std::ops::RangeInclusive<i64>,
        value: Tag,
    ) -> Res<i64> {
        let Some(n) = self.constant_expr(e) else {
            return Err(Diag::error(ty, e.span, format!("{what} must be an integer constant")));
        };
        if !range.contains(&n) {
            // A step is a positive constant before it is one in range.
            let step = matches!(ty, Tag::D_LQUANT_STEPTYPE | Tag::D_LLQUANT_NSTEPTYPE);
            return Err(Diag::error(
                if step && n < 1 { ty } else { value },
                e.span,
                format!("{what} must be between {} and {}", range.start(), range.end()),
            ));
        }
        Ok(n)
    }

    fn lquantize(&mut self, args: &[ast::Expr], span: Span) -> Res<AggFunc> {
        let i32s = i32::MIN as i64..=i32::MAX as i64;
        let base = self.parameter(
            &args[1],
            "lquantize( ) argument #2 (base)",
            Tag::D_LQUANT_BASETYPE,
            i32s.clone(),
            Tag::D_LQUANT_BASEVAL,
        )?;
        let limit = self.parameter(
            &args[2],
            "lquantize( ) argument #3 (limit)",
            Tag::D_LQUANT_LIMTYPE,
            i32s,
            Tag::D_LQUANT_LIMVAL,
        )?;
        if limit <= base {
            return Err(Diag::error(
                Tag::D_LQUANT_MISMATCH,
                span,
                "lquantize( ) base (argument #2) must be less than limit (argument #3)",
            ));
        }
        let step = match args.get(3) {
            None => 1,
            Some(e) => self.parameter(
                e,
                "lquantize( ) argument #4 (step)",
                Tag::D_LQUANT_STEPTYPE,
                1..=u16::MAX as i64,
                Tag::D_LQUANT_STEPVAL,
            )?,
        };
        let levels = (limit - base) / step;
        if levels == 0 {
            return Err(Diag::error(
                Tag::D_LQUANT_STEPLARGE,
                span,
                "lquantize( ) step (argument #4) too large: must have at least one quantization level",
            ));
        }
        if levels > u16::MAX as i64 {
            return Err(Diag::error(
                Tag::D_LQUANT_STEPSMALL,
                span,
                "lquantize( ) step (argument #4) too small: number of quantization levels must be less than 65535",
            ));
        }
        Ok(AggFunc::Lquantize(Lquantize { base: base as i32, levels: levels as u16, step: step as u16 }))
    }

    fn llquantize(&mut self, args: &[ast::Expr], span: Span) -> Res<AggFunc> {
        let u16s = 0..=u16::MAX as i64;
        let factor = self.parameter(
            &args[1],
            "llquantize( ) argument #2 (factor)",
            Tag::D_LLQUANT_FACTORTYPE,
            u16s.clone(),
            Tag::D_LLQUANT_FACTORVAL,
        )?;
        let low = self.parameter(
            &args[2],
            "llquantize( ) argument #3 (low magnitude)",
            Tag::D_LLQUANT_LOWTYPE,
            u16s.clone(),
            Tag::D_LLQUANT_LOWVAL,
        )?;
        let high = self.parameter(
            &args[3],
            "llquantize( ) argument #4 (high magnitude)",
            Tag::D_LLQUANT_HIGHTYPE,
            u16s.clone(),
            Tag::D_LLQUANT_HIGHVAL,
        )?;
        let nsteps = self.parameter(
            &args[4],
            "llquantize( ) argument #5 (number of steps)",
            Tag::D_LLQUANT_NSTEPTYPE,
            u16s,
            Tag::D_LLQUANT_NSTEPVAL,
        )?;
        let fail = |tag, message: &str| Err(Diag::error(tag, span, format!("llquantize( ) {message}")));
        if factor < 2 {
            return fail(Tag::D_LLQUANT_FACTORSMALL, "factor (argument #2) must be two or more");
        }
        if low >= high {
            return fail(
                Tag::D_LLQUANT_MAGRANGE,
                "high magnitude (argument #4) must be greater than low magnitude (argument #3)",
            );
        }
        if nsteps < factor {
            return fail(
                Tag::D_LLQUANT_FACTORNSTEPS,
                "factor (argument #2) must be less than or equal to the number of linear steps (argument #5)",
            );
        }
        if nsteps % factor != 0 || !power_relation(factor, nsteps) {
            return fail(
                Tag::D_LLQUANT_FACTOREVEN,
                "factor (argument #2) must evenly divide the number of linear steps (argument #5), and a power of the factor must be evenly divided by it",
            );
        }
        let mut value = 1i64;
        for _ in 0..=high {
            match value.checked_mul(factor) {
                Some(next) => value = next,
                None => {
                    return fail(
                        Tag::D_LLQUANT_MAGTOOBIG,
                        "high magnitude (argument #4) is too large for the factor (argument #2): it overflows 64 bits",
                    );
                }
            }
        }
        Ok(AggFunc::Llquantize(Llquantize {
            factor: factor as u16,
            low: low as u16,
            high: high as u16,
            nsteps: nsteps as u16,
        }))
    }

    /// An aggregation by name.
    pub(super) fn named_aggregation(&self, name: &str, span: Span) -> Res<AggInfo> {
        self.aggregations.get(name).cloned().ok_or_else(|| self.no_aggregation(name, span))
    }

    pub(super) fn no_aggregation(&self, name: &str, span: Span) -> Diag {
        Diag::error(Tag::D_IDENT_UNDEF, span, format!("failed to resolve @{name}: Unknown variable name"))
    }

    /// clear(), trunc(), normalize(), denormalize().
    pub(super) fn aggregation_action(
        &mut self,
        row: &'static Function,
        action: Action,
        args: &[ast::Expr],
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Res<()> {
        let not_agg = match action {
            Action::Clear => Tag::D_CLEAR_AGGARG,
            Action::Trunc => Tag::D_TRUNC_AGGARG,
            _ => Tag::D_NORMALIZE_AGGARG,
        };
        let ast::ExprKind::Aggregation { name, .. } = &args[0].kind else {
            return Err(Diag::error(
                not_agg,
                args[0].span,
                format!(
                    "{}( ) argument #1 is incompatible with prototype:\n\tprototype: aggregation",
                    row.name
                ),
            ));
        };
        let agg = self.named_aggregation(name, args[0].span)?.id;
        let mut values = Vec::new();
        if let Some(e) = args.get(1) {
            let tag = if action == Action::Trunc { Tag::D_TRUNC_SCALAR } else { Tag::D_NORMALIZE_SCALAR };
            let node = self.operand(e)?;
            if self.types.integer(node.ty).is_none() {
                return Err(Diag::error(
                    tag,
                    e.span,
                    format!("{}( ) argument #2 must be of scalar type", row.name),
                ));
            }
            values.push(cast(self.rvalue(node)?, Ty::I64));
        }
        let kind = match action {
            Action::Clear => ActionKind::Clear { agg },
            Action::Trunc => ActionKind::Trunc { agg },
            Action::Normalize => ActionKind::Normalize { agg },
            _ => ActionKind::Denormalize { agg },
        };
        let types = values.iter().map(|_| Ty::I64).collect();
        let recorded = self.clause.recorded;
        out.push(self.record(kind, values, types, span));
        self.clause.recorded = recorded;
        Ok(())
    }
}

/// Do the steps and the powers of the factor divide each other (as illumos demands)?
fn power_relation(factor: i64, nsteps: i64) -> bool {
    let mut power = factor;
    while power < nsteps {
        power *= factor;
    }
    power % nsteps == 0
}
