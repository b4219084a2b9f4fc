//! Macro arguments (`$1`, `$$1`) and macro variables (`$target`).

use super::ParseConfig;
use super::lex::Tok;
use super::literal::{self, Bad};
use crate::diagnostic::Tag;
use std::collections::BTreeSet;

/// Bytes of the macro word at the start of `text` (which starts with `$`),
/// or `None` if no name follows the `$`.
pub(super) fn len(text: &[u8]) -> Option<usize> {
    let dollars = if text.get(1) == Some(&b'$') { 2 } else { 1 };
    let name = text.get(dollars..).unwrap_or(&[]);
    let digits = name.first().is_some_and(u8::is_ascii_digit);
    let len = name
        .iter()
        .take_while(|b| if digits { b.is_ascii_digit() } else { b.is_ascii_alphanumeric() || **b == b'_' })
        .count();
    (len > 0).then_some(dollars + len)
}

/// The text a macro word (`$name`, `$$3`) stands for.
pub(super) fn value(word: &str, config: &ParseConfig, used: &mut BTreeSet<usize>) -> Result<String, Bad> {
    let name = word.trim_start_matches('$');
    if !name.starts_with(|c: char| c.is_ascii_digit()) {
        return match config.macros.get(name) {
            Some(value) => Ok(value.clone()),
            None => Err((Tag::D_MACRO_UNDEF, format!("macro variable {word} is not defined"))),
        };
    }
    let index = match name.parse::<usize>() {
        Ok(index) if index <= i32::MAX as usize => index,
        _ => return Err((Tag::D_MACRO_OFLOW, format!("macro argument {word} ordinal is out of range"))),
    };
    match config.args.get(index) {
        Some(value) => {
            used.insert(index);
            Ok(value.clone())
        }
        None if config.default_args => Ok(String::new()),
        None => Err((Tag::D_MACRO_UNDEF, format!("macro argument {word} is not defined"))),
    }
}

/// The token a macro word stands for in an expression.
pub(super) fn token(word: &str, config: &ParseConfig, used: &mut BTreeSet<usize>) -> Result<Tok, Bad> {
    let value = value(word, config, used)?;
    if word.starts_with("$$") {
        return Ok(Tok::Str(literal::string(literal::unescaped(value.as_bytes()))));
    }
    if value.starts_with('"') {
        return literal::quoted(value.as_bytes()).bytes.map(|bytes| Tok::Str(literal::string(bytes)));
    }
    let text = if value.is_empty() { "0" } else { &value };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(|c: char| c.is_ascii_digit()) && literal::int_len(digits.as_bytes()) == digits.len()
    {
        return literal::int(digits).map(|lit| Tok::Int { lit, negative });
    }
    Ok(Tok::Ident(value))
}

/// A probe description with its macro words replaced; `None` if one has no value.
pub(super) fn in_spec(spec: &str, config: &ParseConfig, used: &mut BTreeSet<usize>) -> Option<String> {
    let mut out = String::with_capacity(spec.len());
    let mut rest = spec;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (word, after) = from.split_at(len(from.as_bytes())?);
        let value = value(word, config, used).ok()?;
        // `-x defaultargs` has no say in probe descriptions.
        if value.is_empty() && word.ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        out.push_str(value.trim_matches('"'));
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
