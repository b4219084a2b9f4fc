//! Names: variables, built-ins, inlines, enumerators, kernel symbols; assignments.

use super::checker::{Checker, InlineDef, Res};
use super::node::{Kind, Node, constant, expr};
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
        if scope == Scope::Global && matches!(name, "self" | "this") {
            let message = format!("{name} is no variable: it is written {name}->name");
            return Err(Diag::error(Tag::D_IDENT_BADREF, span, message));
        }
        if scope == Scope::Global {
            if let Some((_, node)) = self.bindings.iter().rev().find(|(n, _)| n == name) {
                let mut node = node.clone();
                node.span = span;
                return Ok(node);
            }
            if name == "NULL" && !self.inlines.contains_key(name) {
                return Ok(self.int_node(0, span));
            }
        }
        if let Some(info) = self.variables.get(&(scope, name.to_string())).cloned() {
            if info.key.is_some() {
                return Err(self.array_as_scalar(name, span));
            }
            let ty = self.value_type(info.ty, span)?;
            let place =
                ir::Place { kind: ir::PlaceKind::Var { var: info.id, offset: None }, ty, bits: None, span };
            return Ok(Node { ty: info.ty, kind: Kind::Place { place, writable: true }, span });
        }
        if scope != Scope::Global {
            return Err(self.unassigned(scope, name, span));
        }
        if let Some(variable) = builtin(name) {
            return self.builtin_variable(variable, span);
        }
        if let Some(inline) = self.inlines.get(name).cloned() {
            if !inline.params.is_empty() {
                return Err(self.array_as_scalar(name, span));
            }
            return self.expand_inline(&inline, Vec::new(), span);
        }
        if matches!(name, "args" | "uregs" | "regs") {
            return Err(self.array_as_scalar(name, span));
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

    fn array_as_scalar(&self, name: &str, span: Span) -> Diag {
        Diag::error(
            Tag::D_IDENT_BADREF,
            span,
            format!("associative array '{name}' may not be referenced as scalar: it needs a key"),
        )
    }

    /// A name that is read or updated before anything is assigned to it.
    pub(super) fn unassigned(&self, scope: Scope, name: &str, span: Span) -> Diag {
        let mut diag = self.undefined(scope, name, span);
        diag.tag = Tag::D_VAR_UNDEF;
        if scope == Scope::Global {
            diag.message = format!("{name} has not yet been declared or assigned");
        }
        diag
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
        let own = super::stability::Attributes::parse(variable.stability);
        own.into_iter().for_each(|own| self.names(own));
        if let (Some(min), Some(own)) = (self.amin, own)
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
        let mut before = Vec::new();
        for ((name, ty), arg) in inline.params.iter().zip(args) {
            let node = self.argument(arg, *ty, name, span)?;
            let node = self.settled(node, &mut before);
            self.bindings.push((name.clone(), node));
        }
        self.inline_depth += 1;
        let result = self.expr(&inline.value);
        self.inline_depth -= 1;
        self.bindings.truncate(outer);
        let node = self.decay(result?)?;
        if matches!(node.kind, Kind::Translated { .. }) {
            return self.after(before, node);
        }
        let value = self.converted(node, inline.ty).map_err(|mut diag| {
            diag.tag = Tag::D_OP_INCOMPAT;
            diag
        })?;
        self.after(before, Node { ty: inline.ty, kind: Kind::Value(value), span })
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
                return Ok(None);
            };
            let key = self.tuple(name, &key_types, index, span)?;
            if key.len() > self.tuple_registers as usize {
                let message = "Insufficient tuple registers to generate code";
                let note = format!("a key of {} parts; -x tregs={0} permits it", key.len());
                return Err(Diag::error(Tag::D_NOREG, span, message).note(note));
            }
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
            return Err(self.unassigned(scope, name, span));
        }
        match name {
            "args" => self.args(index, span).map(Some),
            "uregs" | "regs" => {
                self.names(super::stability::Attributes::PRIVATE);
                let [only] = index else {
                    return Err(Diag::error(Tag::D_PROTO_LEN, span, format!("{name}[] takes one index")));
                };
                let node = self.operand(only)?;
                if self.types.integer(node.ty).is_none() {
                    return Err(Diag::error(
                        Tag::D_PROTO_ARG,
                        only.span,
                        format!(
                            "{name}[ ] argument #1 is incompatible with prototype:\n\tprototype: integer\n\t argument: {}",
                            self.types.name(node.ty)
                        ),
                    ));
                }
                let value = self.rvalue(node)?;
                let ty = self.types.basic().uint64;
                Ok(Some(Node::value(ty, expr(ExprKind::Ureg(Box::new(value)), ir::Ty::U64, span))))
            }
            _ => {
                let Some(inline) = self.inlines.get(name).cloned() else {
                    let known = builtin(name).is_some() || self.bindings.iter().any(|(n, _)| n == name);
                    return if known { Ok(None) } else { Err(self.unassigned(scope, name, span)) };
                };
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

    /// A key part needs a value of its own.
    pub(super) fn usable_key(&self, node: &Node, position: usize) -> Res<()> {
        if !node.is_void() && !matches!(node.kind, Kind::Translated { .. }) {
            return Ok(());
        }
        Err(Diag::error(
            Tag::D_KEY_TYPE,
            node.span,
            format!(
                "{} expression may not be used as associative array index: key #{}",
                if node.is_void() { "void" } else { "dynamic" },
                position + 1
            ),
        ))
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
            self.usable_key(&node, i)?;
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

    /// `` `name``: a kernel variable's value, or a function's address.
    pub(super) fn kernel_symbol(&mut self, module: Option<&str>, name: &str, span: Span) -> Res<Node> {
        self.names(super::stability::Attributes::PRIVATE);
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
        // A function, or a symbol whose type nobody knows: dtrace reads a word there.
        let word = self.types.lookup_typedef("uintptr_t").unwrap_or(self.types.basic().unsigned_long);
        let ty = ty.filter(|ty| !matches!(self.types.base(*ty), Type::Function { .. } | Type::Void));
        let addr = constant(address as i64, ir::Ty::U64, span);
        let mut node = self.memory(addr, ir::Space::Any, ty.unwrap_or(word), span)?;
        if let Kind::Place { writable, .. } = &mut node.kind {
            *writable = false;
        }
        Ok(node)
    }
}
