//! `#pragma` lines.

use super::checker::{Checker, Res};
use crate::diagnostic::{Diag, Span, Tag};
use crate::options::{OptionError, Options};
use crate::probe::ProbeDesc;
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
    pub(super) fn pragma(&mut self, pragma: &ast::Pragma, library: bool) -> Res<()> {
        let words: Vec<&str> = pragma.words.iter().map(String::as_str).collect();
        let malformed = |what: &str| {
            Err(Diag::error(Tag::D_PRAGMA_MALFORM, pragma.span, format!("malformed #pragma D {what}")))
        };
        match words.as_slice() {
            ["pragma", "D", "option", ..] => Ok(()),
            ["pragma", "D", "attributes", rest @ ..] => match rest {
                [attributes, ..] if super::stability::Attributes::parse(attributes).is_none() => {
                    malformed("attributes: attributes and a name expected")
                }
                [_, name] => {
                    self.named_by_pragmas.push(("attributes", name.to_string(), pragma.span));
                    Ok(())
                }
                [_, "provider", provider, part] => {
                    const PARTS: &[&str] = &["provider", "module", "function", "name", "args"];
                    if !PARTS.contains(part) {
                        let message = format!(
                            "invalid component \"{part}\" in attribute #pragma for provider {provider}"
                        );
                        return Err(Diag::error(Tag::D_PRAGMA_INVAL, pragma.span, message));
                    }
                    match self.has_provider(provider)? {
                        true => Ok(()),
                        false => Err(unused("attributes", pragma.span)),
                    }
                }
                [_, _, _, "provider" | "module" | "function" | "name" | "args"] => {
                    Err(unused("attributes", pragma.span))
                }
                _ => malformed("attributes: attributes and a name expected"),
            },
            ["pragma", "D", "binding", rest @ ..] => match rest {
                [version, name] if version.starts_with('"') => {
                    let version = version.trim_matches('"');
                    if Options::new().set("version", Some(version)) == Err(OptionError::BadValue) {
                        let message = "invalid version string specified by #pragma binding";
                        return Err(Diag::error(Tag::D_PRAGMA_INVAL, pragma.span, message));
                    }
                    self.named_by_pragmas.push(("binding", name.to_string(), pragma.span));
                    Ok(())
                }
                _ => malformed("binding: a version and a name expected"),
            },
            ["pragma", "D", "depends_on", rest @ ..] => {
                let missing = |message: String| Err(Diag::error(Tag::D_PRAGMA_DEPEND, pragma.span, message));
                match rest {
                    ["module", _] => Ok(()),
                    // A library that lacks something is of no use: what it is used for will be missed.
                    ["provider" | "library", _] if library => Ok(()),
                    ["library", _] => {
                        missing("main program may not explicitly depend on a library".to_string())
                    }
                    ["provider", name] => match self.has_provider(name)? {
                        true => Ok(()),
                        false => missing(format!("program requires provider {name}")),
                    },
                    _ => malformed("depends_on: provider, module or library and a name expected"),
                }
            }
            ["pragma", "D", other, ..] => Err(Diag::error(
                Tag::D_PRAGMA_INVAL,
                pragma.span,
                format!("invalid #pragma directive: D {other}"),
            )),
            // Pragmas of C compilers are none of our business.
            _ => Ok(()),
        }
    }

    /// Is there such a provider, here or on the system?
    fn has_provider(&mut self, name: &str) -> Res<bool> {
        if self.providers.contains_key(name) {
            return Ok(true);
        }
        let desc = ProbeDesc { provider: name.to_string(), ..ProbeDesc::default() };
        // Why none is found does not matter here.
        Ok(self.backend.match_probes(&desc).is_ok_and(|found| !found.probes.is_empty()))
    }

    /// Pragmas that name what the script does not have.
    pub(super) fn unused_pragmas(&self) -> Option<Diag> {
        let (what, _, span) = self.named_by_pragmas.iter().find(|(_, name, _)| {
            let variable = self.variables.contains_key(&(ast::Scope::Global, name.clone()));
            !variable
                && !self.inlines.contains_key(name)
                && super::variables::builtin(name).is_none()
                && crate::builtins::functions::find(name).is_none()
        })?;
        Some(unused(what, *span))
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

fn unused(what: &str, span: Span) -> Diag {
    Diag::error(Tag::D_PRAGMA_UNUSED, span, format!("unused #pragma {what}"))
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
