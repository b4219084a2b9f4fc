//! Recursive descent over the tokens: the machinery all productions share, and
//! the entry points.
//!
//! **Invariant:** no input makes the recursion deeper than [`MAX_NESTING`] or a
//! tree higher than [`MAX_HEIGHT`], so that neither parsing nor walking nor
//! dropping a tree can exhaust the stack.

mod clause;
mod decl;
mod declarator;
mod expr;
mod top;

use std::collections::{HashSet, VecDeque};

use super::ast::{Ast, Declaration, Item, Name, TypeName};
use super::lex::{Lexer, Tok, Token};
use super::{ParseConfig, Parsed};
use crate::diagnostic::{Diag, SourceId, SourceMap, Span, Tag};

/// Brackets, statements and types within each other.
const MAX_NESTING: u32 = 256;
/// Levels of an expression; `a + b + c` has two.
const MAX_HEIGHT: u32 = 512;
/// Nobody reads more; garbage would fill the memory.
pub(super) const MAX_DIAGS: usize = 100;

/// The production failed; the diagnostic is recorded already.
pub(super) struct Fail;
type R<T> = Result<T, Fail>;

/// Reads a whole text. Line control marks are noted in the map.
pub fn parse(map: &mut SourceMap, source: SourceId, config: &ParseConfig) -> Parsed {
    // Taken out for a while, since the map is changed afterwards.
    let text = map.get_mut(source).map(|s| std::mem::take(&mut s.text)).unwrap_or_default();
    let mut parser = Parser::new(&text, source, config);
    let mut items = parser.program();
    let Lexer { pragmas, line_marks, diags: control_diags, used_args, .. } = parser.lex;
    // In order of the text, whichever way they were found.
    items.extend(pragmas.into_iter().map(Item::Pragma));
    items.sort_by_key(|item| item.span().start);
    let mut diags = parser.diags;
    diags.extend(control_diags);
    diags.sort_by_key(|diag| diag.span.map_or(0, |s| s.start));
    let end = text.len() as u32;
    if let Some(source) = map.get_mut(source) {
        source.text = text;
        source.line_marks.extend(line_marks);
    }
    let statements = items.iter().any(|item| !matches!(item, Item::Declaration(_) | Item::Pragma(_)));
    let end = Span::new(source, end, end);
    let empty = (!statements).then(|| Diag::error(Tag::D_EMPTY, end, "empty D program translation unit"));
    Parsed { ast: Ast { items }, diags, used_args, empty }
}

/// The type a text names, `struct foo *` for instance; `None` if it is not one.
pub fn parse_type(text: &str, config: &ParseConfig) -> Option<TypeName> {
    let mut parser = Parser::new(text, SourceId(u32::MAX), config);
    let ty = parser.type_name().ok()?;
    (parser.tok(0) == &Tok::Eof && parser.lex.diags.is_empty()).then_some(ty)
}

/// The declarations of a text that holds nothing else; the first error otherwise.
pub fn parse_declarations(text: &str, config: &ParseConfig) -> Result<Vec<Declaration>, Diag> {
    let mut parser = Parser::new(text, SourceId(u32::MAX), config);
    let mut declarations = Vec::new();
    while parser.tok(0) != &Tok::Eof {
        match parser.declaration() {
            Ok(declaration) => declarations.push(declaration),
            Err(Fail) => break,
        }
    }
    parser.diags.extend(parser.lex.diags);
    match parser.diags.into_iter().next() {
        Some(diag) => Err(diag),
        None => Ok(declarations),
    }
}

