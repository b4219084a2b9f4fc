//! From a format string to its parts.

use super::{CONVERSIONS, Conversion, Format, FormatError, Part};
use crate::diagnostic::Tag;
use crate::output::number::Spec;

impl Format {
    /// Parses a format string (escapes resolved before). Errors have dtrace's words.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Format, FormatError> {
        let mut rest = text.as_ref();
        let mut parts = Vec::new();
        let mut number = 0;
        while let Some(at) = rest.iter().position(|&b| b == b'%') {
            let (text, conversion) = rest.split_at(at);
            if !text.is_empty() {
                parts.push(Part::Text(text.to_vec()));
            }
            number += 1;
            let mut cursor = Cursor { rest: conversion.get(1..).unwrap_or_default(), number };
            parts.push(Part::Conversion(Box::new(cursor.conversion()?)));
            rest = cursor.rest;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_vec()));
        }
        Ok(Format { parts })
    }
}

/// Reads one conversion after its `%`.
struct Cursor<'a> {
    rest: &'a [u8],
    number: usize,
}

impl Cursor<'_> {
    fn conversion(&mut self) -> Result<Conversion, FormatError> {
        let number = self.number;
        let mut spec = Spec::default();
        let (mut width, mut precision) = (0, 0);
        let (mut dynamic_width, mut dynamic_precision, mut aggregation) = (false, false, false);
        let (mut dot, mut digits) = (false, false);
        let mut name = String::new();
        let mut first = true;
        loop {
            let Some((&byte, rest)) = self.rest.split_first() else {
                return Err(self.error("name expected before end of format string"));
            };
            self.rest = rest;
            match byte {
                // A zero that starts neither a precision nor other digits is the flag.
                b'0' if !dot && !digits => {
                    spec.zero = true;
                    spec.left = false;
                }
                b'0'..=b'9' => {
                    digits = true;
                    let value = if dot { &mut precision } else { &mut width };
                    *value = self.digits(byte);
                }
                b'#' => spec.alternate = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'@' => aggregation = true,
                // Grouping of thousands; the C locale, which dtrace runs in, has none.
                b'\'' => {}
                b'-' => {
                    spec.left = true;
                    spec.zero = false;
                }
                // The width of a pointer in hexadecimal digits.
                b'?' => width = 16,
                b'*' if dot && dynamic_precision => {
                    return Err(self.error("has more than one '*' specified for the output precision"));
                }
                b'*' if !dot && dynamic_width => {
                    return Err(self.error("has more than one '*' specified for the output width"));
                }
                b'*' if dot => dynamic_precision = true,
                b'*' => dynamic_width = true,
                b'.' if dot => return Err(self.error("has more than one '.' specified")),
                b'.' => {
                    dot = true;
                    digits = false;
                }
                b'$' => return Err(self.error("uses unsupported positional format (%n$)")),
                b'%' if !first => {
                    return Err(self.error("cannot be combined with other format flags: %%"));
                }
                b'h' | b'l' | b'L' | b'w' => {
                    if name.len() < 6 {
                        name.push(char::from(byte));
                    }
                }
                _ => {
                    name.push_str(&String::from_utf8_lossy(&[byte]));
                    break;
                }
            }
            first = false;
        }
        let Some(row) = CONVERSIONS.iter().find(|row| row.name == name) else {
            return Err(self.error(&format!("is undefined: %{name}")));
        };
        spec.width = width;
        spec.precision = (precision > 0).then_some(precision);
        Ok(Conversion { number, row, aggregation, dynamic_width, dynamic_precision, spec })
    }

    /// The number that starts with a digit; too large ones stay at the largest.
    fn digits(&mut self, first: u8) -> usize {
        let mut value = usize::from(first - b'0');
        while let Some((&digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            value = value.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
            self.rest = rest;
        }
        value
    }

    fn error(&self, what: &str) -> FormatError {
        FormatError { tag: Tag::D_SYNTAX, message: format!("format conversion #{} {what}", self.number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::AggFunc;

    fn error(text: &str) -> String {
        let error = Format::parse(text).unwrap_err();
        assert_eq!(error.tag, Tag::D_SYNTAX);
        error.message
    }

    #[test]
    fn parts_of_a_format() {
        let format = Format::parse("a %-@6d%% %5.3s|%*.*x").unwrap();
        let all: Vec<_> = format.conversions().collect();
        assert_eq!(all.iter().map(|c| c.row.name).collect::<Vec<_>>(), ["d", "s", "x"]);
        assert!(all[0].aggregation && all[0].spec.left && all[0].spec.width == 6);
        assert_eq!((all[1].spec.width, all[1].spec.precision, all[1].number), (5, Some(3), 3));
        assert!(all[2].dynamic_width && all[2].dynamic_precision);
    }

    #[test]
    fn flags_may_stand_anywhere_before_the_name() {
        for text in ["%@8d", "%8@d", "%8@-d", "%-8@d"] {
            let format = Format::parse(text).unwrap();
            let c = format.conversions().next().unwrap();
            assert!(c.aggregation && c.spec.width == 8, "{text}");
        }
        let c = |text| Format::parse(text).unwrap().conversions().next().unwrap().clone();
        assert_eq!(c("%.0s").spec.precision, None, "no precision at all");
        assert_eq!(c("%?d").spec.width, 16);
        assert!(c("%-05d").spec.zero, "the later of - and 0 wins");
        assert!(c("%0-5d").spec.left);
    }

    #[test]
    fn errors_name_the_conversion() {
        assert_eq!(error("%d %z"), "format conversion #2 is undefined: %z");
        assert_eq!(error("%hhd"), "format conversion #1 is undefined: %hhd");
        assert_eq!(error("%3"), "format conversion #1 name expected before end of format string");
        assert_eq!(error("%3$d"), "format conversion #1 uses unsupported positional format (%n$)");
        assert_eq!(error("%-%"), "format conversion #1 cannot be combined with other format flags: %%");
        assert_eq!(error("%..1d"), "format conversion #1 has more than one '.' specified");
        assert!(error("%**d").ends_with("'*' specified for the output width"));
        assert!(error("%.**d").ends_with("'*' specified for the output precision"));
        assert!(error("%\u{e9}").starts_with("format conversion #1 is undefined"));
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        let mut random = crate::aggregate::Random(0xf0f0);
        let alphabet = b"%%%%@-+ #0'.*?19hlLwdsxXkYTaACSpcfeGuo$z\xff\n";
        for _ in 0..5000 {
            let length = random.next() % 12;
            let text: Vec<u8> =
                (0..length).map(|_| alphabet[(random.next() % alphabet.len() as u64) as usize]).collect();
            if let Ok(format) = Format::parse(&text) {
                let settings = crate::output::Settings::default();
                let context = crate::output::test_context(&settings);
                // Whatever the values are, printing must take them.
                let mut out = Vec::new();
                let values = crate::output::printf::write::tests::odd_values(&mut random);
                let words = AggFunc::Quantize.identity();
                let cell = crate::aggregate::Cell { func: AggFunc::Quantize, words: words.into(), normal: 1 };
                format.write(&mut out, &context, &values);
                format.write_row(&mut out, &context, &values, &[cell]);
            }
        }
    }
}
