//! Tokens, made on demand: the parser says whether it wants a token or a probe
//! description. Blanks, comments and control lines never reach the parser.

use std::collections::BTreeSet;

use super::ast::{IntLit, Pragma};
use super::control::{self, Control};
use super::literal::{self, Bad};
use super::parse::MAX_DIAGS;
use super::{ParseConfig, macros};
use crate::diagnostic::{Diag, SourceId, Span, Tag};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tok {
    Eof,
    /// A name, perhaps with backquotes; keywords are [`Tok::Key`].
    Ident(String),
    Key(&'static str),
    /// A macro argument may be a negative number.
    Int {
        lit: IntLit,
        negative: bool,
    },
    Str(Vec<u8>),
    /// `@name`; `_` when there is no name.
    Agg(String),
    Op(&'static str),
    /// Not a token: why.
    Bad(Tag, String),
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub tok: Tok,
    pub span: Span,
}

/// Words that cannot be identifiers (illumos: dt_lex.l, and the words of C).
const KEYWORDS: &[&str] = &[
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "counter",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "import",
    "inline",
    "int",
    "long",
    "offsetof",
    "probe",
    "provider",
    "register",
    "restrict",
    "self",
    "short",
    "signed",
    "sizeof",
    "static",
    "string",
    "stringof",
    "struct",
    "switch",
    "this",
    "translator",
    "typedef",
    "union",
    "unsigned",
    "userland",
    "void",
    "volatile",
    "while",
    "xlate",
];

/// Operators, the longest first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "^^", "+=", "-=",
    "*=", "/=", "%=", "&=", "|=", "^=", "{", "}", "(", ")", "[", "]", ";", ",", ":", "?", "=", "<", ">", "+",
    "-", "*", "/", "%", "&", "|", "^", "~", "!", ".",
];

/// The keyword's static text, if it is one.
pub(super) fn keyword(text: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|k| **k == text).copied()
}