/// The state all productions share.
struct Parser<'a> {
    lex: Lexer<'a>,
    /// Tokens read ahead; the first is the current one.
    ahead: VecDeque<Token>,
    /// One past the last token consumed.
    last_end: usize,
    diags: Vec<Diag>,
    nesting: u32,
    /// Height of the highest expression within the type read last.
    type_height: u32,
    /// A `/` may end the expression.
    in_predicate: bool,
    in_clause: bool,
    /// Open `(` and `[` of the statement or predicate.
    parens: u32,
    brackets: u32,
    /// Names made types by the text itself.
    types: HashSet<String>,
    /// Structs, unions and enums the text gave a body.
    tags: HashSet<String>,
    /// Names the text uses as variables, though they name types elsewhere.
    idents: HashSet<String>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, source: SourceId, config: &'a ParseConfig<'a>) -> Parser<'a> {
        let lex = Lexer::new(text, source, config);
        Parser {
            last_end: lex.pos,
            lex,
            ahead: VecDeque::new(),
            diags: Vec::new(),
            nesting: 0,
            type_height: 0,
            in_predicate: false,
            in_clause: false,
            parens: 0,
            brackets: 0,
            types: HashSet::new(),
            tags: HashSet::new(),
            idents: HashSet::new(),
        }
    }

    /// The token `n` after the current one.
    fn token(&mut self, n: usize) -> &Token {
        while self.ahead.len() <= n {
            let token = self.lex.token();
            self.ahead.push_back(token);
        }
        &self.ahead[n]
    }

    fn tok(&mut self, n: usize) -> &Tok {
        &self.token(n).tok
    }

    fn span(&mut self) -> Span {
        self.token(0).span
    }

    /// Consumes the current token.
    fn bump(&mut self) -> Token {
        self.token(0);
        match self.ahead.pop_front() {
            Some(token) => {
                self.last_end = token.span.end as usize;
                token
            }
            None => Token { tok: Tok::Eof, span: self.lex.span(self.last_end, self.last_end) },
        }
    }

    /// Drops what was read ahead: the text goes on after the last token in another mode.
    fn rewind(&mut self) {
        self.ahead.clear();
        self.lex.pos = self.last_end;
    }

    fn at_op(&mut self, op: &str) -> bool {
        matches!(self.tok(0), Tok::Op(o) if *o == op)
    }

    fn at_key(&mut self, key: &str) -> bool {
        matches!(self.tok(0), Tok::Key(k) if *k == key)
    }

    fn eat_op(&mut self, op: &str) -> bool {
        let found = self.at_op(op);
        if found {
            self.bump();
        }
        found
    }

    fn eat_key(&mut self, key: &str) -> bool {
        let found = self.at_key(key);
        if found {
            self.bump();
        }
        found
    }

    fn expect_op(&mut self, op: &str) -> R<Span> {
        if self.at_op(op) { Ok(self.bump().span) } else { Err(self.fail()) }
    }

    /// From `start` to the last token consumed.
    fn span_from(&self, start: Span) -> Span {
        self.lex.span(start.start as usize, self.last_end.max(start.start as usize))
    }

    /// An identifier that is no keyword.
    fn name(&mut self) -> R<Name> {
        match self.tok(0) {
            Tok::Ident(_) => self.any_name(),
            _ => Err(self.fail()),
        }
    }

    /// An identifier or a keyword, as after `.` and `->`.
    fn any_name(&mut self) -> R<Name> {
        let text = match self.tok(0) {
            Tok::Ident(text) => text.clone(),
            Tok::Key(key) => key.to_string(),
            _ => return Err(self.fail()),
        };
        Ok(Name { text, span: self.bump().span })
    }

    fn report(&mut self, tag: Tag, span: Span, message: impl Into<String>) -> Fail {
        if self.diags.len() < MAX_DIAGS {
            self.diags.push(Diag::error(tag, span, message));
        }
        Fail
    }

    /// The current token does not fit.
    fn fail(&mut self) -> Fail {
        let Token { tok, span } = self.token(0).clone();
        let message = match tok {
            Tok::Op("/") if self.in_predicate && self.parens + self.brackets > 0 => {
                if let Some(at) = self.lex.slash_closes(span.end as usize) {
                    let open = if self.parens > 0 { ")" } else { "]" };
                    let message = format!("closing {open} expected in predicate before /");
                    return self.report(Tag::D_SYNTAX, self.lex.span(at, at), message);
                }
                "syntax error near \"/\"".to_string()
            }
            Tok::Bad(tag, message) => return self.report(tag, span, message),
            // What is missing at the end is a consequence of the first error.
            Tok::Eof if !self.diags.is_empty() => return Fail,
            Tok::Eof => "syntax error near end of input".to_string(),
            Tok::Op(")") if self.parens == 0 && self.in_clause => "extra ) in input stream".to_string(),
            Tok::Op("]") if self.brackets == 0 && self.in_clause => "extra ] in input stream".to_string(),
            _ => {
                let text: String =
                    self.lex.slice(span.start as usize, span.end as usize).chars().take(80).collect();
                let unknown = self.unknown_type(span);
                let reason = unknown.map_or(String::new(), |name| format!(" (there is no type {name})"));
                format!("syntax error near \"{text}\"{reason}")
            }
        };
        self.report(Tag::D_SYNTAX, span, message)
    }

    /// The name that would have been a type for the text around the current token to make sense: `(foo_t *)` up to
    /// its `)`, or `foo_t x`.
    fn unknown_type(&mut self, span: Span) -> Option<String> {
        let name = if matches!(self.tok(0), Tok::Op(")" | "]" | ",")) {
            let text = self.lex.slice(0, span.start as usize);
            // No longer name than this is worth looking for: errors may be many.
            let near = (text.len().saturating_sub(200)..).find(|at| text.is_char_boundary(*at))?;
            let before = text.get(near..)?.trim_end();
            let stem = before.trim_end_matches(|c: char| c == '*' || c.is_ascii_whitespace());
            let start = stem.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
            let cast = before.ends_with('*') && stem.get(..start)?.trim_end().ends_with(['(', '[', ',']);
            cast.then(|| stem.get(start..).unwrap_or("").to_string())?
        } else {
            let Tok::Ident(name) = self.tok(0).clone() else { return None };
            matches!(self.tok(1), Tok::Ident(_) | Tok::Op("*" | "<")).then_some(name)?
        };
        (name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !self.is_type(&name))
            .then_some(name)
    }

    /// Runs a production one level deeper.
    fn nested<T>(&mut self, production: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.nesting >= MAX_NESTING {
            let span = self.span();
            return Err(self.report(Tag::D_SYNTAX, span, "syntax error: nested too deeply"));
        }
        self.nesting += 1;
        let result = production(self);
        self.nesting -= 1;
        result
    }

    /// After an error in a statement or member: to the next one, or before the `}`.
    fn skip_statement(&mut self) {
        let mut braces = 0u32;
        loop {
            match self.tok(0) {
                Tok::Eof => return,
                Tok::Op("{") => braces += 1,
                Tok::Op("}") if braces == 0 => return,
                Tok::Op("}") => braces -= 1,
                Tok::Op(";") if braces == 0 => {
                    self.bump();
                    return;
                }
                _ => {}
            }
            self.bump();
        }
    }

    /// After an error at the top level: past the next `;` or body.
    fn skip_item(&mut self) {
        let mut braces = 0u32;
        loop {
            match self.bump().tok {
                Tok::Eof => return,
                Tok::Op("{") => braces += 1,
                Tok::Op("}") if braces <= 1 => {
                    self.eat_op(";");
                    return;
                }
                Tok::Op("}") => braces -= 1,
                Tok::Op(";") if braces == 0 => return,
                _ => {}
            }
        }
    }
}
