//! Objects in memory and their parts: pointers, members, elements, sizes.

use super::checker::{Checker, Res};
use super::node::{Kind, Node, binary, cast, constant, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ExprKind, Space};
use crate::syntax::ast::{self, BinaryOp};
use crate::types::{Qualifier, Type, TypeId};

impl Checker<'_> {
    /// `*p`.
    pub(super) fn deref(&mut self, node: Node, span: Span) -> Res<Node> {
        let node = self.pointer_to_array(node)?;
        if let Kind::Translated { translator, input, pointer: true } = node.kind {
            return Ok(Node {
                ty: node.ty,
                kind: Kind::Translated { translator, input, pointer: false },
                span,
            });
        }
        if self.types.is_string(node.ty) {
            let first = constant(0, ir::Ty::I64, span);
            return self.char_at(node, first, span);
        }
        let Some(to) = self.types.pointee(node.ty) else {
            return Err(Diag::error(
                Tag::D_DEREF_NONPTR,
                span,
                format!("cannot dereference non-pointer type {}", self.quoted(node.ty)),
            ));
        };
        match self.types.base(to) {
            Type::Void => {
                return Err(Diag::error(Tag::D_DEREF_VOID, span, "cannot dereference pointer to void"));
            }
            Type::Function { .. } => {
                return Err(Diag::error(Tag::D_DEREF_FUNC, span, "cannot dereference pointer to function"));
            }
            _ => {}
        }
        let space = self.space(node.ty, to);
        let addr = self.rvalue(node)?;
        self.memory(addr, space, to, span)
    }

    /// Where objects of a pointer's target live.
    pub(super) fn space(&self, pointer: TypeId, to: TypeId) -> Space {
        let user = Qualifier::Userland;
        if self.types.has_qualifier(pointer, user) || self.types.has_qualifier(to, user) {
            Space::User
        } else {
            Space::Any
        }
    }

    /// A type is not known, perhaps because none is.
    fn incomplete(&mut self, span: Span, message: String) -> Diag {
        let diag = Diag::error(Tag::D_OP_INCOMPLETE, span, message);
        match self.backend.type_source().and_then(|types| types.missing()) {
            Some(why) => diag.note(why),
            None => diag,
        }
    }

    /// The object of type `to` at an address.
    pub(super) fn memory(&mut self, addr: ir::Expr, space: Space, to: TypeId, span: Span) -> Res<Node> {
        self.complete_from_source(to);
        let ty = self.ir_type(to);
        let Some(ty) = ty else {
            let message = format!("operator requires a complete type: {} is incomplete", self.quoted(to));
            return Err(self.incomplete(span, message));
        };
        let place =
            ir::Place { kind: ir::PlaceKind::Mem { addr: Box::new(addr), space }, ty, bits: None, span };
        Ok(Node { ty: to, kind: Kind::Place { place, writable: true }, span })
    }

    /// `&x`: only objects in memory have addresses in D.
    pub(super) fn address_of(&mut self, of: &ast::Expr, span: Span) -> Res<Node> {
        let node = self.expr(of)?;
        match node.kind {
            Kind::Place { place, .. } if place.bits.is_some() => {
                Err(Diag::error(Tag::D_ADDROF_BITFIELD, span, "cannot take address of a bit-field"))
            }
            Kind::Place { place: ir::Place { kind: ir::PlaceKind::Mem { addr, .. }, .. }, .. } => {
                let ty = self.types.pointer(node.ty);
                Ok(Node::value(ty, *addr))
            }
            // A part of an object: the object lies somewhere. A whole variable has no address in D.
            Kind::Place { place, .. }
                if matches!(place.kind, ir::PlaceKind::Var { offset: Some(_), .. })
                    || !matches!(of.kind, ast::ExprKind::Ident { .. } | ast::ExprKind::Index { .. }) =>
            {
                let ty = self.types.pointer(node.ty);
                Ok(Node::value(ty, expr(ExprKind::AddressOf(Box::new(place)), ir::Ty::U64, span)))
            }
            Kind::Place { .. } => {
                let name = match &of.kind {
                    ast::ExprKind::Ident { name, .. } => name.clone(),
                    _ => "expression".to_string(),
                };
                Err(Diag::error(
                    Tag::D_ADDROF_VAR,
                    span,
                    format!("cannot take address of dynamic variable \"{name}\""),
                ))
            }
            Kind::Value(_) if matches!(of.kind, ast::ExprKind::Ident { .. }) => {
                Err(Diag::error(Tag::D_ADDROF_VAR, span, "cannot take address of a built-in variable"))
            }
            _ => Err(Diag::error(
                Tag::D_ADDROF_LVAL,
                span,
                "unacceptable operand for unary & operator: cannot take address of it",
            )),
        }
    }

    /// `size_t`.
    pub(super) fn size_type(&self) -> TypeId {
        self.types.lookup_typedef("size_t").unwrap_or(self.types.basic().unsigned_long)
    }

    /// `sizeof`.
    pub(super) fn sizeof(&mut self, ty: TypeId, span: Span) -> Res<Node> {
        self.complete_from_source(ty);
        match self.types.size(ty) {
            Some(size) => Ok(Node::value(self.size_type(), constant(size as i64, ir::Ty::U64, span))),
            None => Err(Diag::error(
                Tag::D_SIZEOF_TYPE,
                span,
                format!("cannot apply sizeof to an operand of type {}", self.quoted(ty)),
            )),
        }
    }

    pub(super) fn offsetof(&mut self, ty: &ast::TypeName, member: &ast::Name, span: Span) -> Res<Node> {
        let id = self.type_name(ty)?;
        self.complete_from_source(id);
        if self.types.composite(id).is_none_or(|composite| composite.members.is_none()) {
            return Err(Diag::error(
                Tag::D_OFFSETOF_TYPE,
                span,
                format!("offsetof operand must be a struct or union type, not {}", self.quoted(id)),
            ));
        }
        let Some(found) = self.types.member(id, &member.text) else {
            return Err(Diag::error(
                Tag::D_UNKNOWN,
                member.span,
                format!("failed to determine offset of {}: Member name not found", member.text),
            ));
        };
        if found.bits.is_some() {
            return Err(Diag::error(
                Tag::D_OFFSETOF_BITFIELD,
                span,
                format!("cannot take offset of a bit-field: {}", member.text),
            ));
        }
        Ok(Node::value(self.size_type(), constant(found.offset as i64, ir::Ty::U64, span)))
    }

    pub(super) fn no_member(&self, ty: TypeId, member: &ast::Name) -> Diag {
        Diag::error(
            Tag::D_TYPE_MEMBER,
            member.span,
            format!("{} is not a member of {}", member.text, self.types.name(self.types.resolve(ty))),
        )
    }

    /// `o.m`.
    pub(super) fn member(&mut self, node: Node, member: &ast::Name, span: Span) -> Res<Node> {
        if let Kind::Translated { translator, input, .. } = node.kind {
            return self.translated_member(translator, *input, member, span);
        }
        if self.types.composite(node.ty).is_none() {
            return Err(Diag::error(
                Tag::D_OP_SOU,
                span,
                format!("operator . cannot be applied to operand of type {}", self.quoted(node.ty)),
            ));
        }
        let Some(found) = self.types.member(node.ty, &member.text) else {
            return match self.stack_constant(node.ty, &member.text, span) {
                Some(constant) => Ok(constant),
                None => Err(self.no_member(node.ty, member)),
            };
        };
        let ty = self.value_type(found.ty, span)?;
        match node.kind {
            Kind::Place { place, writable } => {
                let kind = offset_place(place.kind, found.offset);
                let place = ir::Place { kind, ty, bits: found.bits, span };
                Ok(Node { ty: found.ty, kind: Kind::Place { place, writable }, span })
            }
            Kind::Value(of) => {
                let part = expr(ExprKind::Extract { of: Box::new(of), offset: found.offset }, ty, span);
                let part = match found.bits {
                    Some((shift, bits)) => {
                        expr(ExprKind::BitField { of: Box::new(part), shift, bits }, ty, span)
                    }
                    None => part,
                };
                Ok(Node::value(found.ty, part))
            }
            _ => Err(Diag::error(Tag::D_OP_SOU, span, "operator . cannot be applied to a void expression")),
        }
    }

    /// `p->m`.
    pub(super) fn arrow(&mut self, node: Node, member: &ast::Name, span: Span) -> Res<Node> {
        if let Kind::Translated { translator, input, pointer: true } = node.kind {
            return self.translated_member(translator, *input, member, span);
        }
        let node = self.decay(node)?;
        let node = self.pointer_to_array(node)?;
        let target = self.types.pointee(node.ty);
        match target {
            Some(to) if self.types.composite(to).is_some() => {
                self.complete_from_source(to);
                if self.types.size(to).is_none() {
                    let message = format!(
                        "operator -> cannot be applied to a forward declaration: no {} definition is available",
                        self.types.name(self.types.resolve(to))
                    );
                    return Err(self.incomplete(span, message));
                }
                let object = self.deref(node, span)?;
                self.member(object, member, span)
            }
            Some(to) => Err(Diag::error(
                Tag::D_OP_SOU,
                span,
                format!(
                    "operator -> cannot be applied to pointer to type {}; must be applied to a struct or union pointer",
                    self.quoted(to)
                ),
            )),
            None => Err(Diag::error(Tag::D_OP_PTR, span, "operator -> must be applied to a pointer")),
        }
    }

    /// `a[i]`: an associative array's element, an array's, or `args[]`.
    pub(super) fn index(&mut self, of: &ast::Expr, index: &[ast::Expr], span: Span) -> Res<Node> {
        if let ast::ExprKind::Ident { scope, name } = &of.kind
            && let Some(node) = self.named_index(*scope, name, index, span)?
        {
            return Ok(node);
        }
        let base = self.expr(of)?;
        let [only] = index else {
            return Err(Diag::error(
                Tag::D_ARR_BADREF,
                span,
                "expression is not an associative array: it takes one index",
            ));
        };
        // An array variable is indexed in place; everything else through its address.
        if let Some((element, len)) = self.types.element(base.ty)
            && let Kind::Place { place, writable } = &base.kind
            && !matches!(place.kind, ir::PlaceKind::Mem { .. })
        {
            let (place, writable) = (place.clone(), *writable);
            let index = self.subscript(only, &base)?;
            return self.array_element(place, writable, element, len, index, span);
        }
        if let Some((element, len)) = self.types.element(base.ty)
            && let Kind::Value(whole) = base.kind
        {
            return self.element_of_value(base.ty, whole, element, len, only, span);
        }
        let base = self.decay(base)?;
        let index = self.subscript(only, &base)?;
        if self.types.is_string(base.ty) {
            let index = self.rvalue(index)?;
            return self.char_at(base, index, span);
        }
        if self.types.pointee(base.ty).is_none() {
            return Err(Diag::error(
                Tag::D_DEREF_NONPTR,
                span,
                format!(
                    "cannot dereference non-pointer type: {} is no array, pointer or string",
                    self.quoted(base.ty)
                ),
            ));
        }
        let address = self.pointer_arithmetic(BinaryOp::Add, base, index, span)?;
        self.deref(address, span)
    }

    /// An element of an array that no variable holds: one without a name does then.
    fn element_of_value(
        &mut self,
        ty: TypeId,
        whole: ir::Expr,
        element: TypeId,
        len: u64,
        index: &ast::Expr,
        span: Span,
    ) -> Res<Node> {
        let (first, place) = self.kept(whole);
        let base = Node { ty, kind: Kind::Place { place: place.clone(), writable: false }, span };
        let index = self.subscript(index, &base)?;
        let mut node = self.array_element(place, false, element, len, index, span)?;
        if let Kind::Place { place: ir::Place { kind: ir::PlaceKind::Var { offset, .. }, .. }, .. } =
            &mut node.kind
        {
            let at = offset.take().map_or(constant(0, ir::Ty::I64, span), |offset| *offset);
            let at = expr(ExprKind::Comma(Box::new(first), Box::new(at)), ir::Ty::I64, span);
            *offset = Some(Box::new(at));
        }
        Ok(node)
    }

    /// A character of a string.
    fn char_at(&mut self, string: Node, index: ir::Expr, span: Span) -> Res<Node> {
        let args = vec![self.rvalue(string)?, cast(index, ir::Ty::I64)];
        let ty = ir::Ty::Int { bytes: 1, signed: true };
        let call = expr(ExprKind::Call(ir::Subroutine::CharAt, args), ty, span);
        Ok(Node::value(self.types.basic().char, call))
    }

    /// What stands in `[ ]` behind an array, pointer or string.
    fn subscript(&mut self, index: &ast::Expr, base: &Node) -> Res<Node> {
        let node = self.operand(index)?;
        if self.types.integer(node.ty).is_none() {
            return Err(self.incompatible("+", base, &node, index.span));
        }
        Ok(node)
    }

    /// An array that a variable holds, as the pointer to its first element; other nodes as they are.
    pub(super) fn pointer_to_array(&mut self, node: Node) -> Res<Node> {
        let Some((element, _)) = self.types.element(node.ty) else { return Ok(node) };
        let Kind::Place { place, .. } = node.kind else { return Ok(node) };
        if matches!(place.kind, ir::PlaceKind::Elem { .. }) {
            return Ok(Node { kind: Kind::Place { place, writable: true }, ..node });
        }
        let ty = self.types.pointer(element);
        Ok(Node::value(ty, expr(ExprKind::AddressOf(Box::new(place)), ir::Ty::U64, node.span)))
    }

    /// Element of an array that lives in a variable.
    fn array_element(
        &mut self,
        place: ir::Place,
        writable: bool,
        element: TypeId,
        len: u64,
        node: Node,
        span: Span,
    ) -> Res<Node> {
        let size = self.types.size(element).unwrap_or(1) as i64;
        let ty = self.value_type(element, span)?;
        if let Some(i) = node.constant()
            && (i < 0 || i as u64 >= len)
        {
            return Err(Diag::error(
                Tag::D_ARR_BOUNDS,
                span,
                format!("index outside array bounds: {i}, max is {len}"),
            ));
        }
        let index = cast(self.rvalue(node)?, ir::Ty::I64);
        let offset = binary(ir::BinaryOp::Mul, index, constant(size, ir::Ty::I64, span), ir::Ty::I64, span);
        let kind = match place.kind {
            ir::PlaceKind::Var { var, offset: None } => {
                ir::PlaceKind::Var { var, offset: Some(Box::new(offset)) }
            }
            ir::PlaceKind::Var { var, offset: Some(base) } => {
                let sum = binary(ir::BinaryOp::Add, *base, offset, ir::Ty::I64, span);
                ir::PlaceKind::Var { var, offset: Some(Box::new(sum)) }
            }
            ir::PlaceKind::Elem { var, key, offset: base } => match offset.kind {
                ExprKind::Const(v) => ir::PlaceKind::Elem { var, key, offset: base + v as u32 },
                _ => {
                    return Err(Diag::error(
                        Tag::D_ARR_BADREF,
                        span,
                        "an array within an associative array takes a constant index",
                    ));
                }
            },
            mem => mem,
        };
        let place = ir::Place { kind, ty, bits: None, span };
        Ok(Node { ty: element, kind: Kind::Place { place, writable }, span })
    }
}

/// The same place, `offset` bytes further.
pub(super) fn offset_place(kind: ir::PlaceKind, offset: u32) -> ir::PlaceKind {
    let add = |base: ir::Expr, ty: ir::Ty| {
        let span = base.span;
        binary(ir::BinaryOp::Add, cast(base, ty), constant(offset as i64, ty, span), ty, span)
    };
    match kind {
        kind if offset == 0 => kind,
        ir::PlaceKind::Var { var, offset: None } => {
            let span = Span::default();
            ir::PlaceKind::Var { var, offset: Some(Box::new(constant(offset as i64, ir::Ty::I64, span))) }
        }
        ir::PlaceKind::Var { var, offset: Some(base) } => {
            ir::PlaceKind::Var { var, offset: Some(Box::new(add(*base, ir::Ty::I64))) }
        }
        ir::PlaceKind::Elem { var, key, offset: base } => {
            ir::PlaceKind::Elem { var, key, offset: base + offset }
        }
        ir::PlaceKind::Mem { addr, space } => {
            ir::PlaceKind::Mem { addr: Box::new(add(*addr, ir::Ty::U64)), space }
        }
    }
}
