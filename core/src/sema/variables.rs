//! Names: variables, built-ins, inlines, enumerators, kernel symbols; assignments.

use super::checker::{Checker, InlineDef, Res};
use super::expr::ir_op;
use super::node::{Kind, Node, cast, constant, expr};
use crate::builtins::variables::{Source, VARIABLES, Variable};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind};
use crate::syntax::ast::{self, Scope};
use crate::types::{Type, TypeId};

/// The row of a built-in variable.
pub(super) fn builtin(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|v| v.name == name)
}

/// How deep inlines and translators may expand each other.
const MAX_EXPANSION: u32 = 32;

impl Checker<'_> {
    /// A name in an expression.
    pub(super) fn identifier(&mut self, scope: Scope, name: &str, span: Span) -> Res<Node> {
        if scope == Scope::Global {
            if let Some((_, node)) = self.bindings.iter().rev().find(|(n, _)| n == name) {
                let mut node = node.clone();
                node.span = span;
                return Ok(node);
            }
            if name == "NULL" && !self.inlines.contains_key(name) {
                return Ok(Node::value(self.types.basic().void_pointer, constant(0, ir::Ty::U64, span)));
            }
        }
        if let Some(info) = self.variables.get(&(scope, name.to_string())).cloned() {
            if info.key.is_some() {
                return Err(Diag::error(
                    Tag::D_ARR_BADREF,
                    span,
                    format!("{name} is an associative array and must be used with a key"),
                ));
            }
            let ty = self.value_type(info.ty, span)?;
            let place =
                ir::Place { kind: ir::PlaceKind::Var { var: info.id, offset: None }, ty, bits: None, span };
            return Ok(Node { ty: info.ty, kind: Kind::Place { place, writable: true }, span });
        }
        if scope != Scope::Global {
            return Err(self.undefined(scope, name, span));
        }
        if let Some(variable) = builtin(name) {
            return self.builtin_variable(variable, span);
        }
        if let Some(inline) = self.inlines.get(name).cloned() {
            if !inline.params.is_empty() {
                return Err(Diag::error(
                    Tag::D_ARR_BADREF,
                    span,
                    format!("inline {name} takes arguments: {name}[...]"),
                ));
            }
            return self.expand_inline(&inline, Vec::new(), span);
        }
        if let Some((value, ty)) = self.types.enumerator(name) {
            let int = self.types.basic().int;
            let ty = if matches!(self.types.base(ty), Type::Enum(_)) { ty } else { int };
            return Ok(Node::value(ty, constant(value, ir::Ty::I32, span)));
        }
        if let Some(value) = crate::builtins::constants::find(name) {
            return Ok(self.int_node(value, span));
        }
        if crate::builtins::functions::find(name).is_some() {
            return Err(Diag::error(
                Tag::D_IDENT_BADREF,
                span,
                format!("{name} is a function and must be called: {name}()"),
            ));
        }
        Err(self.undefined(scope, name, span))
    }

    fn undefined(&self, scope: Scope, name: &str, span: Span) -> Diag {
        let prefix = match scope {
            Scope::Global => "",
            Scope::Thread => "self->",
            Scope::Clause => "this->",
        };
        let message = match scope {
            Scope::Global => format!("failed to resolve {name}: Unknown variable name"),
            _ => format!("{prefix}{name} has not yet been declared or assigned"),
        };
        let mut diag = Diag::error(Tag::D_IDENT_UNDEF, span, message);
        let near = self
            .variables
            .keys()
            .filter(|(s, _)| *s == scope)
            .map(|(_, n)| n.as_str())
            .chain(VARIABLES.iter().filter(|_| scope == Scope::Global).map(|v| v.name))
            .filter(|n| super::nearest::close(n, name));
        if let Some(best) = near.min_by_key(|n| super::nearest::distance(n, name)) {
            diag = diag.note(format!("did you mean {prefix}{best}?"));
        }
        diag
    }

    fn builtin_variable(&mut self, variable: &'static Variable, span: Span) -> Res<Node> {
        if let Some(min) = self.amin
            && let Some(own) = super::stability::Attributes::parse(variable.stability)
            && !own.at_least(min)
        {
            return Err(Diag::error(
                Tag::D_ATTR_MIN,
                span,
                format!("attributes for variable {} ({own}) are less than predefined minimum", variable.name),
            ));
        }
        let ty = self.prototype(variable.ty, span)?;
        let ir_ty = self.value_type(ty, span)?;
        let kind = match variable.source {
            Source::Arg(n) => ExprKind::Arg(n),
            Source::Builtin(b) => ExprKind::Builtin(b),
        };
        Ok(Node::value(ty, expr(kind, ir_ty, span)))
    }

    /// A type given as D source in one of our tables.
    pub(super) fn prototype(&mut self, text: &str, span: Span) -> Res<TypeId> {
        if let Some(ty) = self.types.lookup_typedef(text) {
            return Ok(ty);
        }
        let types = &self.types;
        let is_typedef = |name: &str| types.lookup_typedef(name).is_some();
        let config = crate::syntax::ParseConfig { is_typedef: &is_typedef, ..Default::default() };
        let Some(name) = crate::syntax::parse_type(text, &config) else {
            return Err(Diag::error(Tag::D_UNKNOWN, span, format!("failed to resolve type {text}")));
        };
        self.type_name(&name)
    }

    /// Evaluates an inline with its parameters bound, converted to its declared type.
    pub(super) fn expand_inline(&mut self, inline: &InlineDef, args: Vec<Node>, span: Span) -> Res<Node> {
        if self.inline_depth >= MAX_EXPANSION {
            return Err(Diag::error(
                Tag::D_IDENT_BADREF,
                span,
                "inline definitions expand each other too deeply",
            ));
        }
        let outer = self.bindings.len();
        for ((name, ty), arg) in inline.params.iter().zip(args) {
            let node = self.argument(arg, *ty, name, span)?;
            self.bindings.push((name.clone(), node));
        }
        self.inline_depth += 1;
        let result = self.expr(&inline.value);
        self.inline_depth -= 1;
        self.bindings.truncate(outer);
        let node = self.decay(result?)?;
        if matches!(node.kind, Kind::Translated { .. }) {
            return Ok(node);
        }
        let value = self.converted(node, inline.ty).map_err(|mut diag| {
            diag.tag = Tag::D_OP_INCOMPAT;
            diag
        })?;
        Ok(Node { ty: inline.ty, kind: Kind::Value(value), span })
    }

    /// `name[...]` where the name says what it means: an associative array, `args[]`,
    /// `uregs[]`, an inline with parameters. `None`: index it as an expression.
    pub(super) fn named_index(
        &mut self,
        scope: Scope,
        name: &str,
        index: &[ast::Expr],
        span: Span,
    ) -> Res<Option<Node>> {
        if let Some(info) = self.variables.get(&(scope, name.to_string())).cloned() {
            let Some(key_types) = info.key else {
                let indexable =
                    self.types.element(info.ty).is_some() || self.types.pointee(info.ty).is_some();
                if indexable {
                    return Ok(None);
                }
                return Err(Diag::error(
                    Tag::D_ARR_BADREF,
                    span,
                    format!("cannot index {name}: it is a scalar variable, not an associative array"),
                ));
            };
            let key = self.tuple(name, &key_types, index, span)?;
            let ty = self.value_type(info.ty, span)?;
            let place = ir::Place {
                kind: ir::PlaceKind::Elem { var: info.id, key, offset: 0 },
                ty,
                bits: None,
                span,
            };
            return Ok(Some(Node { ty: info.ty, kind: Kind::Place { place, writable: true }, span }));
        }
        if scope != Scope::Global {
            return Err(self.undefined(scope, name, span));
        }
        match name {
            "args" => self.args(index, span).map(Some),
            "uregs" | "regs" => {
                let [only] = index else {
                    return Err(Diag::error(Tag::D_PROTO_LEN, span, format!("{name}[] takes one index")));
                };
                let node = self.integer(only, "[]")?;
                let value = self.rvalue(node)?;
                let ty = self.types.basic().uint64;
                Ok(Some(Node::value(ty, expr(ExprKind::Ureg(Box::new(value)), ir::Ty::U64, span))))
            }
            _ => {
                let Some(inline) = self.inlines.get(name).cloned() else { return Ok(None) };
                if inline.params.is_empty() {
                    return Ok(None);
                }
                if inline.params.len() != index.len() {
                    return Err(self.tuple_length(name, index.len(), inline.params.len(), span));
                }
                let mut args = Vec::new();
                for e in index {
                    args.push(self.operand(e)?);
                }
                self.expand_inline(&inline, args, span).map(Some)
            }
        }
    }

    fn tuple_length(&self, name: &str, given: usize, wanted: usize, span: Span) -> Diag {
        Diag::error(
            Tag::D_PROTO_LEN,
            span,
            format!(
                "{name}[ ] prototype mismatch: {given} arg{} passed, {wanted} expected",
                if given == 1 { "" } else { "s" }
            ),
        )
    }

    /// Checks a key tuple against the key's types.
    pub(super) fn tuple(
        &mut self,
        name: &str,
        types: &[TypeId],
        index: &[ast::Expr],
        span: Span,
    ) -> Res<Vec<ir::Expr>> {
        if types.len() != index.len() {
            return Err(self.tuple_length(name, index.len(), types.len(), span));
        }
        let mut key = Vec::new();
        for (i, (ty, e)) in types.iter().zip(index).enumerate() {
            let node = self.operand(e)?;
            let given = node.ty;
            let part = self.converted(node, *ty).map_err(|_| {
                Diag::error(
                    Tag::D_PROTO_ARG,
                    e.span,
                    format!(
                        "{name}[ ] key #{} is incompatible with prototype:\n\tprototype: {}\n\t argument: {}",
                        i + 1,
                        self.types.name(*ty),
                        self.types.name(given)
                    ),
                )
            })?;
            key.push(part);
        }
        Ok(key)
    }

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
        let Some(op) = op else {
            let node = self.expr(value)?;
            let node = self.decay(node)?;
            self.create_on_assignment(target, &node)?;
            let (place, ty) = self.lvalue(target, &text)?;
            let stored = self.stored(node, ty, &text, target, span)?;
            let ir_ty = place.ty;
            let kind = ExprKind::Assign { place: Box::new(place), value: Box::new(stored) };
            return Ok(Node::value(ty, expr(kind, ir_ty, span)));
        };
        let (place, ty) = self.lvalue(target, &text)?;
        let node = self.operand(value)?;
        let right_ty = node.ty;
        let (compute, operand) = if let Some(to) = self.types.pointee(ty) {
            if !matches!(op, ast::BinaryOp::Add | ast::BinaryOp::Sub)
                || self.types.integer(right_ty).is_none()
            {
                return Err(Diag::error(
                    Tag::D_OP_INT,
                    span,
                    format!("operator {text} requires operands of integral type"),
                ));
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
                return Err(Diag::error(
                    Tag::D_OP_ARITH,
                    span,
                    format!("operator {text} requires operands of arithmetic type"),
                ));
            }
            if matches!(op, ast::BinaryOp::Div | ast::BinaryOp::Mod) && node.constant() == Some(0) {
                return Err(Diag::error(Tag::D_DIV_ZERO, span, "expression contains division by zero"));
            }
            let wide = self.promote(ty, right_ty);
            let compute = self.value_type(wide, span)?;
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
            Kind::Place { place, writable: true } => {
                if self.types.has_qualifier(node.ty, crate::types::Qualifier::Const) {
                    return Err(Diag::error(
                        Tag::D_OP_WRITE,
                        target.span,
                        format!("operator {op} cannot be applied to read-only data"),
                    ));
                }
                Ok((place, node.ty))
            }
            Kind::Place { .. } => Err(Diag::error(
                Tag::D_OP_WRITE,
                target.span,
                format!("operator {op} cannot be applied to read-only data"),
            )),
            _ => {
                let named = matches!(&target.kind, ast::ExprKind::Ident { .. } | ast::ExprKind::Index { .. });
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
        let (scope, name, index) = match &target.kind {
            ast::ExprKind::Ident { scope, name } => (*scope, name, None),
            ast::ExprKind::Index { of, index } => match &of.kind {
                ast::ExprKind::Ident { scope, name } => (*scope, name, Some(index)),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        if self.variables.contains_key(&(scope, name.clone())) {
            return Ok(());
        }
        if scope == Scope::Global
            && (builtin(name).is_some()
                || self.inlines.contains_key(name)
                || self.types.enumerator(name).is_some()
                || matches!(name.as_str(), "args" | "uregs" | "regs" | "NULL")
                || self.bindings.iter().any(|(n, _)| n == name))
        {
            return Ok(());
        }
        if let Kind::Translated { .. } = value.kind {
            return Err(Diag::error(
                Tag::D_OP_DYN,
                target.span,
                format!("cannot assign a translated object to {name}: assign one of its members"),
            ));
        }
        if let Kind::Void(_) = value.kind {
            return Err(Diag::error(
                Tag::D_OP_VFPTR,
                target.span,
                format!("cannot assign a void expression to {name}"),
            ));
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
                for e in index {
                    let node = self.operand(e)?;
                    let ty = match self.types.base(node.ty) {
                        Type::Array { .. } if self.is_stringlike(node.ty) => self.types.basic().string,
                        _ => self.unqualified(node.ty),
                    };
                    key.push(ty);
                }
                Some(key)
            }
        };
        self.add_variable(scope, name, ty, key, target.span)?;
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

    /// `` `name``: a kernel variable's value, or a function's address.
    pub(super) fn kernel_symbol(&mut self, module: Option<&str>, name: &str, span: Span) -> Res<Node> {
        let found = match self.backend.type_source() {
            Some(source) => source.symbol(&mut self.types, module, name),
            None => None,
        };
        let Some((address, ty)) = found else {
            let shown = module.map_or(format!("`{name}"), |m| format!("{m}`{name}"));
            return Err(Diag::error(
                Tag::D_IDENT_UNDEF,
                span,
                format!("failed to resolve {shown}: Unknown symbol name"),
            ));
        };
        let addr = constant(address as i64, ir::Ty::U64, span);
        match ty {
            Some(ty)
                if self.ir_type(ty).is_some() && !matches!(self.types.base(ty), Type::Function { .. }) =>
            {
                self.memory(addr, ir::Space::Any, ty, span)
            }
            // Without a type the symbol can only be taken the address of.
            _ => {
                let place = ir::Place {
                    kind: ir::PlaceKind::Mem { addr: Box::new(addr), space: ir::Space::Any },
                    ty: ir::Ty::I32,
                    bits: None,
                    span,
                };
                Ok(Node { ty: self.types.basic().int, kind: Kind::Place { place, writable: false }, span })
            }
        }
    }
}
