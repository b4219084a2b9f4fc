//! From the tree to the typed program: names, types, lowering.
//!
//! [`compile`] reads all texts, applies their pragmas, then checks items in
//! order. `checker` holds the state; each other file adds the rules for one kind
//! of thing (`declare` types, `variables` names, `expr` operators, `convert`
//! conversions, `call` subroutines, `action` and `aggregate` statements, `clause`
//! clauses, `translate` translators). `once` keeps what must not be computed twice, `stack` makes objects of call traces, `library` is D written in D.

mod action;
mod aggregate;
mod assign;
mod call;
mod checker;
mod clause;
mod convert;
mod declare;
mod expr;
mod library;
mod nearest;
mod node;
mod objects;
mod once;
mod operators;
mod pragma;
mod printing;
mod record;
pub mod stability;
mod stack;
mod translate;
mod typedefs;
mod variables;

pub use pragma::well_formed;

#[cfg(test)]
mod tests;

use crate::backend::Backend;
use crate::diagnostic::{Diag, Severity, SourceId, SourceMap, Tag};
use crate::ir::{ClauseId, Program};
use crate::options::{Options, opt};
use crate::probe::ProbeDesc;
use crate::syntax::{self, LastPart, ParseConfig, ast};
use checker::Checker;
use stability::{Attributes, Vouched};
use std::collections::{BTreeMap, BTreeSet, HashSet};

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
    /// Ids of the given texts in `sources`.
    pub source_of: Vec<SourceId>,
    /// Per given text the least stability of its descriptions and of its statements (`-v`).
    pub stability: Vec<[Attributes; 2]>,
    /// `provider` blocks, for `-h`.
    pub providers: Vec<ast::Provider>,
}

impl Compiled {
    /// The first error, if there is one.
    pub fn error(&self) -> Option<&Diag> {
        self.diags.iter().find(|d| d.severity == Severity::Error)
    }
}

/// Compiles all texts into one program: they share variables and aggregations.
/// Options set by `#pragma D option` are written into `options` before lowering.
pub fn compile(
    texts: &[ProgramText],
    config: &CompileConfig,
    options: &mut Options,
    backend: &mut dyn Backend,
) -> Compiled {
    let mut out = Compiled { clauses_of: vec![Vec::new(); texts.len()], ..Compiled::default() };
    let parsed = parse_all(texts, config, options, backend, &mut out);
    for (_, _, ast) in &parsed {
        for item in &ast.items {
            if let ast::Item::Pragma(pragma) = item
                && let Err(diag) = pragma::options(pragma, options)
            {
                out.diags.push(diag);
            }
        }
    }
    // As in one pass over the text: what stands before the first thing that could not be parsed is checked first.
    let wrong = out.error().map(|diag| diag.span);
    if matches!(wrong, Some(None)) {
        return out;
    }
    let wrong = wrong.flatten();
    let unparsed = std::mem::take(&mut out.diags);
    let mut checker = Checker::new(backend, options.number(opt::STRSIZE) as u32);
    checker.destructive = options.flag(opt::DESTRUCTIVE);
    checker.tuple_registers = options.number(opt::TREGS) as u32;
    checker.print_size = options.number(opt::PRINTSIZE) as u32;
    checker.amin = options.text(opt::AMIN).and_then(stability::Attributes::parse);
    checker.stack_limits = checker::StackLimits::of(options);
    let zdefs = options.flag(opt::ZDEFS);
    out.stability = vec![[Attributes::STABLE; 2]; texts.len()];
    'all: for (text, kind, ast) in parsed {
        checker.attributes = Attributes::STABLE;
        for item in &ast.items {
            let span = item.span();
            if wrong.is_some_and(|wrong| span.source == wrong.source && span.end > wrong.start) {
                break 'all;
            }
            let result = match item {
                ast::Item::Clause(clause) if kind == ProgramKind::Library => Err(Diag::error(
                    Tag::D_PRAGMA_SCOPE,
                    clause.span,
                    "probe clauses may not stand in a library",
                )),
                ast::Item::Clause(clause) => checker.clause(clause, zdefs).map(|id| {
                    if let Some(text) = text {
                        out.clauses_of[text].push(id);
                    }
                }),
                ast::Item::Declaration(declaration) => checker.declaration(declaration),
                ast::Item::Inline(inline) => checker.inline(inline),
                ast::Item::Translator(translator) => checker.translator(translator),
                ast::Item::Provider(provider) => {
                    out.providers.push(provider.clone());
                    checker.provider(provider)
                }
                ast::Item::Pragma(pragma) => checker.pragma(pragma, kind == ProgramKind::Library),
            };
            if let Err(diag) = result {
                out.diags.push(diag);
            }
            if let Some([_, statements]) = text.and_then(|text| out.stability.get_mut(text)) {
                *statements = statements.least(checker.attributes);
            }
        }
    }
    for ([descriptions, _], clauses) in out.stability.iter_mut().zip(&out.clauses_of) {
        let clauses = clauses.iter().filter_map(|id| checker.program.clauses.get(id.0 as usize));
        *descriptions =
            clauses.map(|clause| described(clause, &*checker.backend)).fold(*descriptions, Attributes::least);
    }
    out.diags.extend(unparsed);
    let unused = checker.unused_pragmas().filter(|_| out.error().is_none());
    out.diags.extend(unused);
    let refused = checker.refused.take().filter(|_| out.error().is_none());
    out.diags.extend(refused);
    out.program = checker.program;
    // Executors rely on the IR's rules; a program that breaks one was made wrongly here.
    if cfg!(debug_assertions)
        && out.error().is_none()
        && let Err(what) = crate::ir::verify::verify(&out.program)
    {
        panic!("the checker made a wrong program: {what}");
    }
    out
}

