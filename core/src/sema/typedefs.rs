//! Names in a text that may be typedefs of the kernel.
//!
//! Where a typedef may stand the parser must know whether a name is one: `(gfp_t)x` is a cast, `(x)` is not. Asking
//! the kernel's types for every name would make each start slower by milliseconds, so this looks for
//! names in the few places where only a type makes sense; nearly all scripts have none but D's own types there.

use crate::syntax::is_keyword;

/// A name or a single character; what is between is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'t> {
    Name(&'t str),
    Other(u8),
}

/// The names of `text` that stand where a type is likely: casts, `sizeof`, `offsetof`, `xlate`, declarations.
pub(super) fn candidates(text: &str) -> Vec<&str> {
    let words = split(text);
    let at = |index: usize| words.get(index).copied();
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Word::Name(name) = *word else { continue };
        if is_keyword(name) {
            continue;
        }
        let mut next = index + 1;
        while at(next) == Some(Word::Other(b'*')) {
            next += 1;
        }
        let before = |back: usize| index.checked_sub(back).and_then(at);
        // Qualifiers before the name change nothing.
        let skip = (1..)
            .take_while(|back| matches!(before(*back), Some(Word::Name("const" | "volatile" | "userland"))))
            .count();
        let (first, second) = (before(skip + 1), before(skip + 2));
        let likely = match (first, at(next)) {
            (Some(Word::Other(b'(')), Some(Word::Other(b')'))) => match second {
                Some(Word::Name("sizeof")) => true,
                // A call, or a condition.
                Some(Word::Name(_)) => false,
                _ => match at(next + 1) {
                    Some(Word::Name(_)) => true,
                    Some(Word::Other(c)) => matches!(c, b'(' | b'"' | b'&' | b'$' | b'0'..=b'9'),
                    None => false,
                },
            },
            (Some(Word::Other(b'(')), Some(Word::Other(b','))) => second == Some(Word::Name("offsetof")),
            (Some(Word::Other(b'<')), Some(Word::Other(b'>'))) => second == Some(Word::Name("xlate")),
            (first, Some(Word::Name(_))) => match first {
                None | Some(Word::Other(b';' | b'}' | b'{' | b'[')) => true,
                Some(Word::Name(word)) => {
                    matches!(word, "self" | "this" | "extern" | "typedef" | "inline" | "const" | "volatile")
                }
                _ => false,
            },
            _ => false,
        };
        if likely && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Names (with their module) and other characters, without blanks, comments and strings' insides.
fn split(text: &str) -> Vec<Word<'_>> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let len = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len = rest
                    .iter()
                    .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'`')))
                    .unwrap_or(rest.len());
                words.extend(text.get(at..at + len).map(Word::Name));
                len
            }
            b'/' if rest.starts_with(b"/*") => {
                rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
            }
            b'"' => {
                words.push(Word::Other(byte));
                let mut len = 1;
                while let Some(inner) = rest.get(len).filter(|inner| **inner != b'"') {
                    len += if *inner == b'\\' { 2 } else { 1 };
                }
                len + 1
            }
            _ => {
                if !byte.is_ascii_whitespace() {
                    words.push(Word::Other(byte));
                }
                1
            }
        };
        at += len;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_types_stand() {
        for (text, names) in [
            ("BEGIN { x = (gfp_t)arg0; y = (z) + 1; if (x) trace(y); }", vec!["gfp_t"]),
            ("BEGIN { trace(sizeof(const vmlinux`dev_t)); f (a); }", vec!["vmlinux`dev_t"]),
            ("BEGIN { this->p = (foo_t **)&x; }", vec!["foo_t"]),
            ("gfp_t a; self bar_t *b; struct s { baz_t c; int d; };", vec!["gfp_t", "bar_t", "baz_t"]),
            ("BEGIN /(x) == 1/ { printf(\"(a_t)b\", x * y); /* (b_t)c */ }", vec![]),
            ("BEGIN { trace(offsetof(c_t, m)); xlate <d_t *> (x); }", vec!["c_t", "d_t"]),
            ("BEGIN { \"unfinished", vec![]),
            ("/* unfinished", vec![]),
            ("\"\\", vec![]),
        ] {
            assert_eq!(candidates(text), names, "{text}");
        }
    }
}