/// The lexer: a position in a text, and what was found on the way.
pub(super) struct Lexer<'a> {
    pub text: &'a str,
    pub source: SourceId,
    pub config: &'a ParseConfig<'a>,
    /// Where the next token is looked for.
    pub pos: usize,
    /// Control lines before this offset were read already (the lexer may be set back).
    control_done: usize,
    pub pragmas: Vec<Pragma>,
    /// `-x pspec` is on, perhaps by a pragma further up.
    pub pspec: bool,
    pub line_marks: Vec<(u32, u32, Option<String>)>,
    /// Findings about control lines.
    pub diags: Vec<Diag>,
    pub used_args: BTreeSet<usize>,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of a text.
    pub fn new(text: &'a str, source: SourceId, config: &'a ParseConfig<'a>) -> Lexer<'a> {
        let mut lexer = Lexer {
            text,
            source,
            config,
            pos: 0,
            control_done: 0,
            pragmas: Vec::new(),
            pspec: config.pspec,
            line_marks: Vec::new(),
            diags: Vec::new(),
            used_args: BTreeSet::new(),
        };
        if text.starts_with("#!") {
            lexer.pos = lexer.line_end(0);
        }
        lexer
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    pub fn byte(&self, at: usize) -> u8 {
        self.bytes().get(at).copied().unwrap_or(0)
    }

    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start as u32, end as u32)
    }

    /// The text of a range; ranges of whole tokens lie on character boundaries.
    pub fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.bytes().get(from..).unwrap_or(&[]);
        rest.iter().position(|&b| b == b'\n').map_or(self.text.len(), |i| from + i)
    }

    /// Passes blanks, comments and control lines. Fails at a comment without end.
    pub fn skip_blanks(&mut self) -> Result<(), Token> {
        loop {
            match self.byte(self.pos) {
                b' ' | b'\t' | b'\n' | b'\r' | 11 | 12 => self.pos += 1,
                b'\\' if self.byte(self.pos + 1) == b'\n' => self.pos += 2,
                b'/' if self.byte(self.pos + 1) == b'*' => match self.comment_end(self.pos) {
                    Some(end) => self.pos = end,
                    None => {
                        // dtrace names the last line, where it noticed.
                        self.pos = self.text.len();
                        let start = self.pos;
                        let message = "end-of-file encountered before matching */";
                        return Err(self.bad(start, (Tag::D_SYNTAX, message.to_string())));
                    }
                },
                // Oracle's addition to the language.
                b'/' if self.byte(self.pos + 1) == b'/' => self.pos = self.line_end(self.pos),
                b'#' if self.starts_line(self.pos) => {
                    let end = self.line_end(self.pos);
                    self.control(self.pos, end);
                    self.pos = end;
                }
                _ => return Ok(()),
            }
        }
    }

    /// One past the comment that starts at `at`.
    fn comment_end(&self, at: usize) -> Option<usize> {
        let rest = self.bytes().get(at + 2..)?;
        rest.windows(2).position(|w| w == b"*/").map(|i| at + 2 + i + 2)
    }

    /// Is there nothing but blanks before `at` on its line?
    fn starts_line(&self, at: usize) -> bool {
        let before = self.bytes().get(..at).unwrap_or(&[]);
        matches!(before.iter().rev().find(|b| !matches!(b, b' ' | b'\t')), None | Some(b'\n'))
    }

    fn control(&mut self, start: usize, end: usize) {
        if start < self.control_done {
            return;
        }
        self.control_done = end;
        match control::read(self.slice(start, end), self.span(start, end)) {
            Control::Nothing => {}
            Control::Pragma(pragma) => {
                self.pspec |= pragma.words.get(1..4).is_some_and(|w| w == ["D", "option", "pspec"]);
                self.pragmas.push(pragma);
            }
            Control::Line(number, file) => self.line_marks.push((end as u32 + 1, number, file)),
            Control::Bad(diag) if self.diags.len() < MAX_DIAGS => self.diags.push(diag),
            Control::Bad(_) => {}
        }
    }

    fn bad(&self, start: usize, (tag, message): Bad) -> Token {
        Token { tok: Tok::Bad(tag, message), span: self.span(start, self.pos) }
    }

    /// The next token.
    pub fn token(&mut self) -> Token {
        if let Err(bad) = self.skip_blanks() {
            return bad;
        }
        let mut start = self.pos;
        let tok = self.token_here();
        if matches!(tok, Tok::Bad(Tag::D_CHR_NL | Tag::D_STR_NL, _)) {
            // dtrace names the line the constant runs into.
            self.pos = (self.pos + 1).min(self.text.len());
            start = self.pos;
        }
        Token { tok, span: self.span(start, self.pos) }
    }

    fn token_here(&mut self) -> Tok {
        let start = self.pos;
        let rest = self.bytes().get(start..).unwrap_or(&[]);
        let Some(&first) = rest.first() else { return Tok::Eof };
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'`' => {
                self.pos += ident_len(rest);
                let word = self.slice(start, self.pos);
                keyword(word).map_or_else(|| Tok::Ident(word.to_string()), Tok::Key)
            }
            b'0'..=b'9' => self.number(rest),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => self.number(rest),
            b'"' | b'\'' => {
                let quoted = literal::quoted(rest);
                self.pos += quoted.len;
                match quoted.bytes {
                    Err((tag, message)) => Tok::Bad(tag, message),
                    Ok(bytes) if first == b'"' => Tok::Str(literal::string(bytes)),
                    Ok(bytes) => integer(literal::character(&bytes)),
                }
            }
            b'@' => {
                let len =
                    rest.iter().skip(1).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                self.pos += 1 + len;
                let name = self.slice(start + 1, self.pos);
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    self.pos = start + 1;
                    return Tok::Agg("_".to_string());
                }
                Tok::Agg(if name.is_empty() { "_".to_string() } else { name.to_string() })
            }
            b'$' => match macros::len(rest) {
                Some(len) => {
                    self.pos += len;
                    let word = self.slice(start, self.pos);
                    match macros::token(word, self.config, &mut self.used_args) {
                        Ok(tok) => tok,
                        Err((tag, message)) => Tok::Bad(tag, message),
                    }
                }
                None => self.stray(start),
            },
            _ => match OPERATORS.iter().find(|op| rest.starts_with(op.as_bytes())) {
                Some(op) => {
                    self.pos += op.len();
                    Tok::Op(op)
                }
                None => self.stray(start),
            },
        }
    }

    /// A character that starts no token.
    fn stray(&mut self, start: usize) -> Tok {
        let c = self.text.get(start..).and_then(|t| t.chars().next());
        self.pos += c.map_or(1, char::len_utf8);
        let shown = match c {
            Some('\\' | '"' | '\'') | None => c.map_or(String::new(), String::from),
            Some(c) => c.escape_debug().to_string(),
        };
        Tok::Bad(Tag::D_SYNTAX, format!("syntax error near \"{shown}\""))
    }

    fn number(&mut self, rest: &[u8]) -> Tok {
        let start = self.pos;
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let at = |i: usize| rest.get(i).copied().unwrap_or(0);
        let sign = usize::from(matches!(at(digits + 1), b'+' | b'-'));
        let exponent =
            digits > 0 && matches!(at(digits), b'e' | b'E') && at(digits + 1 + sign).is_ascii_digit();
        if exponent || at(digits) == b'.' && at(digits + 1) != b'.' {
            let len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
            self.pos += len.max(1);
            let message = "floating-point constants are not permitted";
            return Tok::Bad(Tag::D_SYNTAX, message.to_string());
        }
        self.pos += literal::int_len(rest).max(1);
        integer(literal::int(self.slice(start, self.pos)))
    }

    /// Does a `/` that ends at `end` close a predicate? It does when the next
    /// character is `{`, `;`, another `/`, or nothing (comments do not count).
    /// Then: where that character is.
    pub fn slash_closes(&self, end: usize) -> Option<usize> {
        let mut at = end;
        loop {
            match self.bytes().get(at) {
                None | Some(b';' | b'{') => return Some(at),
                Some(b'/') if self.byte(at + 1) == b'*' => match self.comment_end(at) {
                    Some(end) => at = end,
                    None => return Some(at),
                },
                Some(b'/') if self.byte(at + 1) == b'/' => at = self.line_end(at),
                Some(b'/') => return Some(at),
                Some(b' ' | b'\t' | b'\n' | b'\r' | 11 | 12) => at += 1,
                Some(b'#') if self.starts_line(at) => at = self.line_end(at),
                Some(_) => return None,
            }
        }
    }

    /// The probe description (or first word of a declaration) at the position:
    /// its end. Blanks must have been passed.
    pub fn spec_end(&self) -> usize {
        let rest = self.bytes().get(self.pos..).unwrap_or(&[]);
        let mut colon = false;
        let len = rest
            .iter()
            .take_while(|&&b| {
                colon |= b == b':';
                is_spec(b) || colon && matches!(b, b'(' | b')' | b'~' | b'+' | b'@' | b'<' | b'>')
            })
            .count();
        self.pos + len
    }
}

fn integer(lit: Result<IntLit, Bad>) -> Tok {
    match lit {
        Ok(lit) => Tok::Int { lit, negative: false },
        Err((tag, message)) => Tok::Bad(tag, message),
    }
}

/// Bytes of the name at the start of `text`. Its module may have dots
/// (``libc.so.6`environ``): a backquote is no member's name.
fn ident_len(text: &[u8]) -> usize {
    let run = |from: usize| text.iter().skip(from).take_while(|b| is_ident(**b)).count();
    let end = run(0);
    let mut at = end;
    while text.get(at) == Some(&b'.') {
        let word = text.get(at + 1..at + 1 + run(at + 1)).unwrap_or(&[]);
        match word.iter().position(|&b| b == b'`') {
            None if word.is_empty() => break,
            None => at += 1 + word.len(),
            Some(0) => break,
            Some(_) => return at + 1 + word.len(),
        }
    }
    end
}

fn is_ident(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'`')
}

/// Characters of probe descriptions anywhere; a few more may follow a colon.
pub(super) fn is_spec(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'_' | b'-' | b':' | b'.' | b'*' | b'?' | b'[' | b']' | b'!' | b'\\' | b'`' | b'$')
}
