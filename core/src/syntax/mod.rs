//! From text to tree. Never fails, never prints: a tree and diagnostics.
//!
//! `lex` makes tokens (`literal` reads constants, `macros` `$` words, `control`
//! `#` lines), `parse` makes the tree by recursive descent, `dump` shows a tree.
//! Tokens are made on demand, because the top level of a program is read in
//! another way (probe descriptions) than everything else.

pub mod ast;
pub mod dump;

mod control;
mod lex;
mod literal;
mod macros;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::{parse, parse_declarations, parse_type};

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diag;

/// What the parser must know besides the text.
#[derive(Clone)]
pub struct ParseConfig<'a> {
    /// Macro arguments: `$0` (program or script name), `$1`, ...
    pub args: Vec<String>,
    /// `-x defaultargs`: a missing `$5` is 0, a missing `$$5` is "".
    pub default_args: bool,
    /// Macro variables by name, without `$`: `pid`, `target`, `uid`, ...
    pub macros: BTreeMap<String, String>,
    /// Is this the name of a type? `mod`type_t` is asked for as a whole.
    /// Names of variables and functions should answer no.
    pub is_typedef: &'a dyn Fn(&str) -> bool,
    /// `-x pspec`: `int*` at the start of a clause is a probe description.
    pub pspec: bool,
    /// Texts of files: a probe description must have a predicate or actions.
    pub require_body: bool,
    /// What the last part of a probe description names (`-P`, `-m`, `-f`, `-n`).
    pub last_part: LastPart,
}

impl Default for ParseConfig<'_> {
    fn default() -> Self {
        ParseConfig {
            args: Vec::new(),
            default_args: false,
            macros: BTreeMap::new(),
            is_typedef: &|_| false,
            pspec: false,
            require_body: false,
            last_part: LastPart::Name,
        }
    }
}

/// What the last part of a probe description names. Empty parts are appended
/// up to the probe name, so that the tree always has the name last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LastPart {
    /// `-P`
    Provider,
    /// `-m`
    Module,
    /// `-f`
    Function,
    /// Scripts and `-n`.
    #[default]
    Name,
}

/// The outcome: always a tree, which is only complete without errors.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// What could be read.
    pub ast: ast::Ast,
    /// In order of discovery; the first is the one to show.
    pub diags: Vec<Diag>,
    /// `D_EMPTY`, when there is nothing but declarations and pragmas: an error
    /// unless the text is a library or `-x empty` is on.
    pub empty: Option<Diag>,
    /// Which macro arguments the text refers to.
    pub used_args: BTreeSet<usize>,
}

/// A word of the language, which can name nothing?
pub(crate) fn is_keyword(word: &str) -> bool {
    lex::keyword(word).is_some()
}
