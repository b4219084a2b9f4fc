//! Numbers and padding as printf(3) writes them.

use std::io::Write;

/// Columns that a field is padded to at most: a width may come from traced data.
const MAX_WIDTH: usize = 1 << 24;

/// Digits after the point at most; doubles have no more than 1074 anyway.
const MAX_PRECISION: usize = 1100;

/// Flags, width and precision of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// `#`
    pub alternate: bool,
    /// `0`
    pub zero: bool,
    /// `-`
    pub left: bool,
    /// `+`
    pub plus: bool,
    /// a space
    pub space: bool,
    /// Columns, 0 for none.
    pub width: usize,
    /// Precision. dtrace takes 0 for none, so it is at least 1.
    pub precision: Option<usize>,
}

/// Pads text to the width with spaces.
pub fn pad(out: &mut Vec<u8>, text: &[u8], spec: &Spec) {
    let fill = spec.width.min(MAX_WIDTH).saturating_sub(text.len());
    if !spec.left {
        out.resize(out.len() + fill, b' ');
    }
    out.extend_from_slice(text);
    if spec.left {
        out.resize(out.len() + fill, b' ');
    }
}

/// `%s`: the precision cuts the text.
pub fn text(out: &mut Vec<u8>, text: &[u8], spec: &Spec) {
    let length = spec.precision.unwrap_or(usize::MAX).min(text.len());
    pad(out, text.get(..length).unwrap_or(text), spec);
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// `d`, `i`
    Signed,
    /// `u`
    Unsigned,
    /// `o`
    Octal,
    /// `x`
    Hex,
    /// `X`
    UpperHex,
}

/// Writes an integer of 64 bits; for [`Base::Signed`] they are read as `i64`.
pub fn integer(out: &mut Vec<u8>, raw: u64, base: Base, spec: &Spec) {
    if *spec == Spec::default() {
        // Most conversions of most scripts: nothing to pad, so nothing to build first.
        // Writing to a vector cannot fail.
        let _ = match base {
            Base::Signed => {
                if (raw as i64) < 0 {
                    out.push(b'-');
                }
                decimal(out, (raw as i64).unsigned_abs());
                Ok(())
            }
            Base::Unsigned => {
                decimal(out, raw);
                Ok(())
            }
            Base::Octal => write!(out, "{raw:o}"),
            Base::Hex => write!(out, "{raw:x}"),
            Base::UpperHex => write!(out, "{raw:X}"),
        };
        return;
    }
    let (sign, digits) = match base {
        Base::Signed if (raw as i64) < 0 => ("-", (raw as i64).unsigned_abs().to_string()),
        Base::Signed if spec.plus => ("+", raw.to_string()),
        Base::Signed if spec.space => (" ", raw.to_string()),
        Base::Signed | Base::Unsigned => ("", raw.to_string()),
        Base::Octal if spec.alternate && raw != 0 => ("", format!("0{raw:o}")),
        Base::Octal => ("", format!("{raw:o}")),
        Base::Hex if spec.alternate && raw != 0 => ("0x", format!("{raw:x}")),
        Base::Hex => ("", format!("{raw:x}")),
        Base::UpperHex if spec.alternate && raw != 0 => ("0X", format!("{raw:X}")),
        Base::UpperHex => ("", format!("{raw:X}")),
    };
    // A precision is a minimum of digits, and turns the `0` flag off.
    let minimum = spec.precision.unwrap_or(0).min(MAX_WIDTH);
    let digits = format!("{}{digits}", "0".repeat(minimum.saturating_sub(digits.len())));
    signed_number(out, sign, &digits, spec, spec.precision.is_none());
}