/// A text with the index of where it was given (`None`: the built-in library), how, and its tree.
type ParsedText = (Option<usize>, ProgramKind, ast::Ast);

/// Parses the library parts that are called for, then the texts.
fn parse_all(
    texts: &[ProgramText],
    config: &CompileConfig,
    options: &Options,
    backend: &mut dyn Backend,
    out: &mut Compiled,
) -> Vec<ParsedText> {
    let seed = crate::types::Types::new(256);
    // Arguments are replaced while a text is parsed: the pragma counts before the others do.
    let default_args =
        options.flag(opt::DEFAULTARGS) || texts.iter().any(|text| pragma::sets(&text.text, "defaultargs"));
    let mut typedefs: HashSet<String> = HashSet::new();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut parsed: Vec<ParsedText> = Vec::new();
    let wanted: Vec<String> = match options.flag(opt::NOLIBS) {
        true => Vec::new(),
        false => library::needed(&backend.library(), texts.iter().map(|t| t.text.as_str()))
            .into_iter()
            .map(|part| part.text.to_string())
            .collect(),
    };
    let all = wanted
        .into_iter()
        .map(|text| (None, ProgramKind::Library, String::new(), text))
        .chain(texts.iter().enumerate().map(|(i, t)| (Some(i), t.kind, t.name.clone(), t.text.clone())));
    for (index, kind, name, text) in all {
        for name in typedefs::candidates(&text) {
            let known = seed.lookup_typedef(name).is_some() || typedefs.contains(name) || means_other(name);
            if !known
                && let Some(types) = backend.type_source()
                && types.lookup(&mut seed.clone(), name).is_some()
            {
                typedefs.insert(name.to_string());
            }
        }
        let source = out.sources.add(name, text);
        let is_typedef = |name: &str| seed.lookup_typedef(name).is_some() || typedefs.contains(name);
        let parse_config = ParseConfig {
            args: config.args.clone(),
            default_args,
            macros: config.macros.clone(),
            is_typedef: &is_typedef,
            pspec: options.flag(opt::PSPEC),
            require_body: kind == ProgramKind::Script,
            last_part: match kind {
                ProgramKind::Provider => LastPart::Provider,
                ProgramKind::Module => LastPart::Module,
                ProgramKind::Function => LastPart::Function,
                _ => LastPart::Name,
            },
        };
        let result = syntax::parse(&mut out.sources, source, &parse_config);
        used.extend(result.used_args);
        out.diags.extend(result.diags);
        if !matches!(kind, ProgramKind::Library) && !options.flag(opt::EMPTY) {
            out.diags.extend(result.empty);
        }
        for item in &result.ast.items {
            if let ast::Item::Declaration(d) = item
                && d.storage == Some(ast::Storage::Typedef)
            {
                typedefs.extend(d.declarators.iter().filter_map(|d| d.name.as_ref()).map(|n| n.text.clone()));
            }
        }
        if index.is_some() {
            out.source_of.push(source);
        }
        parsed.push((index, kind, result.ast));
    }
    if !options.flag(opt::DEFAULTARGS)
        && !options.flag(opt::ARGREF)
        && out.error().is_none()
        && let Some(unused) = (1..config.args.len()).rev().find(|i| !used.contains(i))
    {
        out.diags.push(Diag::global(
            Tag::D_MACRO_UNUSED,
            format!("extraneous argument '{}' (${unused} is not referenced)", config.args[unused]),
        ));
    }
    parsed
}

/// A name that D itself gives another meaning than a type.
fn means_other(name: &str) -> bool {
    variables::builtin(name).is_some()
        || crate::builtins::functions::find(name).is_some()
        || crate::builtins::constants::find(name).is_some()
}

/// How stable what a clause's descriptions name is.
fn described(clause: &crate::ir::Clause, backend: &dyn Backend) -> Attributes {
    let of = |enabling: &crate::ir::Enabling| {
        // A number means one probe, and all of its parts.
        let whole = enabling.desc.id.and_then(|_| enabling.probes.first()).and_then(|id| backend.probe(*id));
        whole.map_or_else(
            || Vouched::description(&enabling.desc),
            |probe| {
                Vouched::description(&ProbeDesc {
                    provider: probe.provider.clone(),
                    module: probe.module.clone(),
                    function: probe.function.clone(),
                    name: probe.name.clone(),
                    id: None,
                })
            },
        )
    };
    clause.probes.iter().map(of).fold(Attributes::STABLE, Attributes::least)
}
