//! `trace()` and `tracemem()`: values without a format.

use super::number::{Spec, pad};
use super::{Context, Settings, symbol};
use crate::record::Value;

/// One field that `trace()` recorded (or a stack, or `sym()` and its kin, as actions of their own). Under `-q` values
/// stand as they are; otherwise in columns as wide as their type.
pub fn trace(out: &mut Vec<u8>, context: &Context<'_>, value: &Value) {
    let settings = context.settings;
    match value {
        Value::Int { raw, bytes, .. } if settings.raw_bytes => {
            let all = raw.to_ne_bytes();
            let width = usize::from(*bytes).min(all.len());
            // The low bytes of a number come last where the most significant one comes first.
            let start = if cfg!(target_endian = "big") { all.len() - width } else { 0 };
            dump(out, all.get(start..start + width).unwrap_or(&all));
        }
        &Value::Int { raw, bytes, signed } => integer(out, settings, raw, bytes, signed),
        Value::Str(text) if settings.raw_bytes => {
            // The buffer as it is: what follows the text is NUL.
            let mut bytes = text.get(..settings.strsize.saturating_sub(1)).unwrap_or(text).to_vec();
            bytes.resize(settings.strsize, 0);
            dump(out, &bytes);
        }
        Value::Str(text) if settings.quiet => out.extend_from_slice(text),
        Value::Str(text) => text_column(out, text, -33),
        Value::Bytes(bytes) if settings.quiet => bytes_plain(out, settings, bytes),
        Value::Bytes(bytes) => bytes_column(out, settings, bytes, -33),
        Value::KStack(_) | Value::UStack(_) => {
            symbol::stack(out, context, value, settings.stack_indent, &Spec::default());
        }
        Value::Sym(sym) => symbol::sym_column(out, context, sym),
    }
}

fn integer(out: &mut Vec<u8>, settings: &Settings, raw: u64, bytes: u8, signed: bool) {
    let number = if signed { (raw as i64).to_string() } else { raw.to_string() };
    if settings.quiet {
        out.extend_from_slice(number.as_bytes());
        return;
    }
    // As many columns as the largest value of the type needs.
    let width = match (bytes, signed) {
        (1, _) => 3,
        (2, _) => 5,
        (4, _) => 10,
        (_, true) => 19,
        (_, false) => 20,
    };
    out.extend_from_slice(format!(" {number:>width$}").as_bytes());
}

/// `tracemem()`: always a dump. `limit` is the value of the third argument: fewer bytes are shown if it is smaller
/// (and not negative).
pub fn tracemem(out: &mut Vec<u8>, bytes: &[u8], limit: Option<i64>) {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    dump(out, bytes.get(..limit).unwrap_or(bytes));
}

/// A string after a space, padded to a width; two spaces and left-aligned if the width is negative.
pub(super) fn text_column(out: &mut Vec<u8>, text: &[u8], width: i32) {
    out.extend_from_slice(if width < 0 { b"  " } else { b" " });
    pad(out, text, &Spec { left: width < 0, width: width.unsigned_abs() as usize, ..Spec::default() });
}

/// A byte array in a column if it looks like text, else as a dump.
pub(super) fn bytes_column(out: &mut Vec<u8>, settings: &Settings, bytes: &[u8], width: i32) {
    match printable(settings, bytes) {
        Some(text) => text_column(out, text, width),
        None => dump(out, bytes),
    }
}

fn bytes_plain(out: &mut Vec<u8>, settings: &Settings, bytes: &[u8]) {
    match printable(settings, bytes) {
        Some(text) => out.extend_from_slice(text),
        None => dump(out, bytes),
    }
}

/// The text of an array that holds some printable bytes and then nothing but NULs; anything else is binary.
fn printable<'a>(settings: &Settings, bytes: &'a [u8]) -> Option<&'a [u8]> {
    if settings.raw_bytes {
        return None;
    }
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let (text, padding) = bytes.split_at(end);
    // Bell and backspace are the control characters that mean something to a terminal without being spaces.
    let is_text = |&b: &u8| matches!(b, b' '..=b'~' | 7..=13);
    let fits = !text.is_empty() && text.iter().all(is_text) && padding.iter().all(|&b| b == 0);
    fits.then_some(text)
}

