//! Declarations and what stands before their declarators: storage classes,
//! qualifiers, type words, struct, union and enum bodies.

use super::super::ast::{BaseType, Declaration, Declarator, Expr, Name, Specifiers, Storage, TypeName};
use super::super::lex::Tok;
use super::declarator::Naming;
use super::top::{is_qualifier, is_storage, is_type_word};
use super::{Fail, Parser, R};
use crate::diagnostic::Tag;

impl Parser<'_> {
    /// `storage specifiers declarator, ... ;`.
    pub(super) fn declaration(&mut self) -> R<Declaration> {
        let start = self.span();
        let (storage, specifiers) = self.specifiers(true)?;
        let mut declarators = Vec::new();
        if !self.at_op(";") {
            loop {
                let declarator = self.declarator(Naming::Required)?;
                if let Some(name) = &declarator.name {
                    self.declared(&name.text, storage == Some(Storage::Typedef));
                }
                declarators.push(declarator);
                if !self.eat_op(",") {
                    break;
                }
            }
        }
        self.expect_op(";")?;
        Ok(Declaration { storage, specifiers, declarators, span: self.span_from(start) })
    }

    /// Later text must know whether a name is a type.
    fn declared(&mut self, name: &str, is_type: bool) {
        let (to, from) =
            if is_type { (&mut self.types, &mut self.idents) } else { (&mut self.idents, &mut self.types) };
        from.remove(name);
        to.insert(name.to_string());
    }

    /// Does the name stand for a type here?
    pub(super) fn is_type(&self, name: &str) -> bool {
        name == "_Bool"
            || self.types.contains(name)
            || !self.idents.contains(name) && (self.lex.config.is_typedef)(name)
    }

    /// Does a type start at token `n`? In a clause, a type's name before `=`,
    /// `[`, `++` or `--` is a variable about to come into being.
    pub(super) fn type_starts(&mut self, n: usize) -> bool {
        let name = match self.tok(n) {
            Tok::Key(key) => return is_type_word(key) && !is_storage(key),
            Tok::Ident(name) => name.clone(),
            _ => return false,
        };
        if !self.is_type(&name) {
            return false;
        }
        !(self.in_clause && matches!(self.tok(n + 1), Tok::Op("=" | "[" | "++" | "--")))
    }

    /// Everything before the declarator. A storage class alone means int.
    pub(super) fn specifiers(&mut self, storage_allowed: bool) -> R<(Option<Storage>, Specifiers)> {
        let start = self.span();
        let mut storage = None;
        let mut base: Option<BaseType> = None;
        let mut s = Specifiers {
            base: BaseType::Implicit,
            signed: 0,
            unsigned: 0,
            short: 0,
            longs: 0,
            is_const: false,
            is_volatile: false,
            is_restrict: false,
            userland: false,
            span: start,
        };
        let mut words = 0u32;
        loop {
            let count = |n: &mut u8| *n = n.saturating_add(1);
            match self.tok(0).clone() {
                Tok::Key(key) if is_storage(key) => {
                    if !storage_allowed {
                        return Err(self.fail());
                    }
                    if storage.is_some() {
                        let span = self.span();
                        let message = "only one storage class allowed in given declaration";
                        self.report(Tag::D_DECL_CLASS, span, message);
                    }
                    storage = Some(match key {
                        "extern" => Storage::Extern,
                        "static" => Storage::Static,
                        "register" => Storage::Register,
                        "auto" => Storage::Auto,
                        "typedef" => Storage::Typedef,
                        "self" => Storage::Thread,
                        _ => Storage::Clause,
                    });
                    self.bump();
                }
                Tok::Key(key) if is_qualifier(key) => {
                    match key {
                        "const" => s.is_const = true,
                        "volatile" => s.is_volatile = true,
                        "restrict" => s.is_restrict = true,
                        _ => s.userland = true,
                    }
                    self.bump();
                }
                Tok::Key(key @ ("signed" | "unsigned" | "short" | "long")) => {
                    match key {
                        "signed" => count(&mut s.signed),
                        "unsigned" => count(&mut s.unsigned),
                        "short" => count(&mut s.short),
                        _ => count(&mut s.longs),
                    }
                    self.bump();
                }
                Tok::Key("struct" | "union") => {
                    // Members take much stack: a body counts twice.
                    let composite = self.nested(|p| p.nested(Self::composite))?;
                    self.set_base(&mut base, composite);
                }
                Tok::Key("enum") => {
                    let enumeration = self.nested(Self::enumeration)?;
                    self.set_base(&mut base, enumeration);
                }
                Tok::Key(key) if is_type_word(key) => {
                    let name = Name { text: key.to_string(), span: self.bump().span };
                    self.set_base(&mut base, BaseType::Named { module: None, name });
                }
                Tok::Ident(name)
                    if base.is_none()
                        && s.signed + s.unsigned == 0
                        && s.short == 0
                        && s.longs == 0
                        && self.is_type(&name) =>
                {
                    let (module, name) = split_module(self.name()?);
                    base = Some(BaseType::Named { module, name });
                }
                _ => break,
            }
            words += 1;
        }
        if words == 0 {
            return Err(self.fail());
        }
        s.base = base.unwrap_or(BaseType::Implicit);
        s.span = self.span_from(start);
        Ok((storage, s))
    }

    fn set_base(&mut self, base: &mut Option<BaseType>, new: BaseType) {
        if base.is_some() {
            let span = self.lex.span(self.last_end, self.last_end);
            self.report(Tag::D_DECL_COMBO, span, "invalid type combination");
        }
        *base = Some(new);
    }

    /// `struct tag { members }`.
    fn composite(&mut self) -> R<BaseType> {
        let union = self.bump().tok == Tok::Key("union");
        let (module, tag) = self.tag()?;
        let mut members = None;
        if self.eat_op("{") {
            let mut list = Vec::new();
            while !self.at_op("}") || list.is_empty() {
                list.push(self.member()?);
            }
            self.bump();
            members = Some(list);
        } else if tag.is_none() {
            return Err(self.fail());
        }
        Ok(BaseType::Composite { union, module, tag, members })
    }

    fn tag(&mut self) -> R<(Option<String>, Option<Name>)> {
        if !matches!(self.tok(0), Tok::Ident(_)) {
            return Ok((None, None));
        }
        let (module, name) = split_module(self.name()?);
        Ok((module, Some(name)))
    }

    /// `type a, b : 3;`; no name at all for an anonymous struct or union.
    fn member(&mut self) -> R<Declaration> {
        let start = self.span();
        let (storage, specifiers) = self.specifiers(false)?;
        let mut declarators = Vec::new();
        if !self.at_op(";") {
            loop {
                declarators.push(self.member_declarator()?);
                if !self.eat_op(",") {
                    break;
                }
            }
        }
        self.expect_op(";")?;
        Ok(Declaration { storage, specifiers, declarators, span: self.span_from(start) })
    }

    fn member_declarator(&mut self) -> R<Declarator> {
        let start = self.span();
        let mut declarator = if self.at_op(":") {
            Declarator { name: None, derived: Vec::new(), bits: None, span: start }
        } else {
            self.declarator(Naming::Required)?
        };
        if self.eat_op(":") {
            declarator.bits = Some(self.constant()?);
            declarator.span = self.span_from(start);
        }
        Ok(declarator)
    }

    /// `enum tag { A, B = 3 }`.
    fn enumeration(&mut self) -> R<BaseType> {
        self.bump();
        let (module, tag) = self.tag()?;
        let mut constants = None;
        if self.eat_op("{") {
            let mut list = Vec::new();
            loop {
                let name = self.name()?;
                let value = if self.eat_op("=") { Some(*self.constant()?) } else { None };
                self.declared(&name.text, false);
                list.push((name, value));
                if !self.eat_op(",") || self.at_op("}") {
                    break;
                }
            }
            self.expect_op("}")?;
            constants = Some(list);
        } else if tag.is_none() {
            return Err(self.fail());
        }
        Ok(BaseType::Enum { module, tag, constants })
    }

    /// A constant expression within a type.
    pub(super) fn constant(&mut self) -> R<Box<Expr>> {
        let tree = self.assignment()?;
        self.type_height = self.type_height.max(tree.height);
        Ok(tree.expr)
    }

    /// The type in a cast, sizeof, offsetof, xlate.
    pub(super) fn type_name(&mut self) -> R<TypeName> {
        let start = self.span();
        let (_, specifiers) = self.specifiers(false)?;
        let declarator = self.declarator(Naming::None)?;
        Ok(TypeName { specifiers, declarator, span: self.span_from(start) })
    }

    /// A type name and the height of the highest expression in it.
    pub(super) fn measured_type(&mut self) -> R<(Box<TypeName>, u32)> {
        let outer = std::mem::take(&mut self.type_height);
        let ty = self.type_name();
        let height = self.type_height;
        self.type_height = outer.max(height);
        match ty {
            Ok(ty) => Ok((Box::new(ty), height)),
            Err(Fail) => Err(Fail),
        }
    }
}

/// ``mod`name`` in two.
fn split_module(name: Name) -> (Option<String>, Name) {
    match name.text.rsplit_once('`') {
        Some((module, text)) => {
            let module = (!module.is_empty()).then(|| module.to_string());
            (module, Name { text: text.to_string(), span: name.span })
        }
        None => (None, name),
    }
}
