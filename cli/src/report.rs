//! What is wrong, for the user: one line, and on a terminal the source line with a caret.

use duotrace_core::diagnostic::{Diag, SourceMap, Span};
use std::io::{IsTerminal, Write};

/// One line on stderr, `dtrace: ` before it.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "dtrace: {text}");
}

/// A finding, behind `before` (`failed to compile script x.d`).
pub fn diag(before: &str, diag: &Diag, sources: &SourceMap, tags: bool) {
    let mut text = String::new();
    // What the script may not do as a whole is no error of compiling it.
    let compiled = !diag.message.starts_with("could not enable tracing");
    if compiled && !before.is_empty() {
        text.push_str(&format!("{before}: "));
    }
    if tags {
        text.push_str(&format!("[{}] ", diag.tag.name()));
    }
    let place = diag.span.map(|span| (span, sources.position(span)));
    if let Some((span, position)) = place.as_ref().filter(|_| compiled) {
        let own = sources.get(span.source).map_or("", |source| source.name.as_str());
        match position.name == own {
            // A one-liner has no lines worth naming.
            true if own.is_empty() => text.push_str(region(sources, *span)),
            // The script is named already.
            true => text.push_str(&format!("line {}: ", position.line)),
            false => text.push_str(&format!("\"{}\", line {}: ", position.name, position.line)),
        }
    }
    text.push_str(&diag.message);
    if !std::io::stderr().is_terminal() {
        // One line, also in a log, but the reasons matter there too.
        if !diag.notes.is_empty() {
            text.push_str(&format!(" ({})", diag.notes.join("; ")));
        }
        line(&text);
        return;
    }
    line(&text);
    let mut err = std::io::stderr().lock();
    if let Some((span, position)) = place {
        let source = sources.line_text(span);
        let width = span.end.saturating_sub(span.start).max(1) as usize;
        let blank: String = source
            .chars()
            .take(position.column as usize - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let left = source.chars().count().saturating_sub(position.column as usize - 1).max(1);
        let _ = writeln!(err, "{:>5} | {source}", position.line);
        let _ = writeln!(err, "      | {blank}{}", "^".repeat(width.min(left)));
    }
    for note in &diag.notes {
        let _ = writeln!(err, "      = {note}");
    }
}

/// Which part of a one-liner a span lies in, in dtrace's words.
fn region(sources: &SourceMap, span: Span) -> &'static str {
    let text = sources.get(span.source).map_or("", |source| source.text.as_str());
    let before = text.get(..span.start as usize).unwrap_or(text);
    let (mut braces, mut slashes, mut quoted) = (0, 0, None);
    for c in before.chars() {
        match (quoted, c) {
            (Some(quote), _) if quote == c => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quoted = Some(c),
            (None, '{') => braces += 1,
            (None, '}') => braces -= 1,
            (None, '/') if braces == 0 => slashes += 1,
            _ => {}
        }
    }
    match (braces > 0, slashes % 2 == 1) {
        (true, _) => "in action list: ",
        (_, true) => "in predicate: ",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_one_liner() {
        let mut sources = SourceMap::default();
        let text = "BEGIN /a == \"{\"/ { b }";
        let id = sources.add("", text);
        let at = |word: &str| {
            let start = text.find(word).unwrap() as u32;
            region(&sources, Span::new(id, start, start + 1))
        };
        assert_eq!((at("BEGIN"), at("a =="), at("b }")), ("", "in predicate: ", "in action list: "));
    }
}
