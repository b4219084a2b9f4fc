//! The top level: declarations and clauses, told apart as libdtrace does, by
//! the first word.

use super::super::ast::{Inline, Item, Provider, ProviderProbe, Translator};
use super::super::lex::{Tok, keyword};
use super::{Fail, Parser, R};
use crate::diagnostic::Tag;

/// How an item at the top level starts.
enum Start {
    Clause,
    Declaration,
    /// A reserved word or character that starts nothing.
    Nothing,
}

impl Parser<'_> {
    /// Everything up to the end of the text.
    pub(super) fn program(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            self.rewind();
            if let Err(bad) = self.lex.skip_blanks() {
                self.ahead.push_back(bad);
                self.fail();
                return items;
            }
            if self.lex.pos >= self.lex.text.len() {
                return items;
            }
            let before = self.last_end;
            self.parens = 0;
            self.brackets = 0;
            match self.item() {
                Ok(item) => items.push(item),
                Err(Fail) => {
                    self.in_predicate = false;
                    self.skip_item();
                }
            }
            if self.last_end <= before {
                self.bump();
            }
        }
    }

    fn item(&mut self) -> R<Item> {
        match self.start() {
            Start::Clause => {
                self.in_clause = true;
                let clause = self.clause();
                self.in_clause = false;
                clause.map(Item::Clause)
            }
            Start::Nothing => Err(self.fail()),
            Start::Declaration => match self.tok(0) {
                Tok::Key("inline") => self.inline().map(Item::Inline),
                Tok::Key("translator") => self.translator().map(Item::Translator),
                Tok::Key("provider") => self.provider().map(Item::Provider),
                _ => self.declaration().map(Item::Declaration),
            },
        }
    }

    /// `int*` is a type though `*` may be part of a probe description, unless
    /// `-x pspec` says otherwise; a `:` always makes a description.
    fn start(&mut self) -> Start {
        let (from, to) = (self.lex.pos, self.lex.spec_end());
        let run = self.lex.slice(from, to);
        let word = match run.find('*') {
            Some(at) if at > 0 && !self.lex.pspec => run.get(..at).unwrap_or(run),
            _ => run,
        };
        if run.is_empty() {
            return Start::Nothing;
        }
        if run.contains(':') {
            return Start::Clause;
        }
        match keyword(word) {
            Some("import" | "counter") if word == run => return Start::Nothing,
            Some(key) if is_type_word(key) || word == run && starts_declaration(key) => {
                return Start::Declaration;
            }
            // The other words of the language may name probes.
            _ => {}
        }
        if !self.is_type(word) {
            return Start::Clause;
        }
        // No declaration goes on like a clause.
        let clause_follows = word == run && matches!(self.tok(1), Tok::Op("{" | "/" | "," | "/="));
        self.rewind_to(from);
        if clause_follows { Start::Clause } else { Start::Declaration }
    }

    fn rewind_to(&mut self, pos: usize) {
        self.ahead.clear();
        self.lex.pos = pos;
    }

    /// `inline type name = value;`.
    fn inline(&mut self) -> R<Inline> {
        let start = self.bump().span;
        let (storage, specifiers) = self.specifiers(true)?;
        if storage.is_some() {
            let message = "specified storage class not appropriate for inline declaration";
            self.report(Tag::D_DECL_BADCLASS, specifiers.span, message);
        }
        let declarator = self.declarator(super::declarator::Naming::Required)?;
        self.expect_op("=")?;
        let value = *self.assignment()?.expr;
        self.expect_op(";")?;
        if let Some(name) = &declarator.name {
            self.idents.insert(name.text.clone());
        }
        Ok(Inline { specifiers, declarator, value, span: self.span_from(start) })
    }

    /// `translator output < input variable > { member = value; ... };`.
    fn translator(&mut self) -> R<Translator> {
        let start = self.bump().span;
        let output = self.type_name()?;
        self.expect_op("<")?;
        let input_start = self.span();
        let (_, specifiers) = self.specifiers(false)?;
        let mut declarator = self.declarator(super::declarator::Naming::Required)?;
        let input_span = self.span_from(input_start);
        let Some(variable) = declarator.name.take() else { return Err(self.fail()) };
        self.expect_op(">")?;
        self.expect_op("{")?;
        let mut members = Vec::new();
        while !self.at_op("}") {
            let name = self.any_name()?;
            self.expect_op("=")?;
            let value = *self.assignment()?.expr;
            self.expect_op(";")?;
            members.push((name, value));
        }
        self.bump();
        self.expect_op(";")?;
        let input = super::TypeName { specifiers, declarator, span: input_span };
        Ok(Translator { output, input, variable, members, span: self.span_from(start) })
    }

    /// `provider name { probe p(int a) : (long); ... };`.
    fn provider(&mut self) -> R<Provider> {
        let start = self.bump().span;
        let name = self.name()?;
        if name.text.contains('`') {
            let message = format!("provider name may not contain scoping operator: {}", name.text);
            self.report(Tag::D_PROV_BADNAME, name.span, message);
        }
        self.expect_op("{")?;
        let mut probes = Vec::new();
        while !self.at_op("}") {
            let probe_start = self.span();
            if !self.eat_key("probe") {
                return Err(self.fail());
            }
            let name = self.name()?;
            let native = self.parameters()?.0;
            let translated = if self.eat_op(":") { Some(self.parameters()?.0) } else { None };
            self.expect_op(";")?;
            probes.push(ProviderProbe { name, native, translated, span: self.span_from(probe_start) });
        }
        self.bump();
        self.expect_op(";")?;
        Ok(Provider { name, probes, span: self.span_from(start) })
    }
}

/// Keywords that start something other than a clause.
pub(super) fn starts_declaration(key: &str) -> bool {
    is_type_word(key) || matches!(key, "inline" | "translator" | "provider")
}

/// Keywords a declaration may start with.
pub(super) fn is_type_word(key: &str) -> bool {
    is_storage(key)
        || is_qualifier(key)
        || matches!(
            key,
            "signed"
                | "unsigned"
                | "short"
                | "long"
                | "void"
                | "char"
                | "int"
                | "float"
                | "double"
                | "string"
                | "struct"
                | "union"
                | "enum"
        )
}

/// Storage classes.
pub(super) fn is_storage(key: &str) -> bool {
    matches!(key, "extern" | "static" | "register" | "auto" | "typedef" | "self" | "this")
}

/// Qualifiers.
pub(super) fn is_qualifier(key: &str) -> bool {
    matches!(key, "const" | "volatile" | "restrict" | "userland")
}
