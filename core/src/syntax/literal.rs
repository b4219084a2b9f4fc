//! Constants: integers, characters, strings and their escapes.

use super::ast::IntLit;
use crate::diagnostic::Tag;

/// What a bad constant is called: a tag and dtrace's words.
pub(super) type Bad = (Tag, String);

/// Bytes of the integer constant at the start of `text` (which starts with a
/// digit), suffix included.
pub(super) fn int_len(text: &[u8]) -> usize {
    let at = |i: usize| text.get(i).copied().unwrap_or(0);
    let mut len = 0;
    if at(0) == b'0' && matches!(at(1), b'x' | b'X') && at(2).is_ascii_hexdigit() {
        len = 2;
        while at(len).is_ascii_hexdigit() {
            len += 1;
        }
    } else {
        while at(len).is_ascii_digit() {
            len += 1;
        }
    }
    if matches!(at(len), b'u' | b'U') {
        len += 1;
    }
    let mut longs = 0;
    while longs < 2 && matches!(at(len), b'l' | b'L') {
        len += 1;
        longs += 1;
    }
    if longs > 0 && matches!(at(len), b'u' | b'U') && !text[..len].iter().any(|b| matches!(b, b'u' | b'U')) {
        len += 1;
    }
    len
}

/// The value of an integer constant with its suffix.
pub(super) fn int(text: &str) -> Result<IntLit, Bad> {
    let body = text.trim_end_matches(['u', 'U', 'l', 'L']);
    let suffix = text.get(body.len()..).unwrap_or("");
    let unsigned = suffix.contains(['u', 'U']);
    let longs = suffix.bytes().filter(|b| matches!(b, b'l' | b'L')).count() as u8;
    let (base, digits) = match body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if body.len() > 1 && body.starts_with('0') => (8, body),
        None => (10, body),
    };
    let mut value = 0u64;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(base) else {
            return Err((Tag::D_INT_DIGIT, format!("constant {text} contains invalid digit {c}")));
        };
        value = value
            .checked_mul(u64::from(base))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or_else(|| (Tag::D_INT_OFLOW, format!("constant {text} results in integer overflow")))?;
    }
    Ok(IntLit { value, unsigned, longs, decimal: base == 10, character: false })
}

/// A quoted constant at the start of `text`: how many bytes it takes, and what
/// stands in it.
pub(super) struct Quoted {
    pub len: usize,
    pub bytes: Result<Vec<u8>, Bad>,
}

/// The bytes up to the first NUL: strings end there, like in C.
pub(super) fn string(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Reads up to the matching quote; `text` starts with the quote.
pub(super) fn quoted(text: &[u8]) -> Quoted {
    let quote = text.first().copied().unwrap_or(b'"');
    let mut bytes = Vec::new();
    let mut i = 1;
    while let Some(&b) = text.get(i) {
        match b {
            b'\n' => {
                let bad = if quote == b'\'' {
                    (Tag::D_CHR_NL, "newline encountered in character constant".to_string())
                } else {
                    (Tag::D_STR_NL, "newline encountered in string literal".to_string())
                };
                return Quoted { len: i, bytes: Err(bad) };
            }
            b'\\' => match text.get(i + 1) {
                // Unlike in C, a backslash does not join lines here.
                Some(b'\n') => {
                    let message = "a line ends within a constant, after \\".to_string();
                    return Quoted { len: i, bytes: Err((Tag::D_SYNTAX, message)) };
                }
                Some(_) => i += escape(&text[i + 1..], &mut bytes) + 1,
                None => break,
            },
            b if b == quote => return Quoted { len: i + 1, bytes: Ok(bytes) },
            b => {
                bytes.push(b);
                i += 1;
            }
        }
    }
    let message = format!("end-of-file encountered before matching {}", char::from(quote));
    Quoted { len: text.len(), bytes: Err((Tag::D_SYNTAX, message)) }
}

/// A text whose escapes mean what they mean between quotes: an argument as a string.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(&b) = text.get(i) {
        i += 1;
        match text.get(i..).unwrap_or(&[]) {
            [] => bytes.push(b),
            rest if b == b'\\' => i += escape(rest, &mut bytes),
            _ => bytes.push(b),
        }
    }
    bytes
}

/// One escape; `text` starts after the backslash and is not empty.
fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let first = text.first().copied().unwrap_or(b'\\');
    let simple = match first {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'0'..=b'7' => {
            let len = text.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
            let value = text[..len].iter().fold(0u32, |v, b| v * 8 + u32::from(b - b'0'));
            out.push(value as u8);
            return len;
        }
        // As many digits as there are; the last two count. None: NUL.
        b'x' => {
            let digits = text.iter().skip(1).take_while(|b| b.is_ascii_hexdigit());
            let (len, value) = digits.fold((0, 0u8), |(n, v), &b| {
                let digit = char::from(b).to_digit(16).unwrap_or(0) as u8;
                (n + 1, v.wrapping_shl(4) | digit)
            });
            out.push(value);
            return 1 + len;
        }
        b'"' | b'\\' => first,
        // Unknown to libdtrace, which keeps the backslash (though its manual has \' and \?).
        other => {
            out.push(b'\\');
            other
        }
    };
    out.push(simple);
    1
}

/// A character constant's value: up to eight bytes, the first most significant.
pub(super) fn character(bytes: &[u8]) -> Result<IntLit, Bad> {
    if bytes.is_empty() {
        return Err((Tag::D_CHR_NULL, "empty character constant".to_string()));
    }
    if bytes.len() > 8 {
        return Err((Tag::D_CHR_OFLOW, "character constant is too long".to_string()));
    }
    let value = bytes.iter().fold(0u64, |v, &b| v << 8 | u64::from(b));
    Ok(IntLit { value, unsigned: false, longs: 0, decimal: true, character: true })
}
