//! Control lines: `#pragma`, `#line`, `#error` and those of the C preprocessor,
//! which must not be left over.

use super::ast::Pragma;
use crate::diagnostic::{Diag, Span, Tag};

/// What a control line means.
pub(super) enum Control {
    /// `#`, `#ident`, `#!`: nothing.
    Nothing,
    Pragma(Pragma),
    /// The next line has this number, and comes from this file.
    Line(u32, Option<String>),
    Bad(Diag),
}

/// Reads a control line without its line end; `text` starts with `#`.
pub(super) fn read(text: &str, span: Span) -> Control {
    let body = text.get(1..).unwrap_or("").trim();
    let words = words(body);
    let first = words.first().map_or("", String::as_str);
    match first {
        "" | "ident" => Control::Nothing,
        // The interpreter's line may stand below a comment.
        interpreter if interpreter.starts_with('!') => Control::Nothing,
        // The D is optional, and the directives may be written as pragmas.
        "pragma" => match directive(&words) {
            Some("ident") => Control::Nothing,
            Some("line") => {
                let at = words.iter().position(|w| w == "line").map_or(words.len(), |at| at + 1);
                line(words.get(at..).unwrap_or(&[]), 1, span)
            }
            _ => pragma(words, body, span),
        },
        "error" => error(words.get(1..).unwrap_or(&[]), span),
        "line" => line(words.get(1..).unwrap_or(&[]), 1, span),
        number if number.bytes().all(|b| b.is_ascii_digit()) => line(&words, 0, span),
        other => {
            let message = format!("invalid control directive: #{other}");
            let diag = Diag::error(Tag::D_PRAGCTL_INVAL, span, message);
            Control::Bad(match other {
                "define" | "include" | "if" | "ifdef" | "ifndef" | "undef" => {
                    diag.note("use -C to run the C preprocessor first")
                }
                _ => diag,
            })
        }
    }
}

/// `#error words` and `#pragma D error words`; dtrace ends each word with a blank.
fn error(words: &[String], span: Span) -> Control {
    let text: String = words.iter().map(|w| format!("{} ", w.trim_matches('"'))).collect();
    Control::Bad(Diag::error(Tag::D_PRAGERR, span, format!("#error: {text}")))
}

/// The word after `pragma` or `pragma D`.
fn directive(words: &[String]) -> Option<&str> {
    words.iter().skip(1).map(String::as_str).find(|w| *w != "D")
}

fn pragma(words: Vec<String>, body: &str, span: Span) -> Control {
    match words.iter().position(|w| w == "error") {
        Some(at) if directive(&words) == Some("error") => error(words.get(at + 1..).unwrap_or(&[]), span),
        _ => Control::Pragma(Pragma { words, text: body.to_string(), span }),
    }
}

/// `77 "file" flags...`. After `# 77`, which preprocessors write, the next line
/// is line 77; after `#line 77` dtrace calls it line 78.
fn line(words: &[String], more: u32, span: Span) -> Control {
    let bad = |what: &str| {
        let message = format!("malformed #line <line> [ [\"file\"] state ]: {what}");
        Control::Bad(Diag::error(Tag::D_PRAGMA_MALFORM, span, message))
    };
    let Some(number) = words.first().and_then(|w| w.parse::<u32>().ok()) else {
        return bad("a line number is missing");
    };
    let number = number.saturating_add(more);
    match words.get(1) {
        None => Control::Line(number, None),
        Some(file) => match file.strip_prefix('"').and_then(|f| f.strip_suffix('"')) {
            Some(file) => Control::Line(number, Some(file.to_string())),
            None => bad("the file's name must stand in double quotes"),
        },
    }
}

/// Words between blanks; a quoted string is one word and keeps its quotes.
/// Comments are no words.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.find("*/").and_then(|at| comment.get(at + 2..)).unwrap_or("").trim_start();
            continue;
        }
        let len = if rest.starts_with('"') {
            rest.get(1..).and_then(|r| r.find('"')).map_or(rest.len(), |at| at + 2)
        } else {
            rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(len);
        words.push(word.to_string());
        rest = after.trim_start();
    }
    words
}