/// Bytes in hexadecimal and as characters, 16 a line, a heading above.
fn dump(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEADING: &str = "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n";
    out.extend_from_slice(HEADING.as_bytes());
    for (line, chunk) in bytes.chunks(16).enumerate() {
        out.extend_from_slice(format!("     {:5x}:", line * 16).as_bytes());
        for byte in chunk {
            let digit = |n: u8| char::from_digit(n.into(), 16).map_or(b'0', |c| c as u8);
            out.extend_from_slice(&[b' ', digit(byte >> 4), digit(byte & 15)]);
        }
        out.resize(out.len() + 3 * (16 - chunk.len()) + 2, b' ');
        out.extend(chunk.iter().map(|&b| if matches!(b, b' '..=b'~') { b } else { b'.' }));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_context;

    fn shown(settings: &Settings, value: Value) -> String {
        let mut out = Vec::new();
        trace(&mut out, &test_context(settings), &value);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn quiet(value: Value) -> String {
        shown(&Settings { quiet: true, ..Settings::default() }, value)
    }

    fn loud(value: Value) -> String {
        shown(&Settings::default(), value)
    }

    #[test]
    fn integers_by_type() {
        for (bytes, signed, expect) in [
            (1, true, "  -1"),
            (1, false, " 255"),
            (2, true, "    -1"),
            (2, false, " 65535"),
            (4, true, "         -1"),
            (4, false, " 4294967295"),
            (8, true, "                  -1"),
            (8, false, " 18446744073709551615"),
        ] {
            let value = Value::int_of(u64::MAX, bytes, signed);
            assert_eq!(loud(value.clone()), expect);
            assert_eq!(quiet(value), expect.trim_start());
        }
    }

    #[test]
    fn strings_and_arrays_of_characters() {
        assert_eq!(quiet(Value::string("a\n")), "a\n");
        assert_eq!(loud(Value::string("a")), format!("  {:<33}", "a"));
        assert_eq!(loud(Value::string("")), " ".repeat(35));
        assert_eq!(quiet(Value::Bytes(b"hi\0\0".to_vec())), "hi");
        assert_eq!(quiet(Value::Bytes(b"full".to_vec())), "full");
        assert_eq!(loud(Value::Bytes(b"hi\0\0".to_vec())), format!("  {:<33}", "hi"));
        assert!(quiet(Value::Bytes(b"hi\0x".to_vec())).contains("0: 68 69 00 78"));
        assert!(quiet(Value::Bytes(b"\0\0".to_vec())).contains("0: 00 00"));
    }

    #[test]
    fn binary_is_dumped() {
        assert_eq!(
            quiet(Value::Bytes(vec![1, 2])),
            "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n\
             \x20        0: 01 02                                            ..\n"
        );
        let raw = Settings { quiet: true, raw_bytes: true, ..Settings::default() };
        assert!(shown(&raw, Value::Bytes(b"hi\0\0".to_vec())).contains("0: 68 69 00 00  "));
        assert!(shown(&raw, Value::int_of(0x0102, 2, false)).lines().nth(2).unwrap().len() > 59);
        let short = Settings { strsize: 6, ..raw.clone() };
        assert!(shown(&short, Value::string("abc")).contains("0: 61 62 63 00 00 00   "));
        assert!(shown(&short, Value::string("abcdefgh")).contains("0: 61 62 63 64 65 00   "));
        let long = quiet(Value::Bytes(vec![0xff; 17]));
        assert_eq!(long.lines().nth(3).unwrap(), format!("        10: ff{:47}.", ""));
    }

    #[test]
    fn tracemem_shows_what_the_limit_leaves() {
        let line = |limit| {
            let mut out = Vec::new();
            tracemem(&mut out, b"Linux version ", limit);
            String::from_utf8(out).unwrap().lines().nth(2).map(str::to_string)
        };
        let whole = "         0: 4c 69 6e 75 78 20 76 65 72 73 69 6f 6e 20        Linux version ";
        assert_eq!(line(None).as_deref(), Some(whole));
        assert_eq!(line(Some(-1)).as_deref(), Some(whole));
        assert_eq!(line(Some(15)).as_deref(), Some(whole));
        assert_eq!(line(Some(2)), Some(format!("         0: 4c 69{:44}Li", "")));
        assert_eq!(line(Some(0)), None);
    }
}
