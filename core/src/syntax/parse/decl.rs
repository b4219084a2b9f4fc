//! Declarations and what stands before their declarators: storage classes,
//! qualifiers, type words, struct, union and enum bodies.

use super::super::ast::{BaseType, Declaration, Declarator, Expr, Name, Specifiers, Storage, TypeName};
use super::super::lex::{Tok, keyword};
use super::declarator::Naming;
use super::top::{is_qualifier, is_storage, is_type_word};
use super::{Fail, Parser, R};
use crate::diagnostic::Tag;

impl Parser<'_> {
    /// `storage specifiers declarator, ... ;`.
    pub(super) fn declaration(&mut self) -> R<Declaration> {
        let start = self.span();
        let errors = self.diags.len();
        let (storage, specifiers) = self.specifiers(true)?;
        let one_class = self.diags.len() == errors;
        let mut declarators = Vec::new();
        if !self.at_op(";") {
            loop {
                let declarator = self.declarator(Naming::Required)?;
                if let Some(name) = &declarator.name {
                    self.unscoped(name, "a declaration name");
                    self.declared(&name.text, storage == Some(Storage::Typedef));
                }
                declarators.push(declarator);
                if self.at_op("{") && declarators.len() == 1 && storage.is_some() {
                    // A header's inline function: its prototype is all that D can use.
                    self.skip_body()?;
                    let span = self.span_from(start);
                    return Ok(Declaration { storage: Some(Storage::Extern), specifiers, declarators, span });
                }
                if !self.eat_op(",") {
                    break;
                }
            }
        }
        self.expect_op(";")?;
        let span = self.span_from(start);
        let meaningless = matches!(storage, Some(Storage::Static | Storage::Register | Storage::Auto));
        if meaningless && one_class && !declarators.is_empty() {
            let message = "specified storage class not appropriate in D";
            self.report(Tag::D_DECL_BADCLASS, span, message);
        }
        Ok(Declaration { storage, specifiers, declarators, span })
    }

    /// `{ ... }`, whatever stands within.
    fn skip_body(&mut self) -> R<()> {
        let mut depth = 0usize;
        loop {
            match self.tok(0) {
                Tok::Op("{") => depth += 1,
                Tok::Op("}") => depth = depth.saturating_sub(1),
                Tok::Eof => return Err(self.fail()),
                _ => {}
            }
            self.bump();
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// What is declared lives in the program, not in a module.
    fn unscoped(&mut self, name: &Name, what: &str) {
        if name.text.contains('`') {
            let message = format!("D scoping operator may not be used in {what} ({})", name.text);
            self.report(Tag::D_DECL_SCOPE, name.span, message);
        }
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
        let known = self.lex.config.is_typedef;
        name == "_Bool"
            || self.types.contains(name)
            || !self.idents.contains(name) && known(name)
            || name.rsplit_once('`').is_some_and(|(_, base)| {
                known(base) || self.types.contains(base) || keyword(base).is_some_and(is_basic)
            })
    }

    /// ``vmlinux`struct s``: the module before the word instead of before the tag.
    pub(super) fn scoped_tag_follows(&mut self, n: usize) -> bool {
        let Tok::Ident(name) = self.tok(n) else { return false };
        let word = name.rsplit_once('`').map_or("", |(_, word)| word);
        matches!(word, "struct" | "union" | "enum") && matches!(self.tok(n + 1), Tok::Ident(_))
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
            return self.scoped_tag_follows(n);
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
                        let message = "only one storage class allowed in a declaration";
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
                // C's `static inline` of headers; D's own `inline` stands first.
                Tok::Key("inline") if matches!(storage, Some(Storage::Static | Storage::Extern)) => {
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
                    self.one_base(&base);
                    // Members take much stack: a body counts twice.
                    let composite = self.nested(|p| p.nested(Self::composite))?;
                    base = Some(composite);
                }
                Tok::Key("enum") => {
                    self.one_base(&base);
                    let enumeration = self.nested(Self::enumeration)?;
                    base = Some(enumeration);
                }
                Tok::Key(key) if is_type_word(key) => {
                    self.one_base(&base);
                    let name = Name { text: key.to_string(), span: self.bump().span };
                    base = Some(BaseType::Named { module: None, name });
                }
                Tok::Ident(_) if base.is_none() && self.scoped_tag_follows(0) => {
                    base = Some(self.scoped_tag()?);
                }
                Tok::Ident(name)
                    if base.is_none()
                        && self.is_type(&name)
                        // `unsigned size_t;` declares a name, `unsigned size_t x;` is wrong.
                        && (u32::from(s.signed) + u32::from(s.unsigned) + u32::from(s.short) + u32::from(s.longs) == 0
                            || matches!(self.tok(1), Tok::Ident(_) | Tok::Op("*"))) =>
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

    /// The current token starts a second type in one specifier list?
    fn one_base(&mut self, base: &Option<BaseType>) {
        if base.is_some() {
            let span = self.span();
            self.report(Tag::D_DECL_COMBO, span, "invalid type combination");
        }
    }

    /// ``vmlinux`struct s``.
    fn scoped_tag(&mut self) -> R<BaseType> {
        let (module, word) = split_module(self.name()?);
        let tag = Some(self.name()?);
        Ok(match word.text.as_str() {
            "enum" => BaseType::Enum { module, tag, constants: None },
            word => BaseType::Composite { union: word == "union", module, tag, members: None },
        })
    }

    /// A body follows: is it the first for this tag?
    fn body_starts(&mut self, word: &str, tag: &Option<Name>) {
        let name = tag.as_ref().map(|tag| format!("{word} {}", tag.text));
        if let Some(name) = name.filter(|name| self.tags.contains(name)) {
            let span = self.span();
            self.report(Tag::D_DECL_TYPERED, span, format!("type redeclared: {name}"));
        }
        self.bump();
    }

    /// The body has been read.
    fn body_ends(&mut self, word: &str, tag: &Option<Name>) {
        if let Some(tag) = tag {
            self.tags.insert(format!("{word} {}", tag.text));
        }
    }

    /// `struct tag { members }`.
    fn composite(&mut self) -> R<BaseType> {
        let union = self.bump().tok == Tok::Key("union");
        let (module, tag) = self.tag()?;
        let mut members = None;
        if self.at_op("{") {
            let word = if union { "union" } else { "struct" };
            self.body_starts(word, &tag);
            let mut list = Vec::new();
            while !self.at_op("}") || list.is_empty() {
                list.push(self.member()?);
            }
            self.bump();
            self.body_ends(word, &tag);
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
        if let Some(name) = &declarator.name {
            self.unscoped(name, "a member name");
        }
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
        if self.at_op("{") {
            self.body_starts("enum", &tag);
            let mut list = Vec::new();
            loop {
                let name = self.name()?;
                self.unscoped(&name, "an enumerator name");
                let value = if self.eat_op("=") { Some(*self.constant()?) } else { None };
                self.declared(&name.text, false);
                list.push((name, value));
                if !self.eat_op(",") || self.at_op("}") {
                    break;
                }
            }
            self.expect_op("}")?;
            self.body_ends("enum", &tag);
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

/// Words that name a type by themselves, in any module.
fn is_basic(key: &str) -> bool {
    matches!(key, "void" | "char" | "int" | "float" | "double" | "string")
}

/// ``mod`name`` in two. The modules C and D are the language's own types and
/// those that the program defines: what a name without module means, too.
fn split_module(name: Name) -> (Option<String>, Name) {
    match name.text.rsplit_once('`') {
        Some((module, text)) => {
            let own = matches!(module, "" | "C" | "D") || keyword(text).is_some_and(is_basic);
            let module = (!own).then(|| module.to_string());
            (module, Name { text: text.to_string(), span: name.span })
        }
        None => (None, name),
    }
}
