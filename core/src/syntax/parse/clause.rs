//! Clauses: probe descriptions, predicate, statements.

use super::super::ast::{Clause, Expr, ExprKind, ProbeSpec, Stmt};
use super::super::lex::{Tok, Token, is_spec, keyword};
use super::super::{LastPart, literal, macros};
use super::top::starts_declaration;
use super::{Fail, Parser, R};
use crate::diagnostic::Tag;

impl Parser<'_> {
    /// `probes / predicate / { statements }`. The lexer stands at the first
    /// description, nothing is read ahead.
    pub(super) fn clause(&mut self) -> R<Clause> {
        let mut probes = Vec::new();
        loop {
            if let Some(probe) = self.probe_spec()? {
                probes.push(probe);
            }
            if !self.eat_op(",") {
                break;
            }
            self.rewind();
            if let Err(bad) = self.lex.skip_blanks() {
                self.ahead.push_back(bad);
                return Err(self.fail());
            }
        }
        let start = probes.first().map_or_else(|| self.lex.span(self.last_end, self.last_end), |p| p.span);
        let mut predicate = None;
        if self.eat_op("/") {
            self.in_predicate = true;
            let expr = self.expression();
            self.in_predicate = false;
            predicate = Some(*expr?.expr);
            self.expect_op("/")?;
            if !self.at_op("{") {
                if matches!(self.tok(0), Tok::Bad(..)) {
                    return Err(self.fail());
                }
                // dtrace names the end when it gets there.
                let ended = self.tok(0) == &Tok::Eof;
                let span = if ended { self.span() } else { self.span_from(start) };
                let message = "expected actions { } following probe description and predicate";
                self.report(Tag::D_SYNTAX, span, message);
                return Ok(Clause { probes, predicate, body: Some(Vec::new()), span });
            }
        }
        if !self.at_op("{") {
            let span = self.span_from(start);
            if !self.clause_may_end() {
                return Err(self.fail());
            }
            if self.lex.config.require_body {
                let message = "expected predicate and/or actions following probe description";
                return Err(self.report(Tag::D_SYNTAX, span, message));
            }
            return Ok(Clause { probes, predicate, body: None, span });
        }
        let body = self.block()?;
        Ok(Clause { probes, predicate, body: Some(body), span: self.span_from(start) })
    }

    /// After a description: the end, another clause or a declaration?
    fn clause_may_end(&mut self) -> bool {
        let Token { tok, span } = self.token(0);
        let start = span.start as usize;
        match tok {
            Tok::Eof => true,
            // Without this rule the comment that never ends would go unnoticed.
            Tok::Bad(..) if span.start == span.end => false,
            _ => is_spec(self.lex.byte(start)),
        }
    }

    /// One description; `None` if it is invalid (which is reported).
    fn probe_spec(&mut self) -> R<Option<ProbeSpec>> {
        let (from, to) = (self.lex.pos, self.lex.spec_end());
        let written = self.lex.slice(from, to);
        let span = self.lex.span(from, to);
        if written.is_empty() || keyword(written).is_some_and(starts_declaration) {
            return Err(self.fail());
        }
        if written.starts_with(|c: char| c.is_ascii_digit()) {
            return self.probe_id(written);
        }
        self.lex.pos = to;
        self.last_end = to;
        let config = self.lex.config;
        let invalid = |text: &str, why: &str| format!("invalid probe description \"{text}\": {why}");
        let Some(text) = macros::in_spec(written, config, &mut self.lex.used_args) else {
            let message = invalid(written, "Undefined macro variable in probe description");
            self.report(Tag::D_PDESC_INVAL, span, message);
            return Ok(None);
        };
        let mut parts: Vec<String> = text.split(':').map(str::to_string).collect();
        let below = match config.last_part {
            LastPart::Provider => 3,
            LastPart::Module => 2,
            LastPart::Function => 1,
            LastPart::Name => 0,
        };
        if parts.len() + below == 5 && parts.first().is_some_and(String::is_empty) {
            // libdtrace reads from the right and does not look before a leading colon.
            parts.remove(0);
        }
        if parts.len() + below > 4 {
            let message = invalid(&text, "Overspecified probe description");
            self.report(Tag::D_PDESC_INVAL, span, message);
            return Ok(None);
        }
        parts.resize(parts.len() + below, String::new());
        Ok(Some(ProbeSpec { text, parts, span }))
    }

    /// A probe's number, written like any integer; what follows it (`1:2`) is not part of it.
    fn probe_id(&mut self, written: &str) -> R<Option<ProbeSpec>> {
        let from = self.lex.pos;
        let to = from + literal::int_len(written.as_bytes()).max(1);
        let span = self.lex.span(from, to);
        self.lex.pos = to;
        self.last_end = to;
        let id = match literal::int(self.lex.slice(from, to)) {
            Ok(lit) => lit.value,
            Err((tag, message)) => {
                self.report(tag, span, message);
                return Ok(None);
            }
        };
        if self.lex.config.last_part != LastPart::Name {
            let what = match self.lex.config.last_part {
                LastPart::Provider => "providers",
                LastPart::Module => "modules",
                _ => "functions",
            };
            let message = format!("probe identifier {id} not permitted when specifying {what}");
            self.report(Tag::D_PDESC_INVAL, span, message);
            return Ok(None);
        }
        if u32::try_from(id).is_err() {
            self.report(Tag::D_PDESC_INVAL, span, format!("identifier {id} exceeds maximum probe id"));
            return Ok(None);
        }
        Ok(Some(ProbeSpec { text: id.to_string(), parts: vec![id.to_string()], span }))
    }

    /// `{ statements }`.
    fn block(&mut self) -> R<Vec<Stmt>> {
        self.expect_op("{")?;
        let mut statements = Vec::new();
        loop {
            if self.eat_op("}") {
                return Ok(statements);
            }
            if self.tok(0) == &Tok::Eof {
                return Err(self.fail());
            }
            self.parens = 0;
            self.brackets = 0;
            if let Err(Fail) = self.statement(&mut statements) {
                self.failed_statement(&mut statements);
            }
        }
    }

    #[inline(never)]
    fn failed_statement(&mut self, into: &mut Vec<Stmt>) {
        let span = self.span();
        self.skip_statement();
        into.push(Stmt::Expr(Expr { kind: ExprKind::Error, span }));
    }

    /// One statement; an empty one adds nothing.
    fn statement(&mut self, into: &mut Vec<Stmt>) -> R<()> {
        if self.eat_op(";") {
            return Ok(());
        }
        if self.at_key("if") {
            return self.nested(|p| p.if_statement(into));
        }
        self.expression_statement(into)
    }

    #[inline(never)]
    fn expression_statement(&mut self, into: &mut Vec<Stmt>) -> R<()> {
        let expr = self.expression()?.expr;
        // The last statement needs no semicolon.
        if !self.at_op("}") {
            self.expect_op(";")?;
        }
        into.push(Stmt::Expr(*expr));
        Ok(())
    }

    /// `if (cond) statement else statement`, as illumos has it.
    fn if_statement(&mut self, into: &mut Vec<Stmt>) -> R<()> {
        let start = self.bump().span;
        self.expect_op("(")?;
        self.parens += 1;
        let cond = self.expression()?.expr;
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        let then = self.branch()?;
        let otherwise = if self.eat_key("else") { self.branch()? } else { Vec::new() };
        let span = self.span_from(start);
        // Made in a frame of its own: this one is recursive.
        let make = || Stmt::If { cond: *cond, then, otherwise, span };
        into.extend(std::iter::once_with(make));
        Ok(())
    }

    fn branch(&mut self) -> R<Vec<Stmt>> {
        if self.at_op("{") {
            return self.block();
        }
        let mut statements = Vec::new();
        self.statement(&mut statements)?;
        Ok(statements)
    }
}
