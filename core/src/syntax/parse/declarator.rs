//! Declarators: what surrounds a declared name (`*p[3]`, `(*f)(int)`,
//! `a[int, string]`), also without the name.

use super::super::ast::{Declarator, Derived, Name, Param, Storage};
use super::super::lex::Tok;
use super::{Parser, R};
use crate::diagnostic::Tag;

/// Must a declarator have a name?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Required,
    /// Parameters.
    Optional,
    /// Type names.
    None,
}

impl Parser<'_> {
    /// A declarator without bit-field width.
    pub(super) fn declarator(&mut self, naming: Naming) -> R<Declarator> {
        let start = self.span();
        let mut derived = Vec::new();
        let name = self.nested(|p| p.derived(naming, &mut derived))?;
        Ok(Declarator { name, derived, bits: None, span: self.span_from(start) })
    }

    /// Fills in the steps from the name outwards.
    fn derived(&mut self, naming: Naming, into: &mut Vec<Derived>) -> R<Option<Name>> {
        let mut pointers = Vec::new();
        while self.eat_op("*") {
            let (mut is_const, mut is_volatile, mut is_restrict) = (false, false, false);
            loop {
                match self.tok(0) {
                    Tok::Key("const") => is_const = true,
                    Tok::Key("volatile") => is_volatile = true,
                    Tok::Key("restrict") => is_restrict = true,
                    _ => break,
                }
                self.bump();
            }
            pointers.push(Derived::Pointer { is_const, is_volatile, is_restrict });
        }
        let mut name = None;
        if matches!(self.tok(0), Tok::Ident(_)) && naming != Naming::None {
            name = Some(self.name()?);
        } else if self.at_op("(") && self.groups(naming) {
            self.bump();
            name = self.nested(|p| p.derived(naming, into))?;
            self.expect_op(")")?;
        } else if naming == Naming::Required {
            return Err(self.fail());
        }
        loop {
            if self.at_op("[") {
                into.push(self.dimension()?);
            } else if self.at_op("(") {
                let (params, varargs) = self.parameters()?;
                into.push(Derived::Function { params, varargs });
            } else {
                break;
            }
        }
        into.extend(pointers.into_iter().rev());
        Ok(name)
    }

    /// Does the `(` here group a declarator rather than start parameters?
    fn groups(&mut self, naming: Naming) -> bool {
        match self.tok(1).clone() {
            Tok::Op("*" | "(" | "[") => true,
            Tok::Ident(name) => naming != Naming::None && !self.is_type(&name),
            _ => naming == Naming::Required,
        }
    }

    /// `[3]`, `[]`, `[int, string]`.
    fn dimension(&mut self) -> R<Derived> {
        self.bump();
        self.brackets += 1;
        let result = if self.at_op("]") {
            Derived::Array(None)
        } else if self.at_op("...") || self.type_starts(0) || self.at_parameter_class() {
            let params = if self.at_op("...") { Vec::new() } else { self.parameter_list()? };
            let span = self.span();
            if self.eat_op("...") {
                let message = "array prototype may not use a variable-length argument list";
                self.report(Tag::D_DECL_PROTO_VARARGS, span, message);
            }
            Derived::Assoc(params)
        } else {
            Derived::Array(Some(self.constant()?))
        };
        self.expect_op("]")?;
        self.brackets = self.brackets.saturating_sub(1);
        Ok(result)
    }

    /// `(int a, string, ...)`.
    pub(super) fn parameters(&mut self) -> R<(Vec<Param>, bool)> {
        self.expect_op("(")?;
        self.parens += 1;
        let mut params = Vec::new();
        let mut varargs = false;
        if !self.at_op(")") && !self.at_op("...") {
            params = self.parameter_list()?;
        }
        if self.eat_op("...") {
            varargs = true;
        }
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        Ok((params, varargs))
    }

    /// A storage class that the grammar allows before a parameter (the checker knows better).
    fn at_parameter_class(&mut self) -> bool {
        matches!(self.tok(0), Tok::Key("auto" | "register" | "static" | "extern" | "typedef"))
    }

    /// Parameters up to the closing bracket or `...`.
    fn parameter_list(&mut self) -> R<Vec<Param>> {
        let mut params = Vec::new();
        loop {
            if !params.is_empty() && self.at_op("...") {
                return Ok(params);
            }
            let allowed = self.at_parameter_class();
            let (storage, specifiers) = self.specifiers(allowed)?;
            // The one class that C, too, has for parameters.
            let storage = storage.filter(|class| *class != Storage::Register);
            let declarator = self.declarator(Naming::Optional)?;
            params.push(Param { storage, specifiers, declarator });
            if !self.eat_op(",") {
                return Ok(params);
            }
        }
    }
}
