//! The library's error messages as findings: tag, place, text.
//!
//! A message is `[D_SYNTAX] line 2: syntax error near "}"`, or for a one-liner `[D_IDENT_UNDEF] in action list: failed
//! to resolve foo: Unknown variable name`. It tells the line at most; the word it complains of is found there, if it
//! stands there once, so that the caret points at it.

use duotrace_core::diagnostic::{Diag, SourceId, Span, Tag};
use duotrace_core::sema::{ProgramKind, ProgramText};
use std::ops::Range;

/// The finding of a message about the program of that index (which is also its source's number).
pub fn of(index: usize, program: Option<&ProgramText>, message: &str) -> Diag {
    let (tag, text) = match message.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((name, rest)) => (Tag::from_name(name), rest),
        None => (None, message),
    };
    let tag = tag.unwrap_or(Tag::D_UNKNOWN);
    let Some(program) = program else { return Diag::global(tag, text) };
    let (place, rest) = match place(program, text) {
        Some(found) => found,
        None => return Diag::global(tag, text),
    };
    let span = Span::new(SourceId(index as u32), place.start as u32, place.end as u32);
    Diag::error(tag, span, rest)
}

/// Where a message points, and what is left of it without the place's name.
fn place<'a>(program: &ProgramText, text: &'a str) -> Option<(Range<usize>, &'a str)> {
    if let Some((number, rest)) = text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        let line = line_range(&program.text, number.parse().ok()?);
        return Some((word_in(&program.text, line.clone(), rest).unwrap_or(line), rest));
    }
    if program.kind == ProgramKind::Script {
        return None;
    }
    // What is printed names the part again, from the span.
    let (part, start) = match text.split_once(": ") {
        Some(("in action list", rest)) => (rest, program.text.find('{')?),
        Some(("in predicate", rest)) => (rest, program.text.find('/')?),
        _ => return None,
    };
    Some((word_in(&program.text, start..program.text.len(), part)?, part))
}

/// The bytes of a line, counted from 1, without the blanks around it.
fn line_range(text: &str, number: usize) -> Range<usize> {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index + 1 == number {
            let indent = line.len() - line.trim_start().len();
            let indent = if line.trim().is_empty() { 0 } else { indent };
            return start + indent..start + line.trim_end().len().max(indent);
        }
        start += line.len();
    }
    text.len()..text.len()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '@' | '`')
}

/// The first of a message's words that stands in the range exactly once: what is quoted first, then names.
fn word_in(text: &str, range: Range<usize>, message: &str) -> Option<Range<usize>> {
    let within = text.get(range.clone())?;
    let quoted = message.split('"').skip(1).step_by(2);
    // Words of two letters or fewer are English more often than D, unless they carry a sigil.
    let words =
        message.split(|c: char| !is_word(c)).filter(|word| word.len() > 2 || word.starts_with(['@', '$']));
    // Names that can be complained of stand at the end of a phrase.
    let named =
        message.split([':', ',']).filter_map(|phrase| phrase.rsplit(' ').find(|word| !word.is_empty()));
    quoted.chain(named).chain(words).find_map(|word| {
        let word = word.trim_end_matches(['(', ')', ' ']);
        let found = once(within, word)?;
        Some(range.start + found..range.start + found + word.len())
    })
}

/// Where a word stands, if it stands there once, not counting places inside longer words.
fn once(within: &str, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    let mut places = within.match_indices(word).filter(|(at, _)| {
        let before = within.get(..*at).and_then(|s| s.chars().next_back());
        let after = within.get(at + word.len()..).and_then(|s| s.chars().next());
        let joined = |a: Option<char>, b: Option<char>| a.is_some_and(is_word) && b.is_some_and(is_word);
        !joined(before, word.chars().next()) && !joined(word.chars().next_back(), after)
    });
    let (at, _) = places.next()?;
    places.next().is_none().then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(kind: ProgramKind, text: &str) -> ProgramText {
        ProgramText { name: "x.d".into(), text: text.into(), kind }
    }

    /// Tag, the text under the caret, and the message.
    fn found(kind: ProgramKind, text: &str, message: &str) -> (Tag, String, String) {
        let diag = of(0, Some(&program(kind, text)), message);
        let under = diag.span.map_or("", |span| &text[span.start as usize..span.end as usize]);
        (diag.tag, under.to_string(), diag.message)
    }

    #[test]
    fn messages_of_oracles_library() {
        // As printed by 2.0.7.
        let script = "BEGIN\n{\n\ttrace(nosuch); x = 1;\n\tprintf(\"%d\", 1;\n\t@a = sum(1);\n}\nfoo }\n";
        for (message, tag, under) in [
            (
                "[D_IDENT_UNDEF] line 3: failed to resolve nosuch: Unknown variable name",
                Tag::D_IDENT_UNDEF,
                "nosuch",
            ),
            ("[D_SYNTAX] line 4: syntax error near \";\"", Tag::D_SYNTAX, ";"),
            ("[D_SYNTAX] line 7: syntax error near \"}\"", Tag::D_SYNTAX, "}"),
            (
                "[D_AGG_REDEF] line 5: aggregation redefined: @a\n\t current: @a = sum( )",
                Tag::D_AGG_REDEF,
                "@a",
            ),
            ("[D_PROTO_ARG] line 3: something else", Tag::D_PROTO_ARG, "trace(nosuch); x = 1;"),
            ("[D_SYNTAX] line 99: syntax error near end of input", Tag::D_SYNTAX, ""),
        ] {
            let (got_tag, got_under, text) = found(ProgramKind::Script, script, message);
            assert_eq!((got_tag, got_under.as_str()), (tag, under), "{message}");
            assert!(message.ends_with(&text), "{text}");
        }
    }

    #[test]
    fn one_liners_have_no_lines() {
        let text = "BEGIN /foo/ { trace(foo); }";
        let (tag, under, left) = found(
            ProgramKind::Name,
            text,
            "[D_IDENT_UNDEF] in action list: failed to resolve foo: Unknown variable name",
        );
        assert_eq!((tag, under.as_str()), (Tag::D_IDENT_UNDEF, "foo"));
        assert_eq!(left, "failed to resolve foo: Unknown variable name");
        let message = "in predicate: something odd";
        assert_eq!(found(ProgramKind::Name, text, message).2, message);
    }

    #[test]
    fn odd_messages_are_kept_whole() {
        let message = "[D_PDESC_ZERO] probe description ::: does not match any probes";
        let (tag, under, text) = found(ProgramKind::Script, "x", message);
        assert_eq!((tag, under.as_str()), (Tag::D_PDESC_ZERO, ""));
        assert!(message.ends_with(&text));
        let message = "line 99999999999999999999: x";
        assert_eq!(found(ProgramKind::Script, "x", message).2, message);
        assert_eq!(found(ProgramKind::Script, "é \"é", "line 1: near \"é\" \"").2, "near \"é\" \"");
        assert_eq!(of(0, None, "[").message, "[");
    }
}
