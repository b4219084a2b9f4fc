//! `#pragma` lines.

use super::checker::{Checker, Res};
use crate::diagnostic::{Diag, Tag};
use crate::options::Options;
use crate::syntax::ast;

/// Applies `#pragma D option name[=value]`; other pragmas are the checker's.
pub(super) fn options(pragma: &ast::Pragma, options: &mut Options) -> Res<()> {
    let words: Vec<&str> = pragma.words.iter().map(String::as_str).collect();
    let ["pragma", "D", "option", rest @ ..] = words.as_slice() else { return Ok(()) };
    let [setting] = rest else {
        return Err(Diag::error(
            Tag::D_PRAGMA_MALFORM,
            pragma.span,
            "malformed #pragma D option: name or name=value expected",
        ));
    };
    let (name, value) = match setting.split_once('=') {
        Some((name, value)) => (name, Some(value.trim_matches('"'))),
        None => (*setting, None),
    };
    options.set_from_pragma(name, value).map_err(|error| {
        let shown = value.map_or(String::new(), |value| format!(" to '{value}'"));
        Diag::error(
            Tag::D_PRAGMA_OPTSET,
            pragma.span,
            format!("failed to set option '{name}'{shown}: {error}"),
        )
    })
}

impl Checker<'_> {
    /// Everything but options (applied before) and errors (the parser's).
    pub(super) fn pragma(&mut self, pragma: &ast::Pragma) -> Res<()> {
        let words: Vec<&str> = pragma.words.iter().map(String::as_str).collect();
        let malformed = |what: &str| {
            Err(Diag::error(Tag::D_PRAGMA_MALFORM, pragma.span, format!("malformed #pragma D {what}")))
        };
        match words.as_slice() {
            ["pragma", "D", "option", ..] => Ok(()),
            ["pragma", "D", "attributes", rest @ ..] => match rest {
                [attributes, _, ..] if super::stability::Attributes::parse(attributes).is_some() => Ok(()),
                _ => malformed("attributes: attributes and a name expected"),
            },
            ["pragma", "D", "binding", rest @ ..] => match rest {
                [_, _] => Ok(()),
                _ => malformed("binding: a version and a name expected"),
            },
            ["pragma", "D", "depends_on", rest @ ..] => match rest {
                [kind, _] if matches!(*kind, "provider" | "module" | "library") => Ok(()),
                _ => malformed("depends_on: provider, module or library and a name expected"),
            },
            ["pragma", "D", other, ..] => Err(Diag::error(
                Tag::D_PRAGMA_INVAL,
                pragma.span,
                format!("invalid #pragma directive: D {other}"),
            )),
            // Pragmas of C compilers are none of our business.
            _ => Ok(()),
        }
    }

    /// `provider name { ... };`.
    pub(super) fn provider(&mut self, provider: &ast::Provider) -> Res<()> {
        well_formed(provider)?;
        for probe in &provider.probes {
            for param in probe.native.iter().chain(probe.translated.iter().flatten()) {
                self.param(param)?;
            }
        }
        self.providers.insert(provider.name.text.clone(), provider.clone());
        Ok(())
    }
}

/// What can be wrong with a `provider` block whatever the types in it are.
pub fn well_formed(provider: &ast::Provider) -> Result<(), Diag> {
    if provider.name.text.ends_with(|c: char| c.is_ascii_digit()) {
        return Err(Diag::error(
            Tag::D_PROV_BADNAME,
            provider.name.span,
            format!("provider name {} may not end with a digit", provider.name.text),
        ));
    }
    let mut names: Vec<&str> = Vec::new();
    for probe in &provider.probes {
        if names.contains(&probe.name.text.as_str()) {
            return Err(Diag::error(
                Tag::D_PROV_PRDUP,
                probe.span,
                format!("probe {} is redeclared", probe.name.text),
            ));
        }
        names.push(&probe.name.text);
        // What is translated is translated by its name.
        let nameless = probe.native.iter().position(|param| param.declarator.name.is_none());
        if let Some(index) = nameless.filter(|_| probe.translated.is_some()) {
            return Err(Diag::error(
                Tag::D_DECL_PARMNAME,
                probe.span,
                format!("parameter declaration requires a name: parameter #{}", index + 1),
            ));
        }
    }
    Ok(())
}

/// Does a text have `#pragma D option NAME`, as its lines go?
pub(super) fn sets(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.trim_start().strip_prefix('#').unwrap_or_default().split_whitespace();
        ["pragma", "D", "option"].iter().all(|word| words.next() == Some(*word))
            && words.any(|word| word == name)
    })
}