/// Writes a number's decimal digits.
fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    // Two digits a division.
    for pair in digits.rchunks_exact_mut(2) {
        let low = (number % 100) as u8;
        number /= 100;
        first -= 2;
        if let [tens, ones] = pair {
            *tens += low / 10;
            *ones += low % 10;
        }
        if number == 0 {
            first += usize::from(low < 10);
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Writes a sign (or prefix) and digits, with the zeroes of the `0` flag between them.
fn signed_number(out: &mut Vec<u8>, sign: &str, digits: &str, spec: &Spec, zeroes_allowed: bool) {
    let mut text = sign.as_bytes().to_vec();
    if spec.zero && !spec.left && zeroes_allowed {
        let fill = spec.width.min(MAX_WIDTH).saturating_sub(sign.len() + digits.len());
        text.resize(text.len() + fill, b'0');
    }
    text.extend_from_slice(digits.as_bytes());
    pad(out, &text, spec);
}

/// Writes a floating point number as `e`, `f` or `g` (upper case for upper case letters).
pub fn float(out: &mut Vec<u8>, value: f64, conversion: u8, spec: &Spec) {
    let sign = match (value.is_sign_negative(), spec.plus, spec.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let magnitude = value.abs();
    let precision = spec.precision.unwrap_or(6).min(MAX_PRECISION);
    let mut digits = if value.is_nan() {
        "nan".to_string()
    } else if value.is_infinite() {
        "inf".to_string()
    } else {
        match conversion.to_ascii_lowercase() {
            b'e' => exponential(magnitude, precision, spec.alternate),
            b'g' => general(magnitude, precision.max(1), spec.alternate),
            _ => fixed(magnitude, precision, spec.alternate),
        }
    };
    if conversion.is_ascii_uppercase() {
        digits.make_ascii_uppercase();
    }
    signed_number(out, sign, &digits, spec, value.is_finite());
}

fn fixed(magnitude: f64, precision: usize, point: bool) -> String {
    let digits = format!("{magnitude:.precision$}");
    if point && precision == 0 { digits + "." } else { digits }
}

fn exponential(magnitude: f64, precision: usize, point: bool) -> String {
    let (mantissa, exponent) = split_exponent(magnitude, precision);
    let sign = if exponent < 0 { '-' } else { '+' };
    let point = if point && precision == 0 { "." } else { "" };
    format!("{mantissa}{point}e{sign}{:02}", exponent.abs())
}

/// `g`: as many significant digits as the precision says, without trailing zeroes.
fn general(magnitude: f64, precision: usize, alternate: bool) -> String {
    let (_, exponent) = split_exponent(magnitude, precision - 1);
    let is_fixed = exponent >= -4 && exponent < precision as i32;
    let digits = if is_fixed {
        let after_point = (precision as i32 - 1 - exponent).max(0) as usize;
        fixed(magnitude, after_point, alternate)
    } else {
        exponential(magnitude, precision - 1, alternate)
    };
    if alternate {
        return digits;
    }
    let (mantissa, exponent) = match digits.find('e') {
        Some(at) => digits.split_at(at),
        None => (digits.as_str(), ""),
    };
    if !mantissa.contains('.') {
        return digits;
    }
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    format!("{mantissa}{exponent}")
}

/// Mantissa with so many digits after the point, and the power of ten that remains after rounding.
fn split_exponent(magnitude: f64, precision: usize) -> (String, i32) {
    let text = format!("{magnitude:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_string(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_with_flags() {
        let int = |raw: i64, base, spec| shown(|out| integer(out, raw as u64, base, &spec));
        let none = Spec::default();
        assert_eq!(int(-5, Base::Signed, none), "-5");
        assert_eq!(int(-1, Base::Unsigned, none), "18446744073709551615");
        assert_eq!(int(-5, Base::Signed, Spec { zero: true, width: 5, ..none }), "-0005");
        assert_eq!(int(5, Base::Signed, Spec { plus: true, space: true, ..none }), "+5");
        assert_eq!(int(5, Base::Unsigned, Spec { plus: true, ..none }), "5");
        assert_eq!(int(255, Base::Hex, Spec { alternate: true, width: 8, ..none }), "    0xff");
        assert_eq!(int(255, Base::Hex, Spec { alternate: true, zero: true, width: 8, ..none }), "0x0000ff");
        assert_eq!(int(0, Base::Hex, Spec { alternate: true, ..none }), "0");
        assert_eq!(int(8, Base::Octal, Spec { alternate: true, ..none }), "010");
        assert_eq!(int(7, Base::Signed, Spec { left: true, width: 4, ..none }), "7   ");
        let precise = Spec { precision: Some(3), zero: true, width: 6, ..none };
        assert_eq!(int(-7, Base::Signed, precise), "  -007");
        assert_eq!(int(i64::MIN, Base::Signed, none), "-9223372036854775808");
        for number in [0u64, 7, 10, 99, 100, 101, 1000, 65_536, 999_999, 10_000_000_000_000_000_000] {
            assert_eq!(int(number as i64, Base::Unsigned, none), number.to_string());
        }
    }

    #[test]
    fn floats_as_c_writes_them() {
        let fp = |value, conversion, spec| shown(|out| float(out, value, conversion, &spec));
        let none = Spec::default();
        assert_eq!(fp(1234.5678, b'f', none), "1234.567800");
        assert_eq!(fp(1234.5678, b'e', none), "1.234568e+03");
        assert_eq!(fp(1234.5678, b'g', none), "1234.57");
        assert_eq!(fp(0.00001234, b'g', none), "1.234e-05");
        assert_eq!(fp(0.0001, b'g', none), "0.0001");
        assert_eq!(fp(999_999.5, b'g', none), "1e+06");
        assert_eq!(fp(1e100, b'E', none), "1.000000E+100");
        assert_eq!(fp(0.0, b'g', none), "0");
        assert_eq!(fp(-0.0, b'f', Spec { precision: Some(1), ..none }), "-0.0");
        assert_eq!(fp(2.5, b'f', Spec { zero: true, width: 8, precision: Some(2), ..none }), "00002.50");
        assert_eq!(fp(100.0, b'g', Spec { alternate: true, ..none }), "100.000");
        assert_eq!(fp(f64::NEG_INFINITY, b'f', Spec { zero: true, width: 6, ..none }), "  -inf");
        assert_eq!(fp(f64::NAN, b'G', none), "NAN");
        assert!(fp(f64::MAX, b'f', Spec { precision: Some(usize::MAX), ..none }).len() > 1000);
    }

    #[test]
    fn text_is_cut_and_padded() {
        let spec = Spec { width: 6, precision: Some(3), ..Spec::default() };
        assert_eq!(shown(|out| text(out, b"hello", &spec)), "   hel");
        assert_eq!(shown(|out| text(out, b"hello", &Spec { left: true, ..spec })), "hel   ");
        assert_eq!(shown(|out| pad(out, b"long enough", &spec)), "long enough");
    }
}
