//! From the tree to the typed program: names, types, lowering.

use crate::backend::Backend;
use crate::diagnostic::{Diag, SourceMap};
use crate::ir::{ClauseId, Program};
use crate::options::Options;
use std::collections::BTreeMap;

/// One program text given on the command line, after the preprocessor if `-C`.
#[derive(Clone, Debug)]
pub struct ProgramText {
    /// The script's path for `-s`; empty for `-n` and its kin, and for libraries their path.
    pub name: String,
    pub text: String,
    pub kind: ProgramKind,
}

/// How a program text was given: `-n` text has its description within, `-P foo`
/// and its kin give one part of a probe description, perhaps with predicate and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// `-s FILE`.
    Script,
    /// A D library (`-L`): declarations, inlines, translators.
    Library,
    /// `-n`, `-f`, `-m`, `-P`, `-i`: how a description with fewer than four parts is read:
    /// its last part is the name, function, module, provider, or it is a probe id.
    Name,
    Function,
    Module,
    Provider,
    Id,
}

/// What the compiler needs besides the texts.
#[derive(Clone, Debug, Default)]
pub struct CompileConfig {
    /// Macro arguments: `$1` is `args[1]`; `args[0]` is `$0`.
    pub args: Vec<String>,
    /// `$target`, `$pid`, ... by name without the dollar.
    pub macros: BTreeMap<String, String>,
}

/// What comes out.
#[derive(Debug, Default)]
pub struct Compiled {
    pub program: Program,
    /// Which clauses came from which text (index into the given texts).
    pub clauses_of: Vec<Vec<ClauseId>>,
    /// Errors (then `program` must not be run) and warnings, in order.
    pub diags: Vec<Diag>,
    /// All texts, for positions.
    pub sources: SourceMap,
    /// Per clause the stability report of `-v`, ready to print.
    pub stability: Vec<String>,
}

/// Compiles all texts into one program: they share variables and aggregations.
/// Options set by `#pragma D option` are written into `options` before lowering.
pub fn compile(
    texts: &[ProgramText],
    config: &CompileConfig,
    options: &mut Options,
    backend: &mut dyn Backend,
) -> Compiled {
    let _ = (texts, config, options, backend);
    Compiled::default()
}
