//! Values through a format.

use super::{Conversion, Format, Part, Style};
use crate::aggregate::Cell;
use crate::output::number::{Base, Spec, float, integer, pad, text};
use crate::output::{Context, histogram, symbol};
use crate::record::{SymKind, Value};

impl Format {
    /// `printf`: each conversion takes the next value (a `*` the one before it). Values that do not fit their
    /// conversion, which [`Format::check`] keeps out, print as well as they can; missing ones print nothing.
    pub fn write(&self, out: &mut Vec<u8>, context: &Context<'_>, values: &[Value]) {
        self.write_row(out, context, values, &[]);
    }

    /// One element of a `printa`: conversions with `@` take the aggregations' values one after the other, the last
    /// one again when there are no more; the others take the key's parts.
    pub fn write_row(&self, out: &mut Vec<u8>, context: &Context<'_>, key: &[Value], cells: &[Cell<'_>]) {
        let mut values = key.iter();
        let mut next_cell = 0;
        for part in &self.parts {
            let conversion = match part {
                Part::Text(text) => {
                    out.extend_from_slice(text);
                    continue;
                }
                Part::Conversion(conversion) => conversion,
            };
            if conversion.row.style == Style::Percent {
                out.push(b'%');
                continue;
            }
            let mut spec = conversion.spec;
            if conversion.dynamic_width {
                // The compiler cuts a dynamic width to int; a negative one means `-`.
                let width = values.next().and_then(Value::as_int).unwrap_or(0) as i32;
                spec.left |= width < 0;
                spec.width = width.unsigned_abs() as usize;
            }
            if conversion.dynamic_precision {
                let precision = values.next().and_then(Value::as_int).unwrap_or(0) as i32;
                spec.precision = usize::try_from(precision).ok().filter(|&p| p > 0);
            }
            if conversion.aggregation {
                if let Some(cell) = cells.get(next_cell) {
                    next_cell = (next_cell + 1).min(cells.len().saturating_sub(1));
                    aggregated(out, context, conversion, &spec, cell);
                }
            } else if let Some(value) = values.next() {
                one(out, context, conversion, &spec, value);
            }
        }
    }
}

fn aggregated(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    conversion: &Conversion,
    spec: &Spec,
    cell: &Cell<'_>,
) {
    match cell.scalar() {
        Some(number) => one(out, context, conversion, spec, &Value::int(number)),
        None => histogram::histogram(out, context.settings, cell),
    }
}

fn one(out: &mut Vec<u8>, context: &Context<'_>, conversion: &Conversion, spec: &Spec, value: &Value) {
    match (conversion.row.style, value) {
        (Style::Percent, _) => {}
        // What sym() and its kin recorded knows better than the conversion how it is printed,
        // but that %a and %A show the offset.
        (style, Value::Sym(sym)) => {
            let name = match (style, sym.kind) {
                (Style::KernelAddress | Style::Text, SymKind::Sym) => {
                    symbol::kernel_address(context, sym.addr)
                }
                (Style::UserAddress | Style::Text, SymKind::Usym) => {
                    symbol::user_address(context, sym.pid, sym.addr)
                }
                _ => symbol::sym_text(context, sym),
            };
            text(out, name.as_bytes(), spec);
        }
        (Style::Stack, Value::KStack(_) | Value::UStack(_)) => stack(out, context, spec, value),
        (_, Value::KStack(_) | Value::UStack(_)) => {
            symbol::stack(out, context, value, context.settings.stack_indent, &Spec::default());
        }
        (Style::Decimal, &Value::Int { raw, signed, bytes }) => {
            let base = if signed { Base::Signed } else { Base::Unsigned };
            let raw = if signed { raw } else { cut(raw, bytes) };
            integer(out, raw, base, spec);
        }
        (Style::Signed, &Value::Int { raw, bytes, .. }) => {
            integer(out, extended(raw, bytes), Base::Signed, spec);
        }
        (Style::Integer(base), &Value::Int { raw, bytes, .. }) => integer(out, cut(raw, bytes), base, spec),
        (Style::Char, &Value::Int { raw, .. }) => pad(out, &[raw as u8], spec),
        (Style::WideChar, &Value::Int { raw, .. }) => {
            let wide = char::from_u32(raw as u32).map(String::from).unwrap_or_default();
            pad(out, wide.as_bytes(), spec);
        }
        (Style::EscapedChar, &Value::Int { raw, .. }) => text(out, &escaped(&[raw as u8]), spec),
        (Style::Float(letter), value) => match as_float(value) {
            Some(number) => float(out, number, letter, spec),
            None => fallback(out, spec, value),
        },
        (Style::KernelAddress, &Value::Int { raw, .. }) => {
            text(out, symbol::kernel_address(context, raw).as_bytes(), spec);
        }
        (Style::UserAddress, &Value::Int { raw, .. }) => {
            let name = match context.settings.target {
                Some(pid) => symbol::user_address(context, pid, raw),
                None => format!("{raw:#x}"),
            };
            text(out, name.as_bytes(), spec);
        }
        (Style::Time, &Value::Int { raw, .. }) => {
            text(out, local_time(context, raw).adb().as_bytes(), spec);
        }
        (Style::Time822, &Value::Int { raw, .. }) => {
            text(out, local_time(context, raw).rfc822().as_bytes(), spec);
        }
        (Style::Port, &Value::Int { raw, .. }) => {
            // The value is in network byte order, as ports are in packets.
            let port = u16::from_be(raw as u16);
            let name = context.environment.port_name(port).unwrap_or_else(|| port.to_string());
            text(out, name.as_bytes(), spec);
        }
        (Style::Host, Value::Str(address)) => {
            let name = std::str::from_utf8(address).ok().and_then(|a| context.environment.host_name(a));
            text(out, name.as_deref().map_or(address.as_slice(), str::as_bytes), spec);
        }
        (Style::WideText, Value::Bytes(bytes)) => text(out, wide(bytes).as_bytes(), spec),
        (Style::EscapedText, value) => match value.as_text() {
            Some(bytes) => text(out, &escaped(bytes), spec),
            None => fallback(out, spec, value),
        },
        (_, value) => fallback(out, spec, value),
    }
}

/// A value whose conversion is for another kind of value.
fn fallback(out: &mut Vec<u8>, spec: &Spec, value: &Value) {
    match value {
        &Value::Int { raw, signed, .. } => {
            integer(out, raw, if signed { Base::Signed } else { Base::Unsigned }, spec);
        }
        value => text(out, value.as_text().unwrap_or_default(), spec),
    }
}

/// `%k`: left-aligned, the width is the indentation of the frames; else each frame is padded to it.
fn stack(out: &mut Vec<u8>, context: &Context<'_>, spec: &Spec, value: &Value) {
    if spec.left {
        let frame = Spec { width: 0, left: false, ..*spec };
        symbol::stack(out, context, value, spec.width, &frame);
    } else {
        symbol::stack(out, context, value, 0, spec);
    }
}

/// The bits that belong to a width, for conversions that show them unsigned.
fn cut(raw: u64, bytes: u8) -> u64 {
    match bytes {
        1 => u64::from(raw as u8),
        2 => u64::from(raw as u16),
        4 => u64::from(raw as u32),
        _ => raw,
    }
}

/// The bits that belong to a width, the highest of them taken for a sign.
fn extended(raw: u64, bytes: u8) -> u64 {
    match bytes {
        1 => raw as i8 as u64,
        2 => raw as i16 as u64,
        4 => raw as i32 as u64,
        _ => raw,
    }
}

fn local_time(context: &Context<'_>, nanoseconds: u64) -> crate::output::LocalTime {
    context.environment.local_time((nanoseconds as i64).div_euclid(1_000_000_000))
}

/// A floating point number is recorded as its bytes, or as an integer that holds its bits.
fn as_float(value: &Value) -> Option<f64> {
    match value {
        &Value::Int { raw, bytes: 4, .. } => Some(f64::from(f32::from_bits(raw as u32))),
        &Value::Int { raw, bytes: 8, .. } => Some(f64::from_bits(raw)),
        Value::Bytes(bytes) => match bytes.len() {
            4 => Some(f64::from(f32::from_ne_bytes(bytes.as_slice().try_into().ok()?))),
            8 => Some(f64::from_ne_bytes(bytes.as_slice().try_into().ok()?)),
            10..=16 => x87(bytes),
            _ => None,
        },
        _ => None,
    }
}

/// x86's extended format: 64 bits of mantissa with an explicit leading one, then sign and exponent.
fn x87(bytes: &[u8]) -> Option<f64> {
    let mantissa = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let high = u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?);
    let sign = if high & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(high & 0x7fff);
    if exponent == 0x7fff {
        return Some(if mantissa << 1 == 0 { sign * f64::INFINITY } else { f64::NAN });
    }
    // Two steps, because one power of two of that size may not be a double while the product is.
    let power = exponent - 16_383 - 63;
    Some(sign * mantissa as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2))
}

/// `wchar_t []` as UTF-8, up to the terminating zero.
fn wide(bytes: &[u8]) -> String {
    bytes
        .chunks_exact(4)
        .filter_map(|chunk| Some(u32::from_ne_bytes(chunk.try_into().ok()?)))
        .take_while(|&c| c != 0)
        .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// As a C string constant would have it: `\n`, `\"`, three octal digits for what is not printable ASCII.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        let letter = match byte {
            0 => b'0',
            7 => b'a',
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            11 => b'v',
            12 => b'f',
            b'\r' => b'r',
            b'"' | b'\\' => byte,
            b' '..=b'~' => {
                out.push(byte);
                continue;
            }
            _ => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::{AggFunc, Random};
    use crate::output::{Environment, LocalTime, Settings, Utc};
    use crate::record::{SymValue, UserStack};

    /// Values of every kind.
    pub(crate) fn odd_values(random: &mut Random) -> Vec<Value> {
        (0..random.next() % 5)
            .map(|_| match random.next() % 7 {
                0 => Value::int(random.value()),
                1 => Value::int_of(random.next(), 1 << (random.next() % 4), random.next().is_multiple_of(2)),
                2 => Value::string([0xff, b'%', b'd']),
                3 => Value::Bytes(vec![random.next() as u8; (random.next() % 20) as usize]),
                4 => Value::KStack(vec![random.next(), 0]),
                5 => {
                    Value::UStack(Box::new(UserStack { pid: 1, frames: vec![random.next()], helper: vec![] }))
                }
                _ => Value::Sym(SymValue { kind: SymKind::Umod, pid: 1, addr: random.next() }),
            })
            .collect()
    }

    struct Here;
    impl Environment for Here {
        fn local_time(&self, seconds: i64) -> LocalTime {
            Utc.local_time(seconds)
        }
        fn port_name(&self, port: u16) -> Option<String> {
            (port == 80).then(|| "http".into())
        }
        fn host_name(&self, address: &str) -> Option<String> {
            (address == "127.0.0.1").then(|| "localhost".into())
        }
    }

    fn printf(format: &str, values: &[Value]) -> String {
        let settings = Settings::default();
        let symbols = crate::output::symbol::tests::Table;
        let context = Context { settings: &settings, environment: &Here, symbols: &symbols };
        let mut out = Vec::new();
        Format::parse(format).unwrap().write(&mut out, &context, values);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn integers_print_by_their_own_size_and_sign() {
        assert_eq!(printf("%d", &[Value::uint(u64::MAX)]), "18446744073709551615");
        assert_eq!(printf("%d", &[Value::int_of(u64::MAX, 4, false)]), "4294967295");
        assert_eq!(printf("%d", &[Value::int_of(0xffef, 2, true)]), "-17");
        assert_eq!(
            printf("%x %x", &[Value::int_of(u64::MAX, 4, true), Value::int(-1)]),
            "ffffffff ffffffffffffffff"
        );
        assert_eq!(printf("%u %o", &[Value::int_of(u64::MAX, 1, true), Value::int(8)]), "255 10");
        let signs = |signed| [(); 3].map(|()| Value::int_of(0xffff, 2, signed));
        assert_eq!(printf("%d %i %u", &signs(false)), "65535 -1 65535");
        assert_eq!(printf("%d %i %u", &signs(true)), "-1 -1 65535");
        assert_eq!(printf("%p", &[Value::pointer(0xbeef)]), "beef");
        assert_eq!(
            printf("[%-5d|%05d|%+d|%'d]", &[1, 2, 3, 1_234_567].map(Value::int)),
            "[1    |00002|+3|1234567]"
        );
    }

    #[test]
    fn stars_take_values_of_their_own() {
        let s = Value::string("hello");
        assert_eq!(printf("[%*s]", &[Value::int(7), s.clone()]), "[  hello]");
        assert_eq!(printf("[%*s]", &[Value::int(-7), s.clone()]), "[hello  ]");
        assert_eq!(printf("[%.*s]", &[Value::int(2), s.clone()]), "[he]");
        assert_eq!(printf("[%.*s]", &[Value::int(0), s.clone()]), "[hello]");
        assert_eq!(printf("[%*.*s]", &[Value::int(6), Value::int(1), s]), "[     h]");
    }

    #[test]
    fn characters_and_strings() {
        assert_eq!(printf("%c%5c|%wc", &[Value::int(97), Value::int(98), Value::int(0xe9)]), "a    b|\u{e9}");
        let chars = [b'a', b'\n', 0, b'\t', b'"', 0x1b, 0xff].map(|c| Value::int_of(c.into(), 1, true));
        assert_eq!(printf("%C %C %C %C %C %C %C", &chars), "a \\n \\0 \\t \\\" \\033 \\377");
        assert_eq!(printf("%S", &[Value::string("a\tb\nc\"d\\")]), "a\\tb\\nc\\\"d\\\\");
        assert_eq!(printf("%s|%.2s", &[Value::Bytes(b"ab\0cd".to_vec()), Value::string("xyz")]), "ab|xy");
        let wide = Value::Bytes([0x68u32, 0x20ac, 0, 0x68].iter().flat_map(|c| c.to_ne_bytes()).collect());
        assert_eq!(printf("%ws", &[wide]), "h\u{20ac}");
    }

    #[test]
    fn floats_come_as_bits_or_bytes() {
        let double = Value::uint(2.5f64.to_bits());
        let float = Value::Bytes(0.5f32.to_ne_bytes().to_vec());
        let mut long = 0xa000_0000_0000_0000u64.to_le_bytes().to_vec();
        long.extend([0x00, 0x40, 0, 0, 0, 0, 0, 0]);
        assert_eq!(printf("%.1f %g %Lf", &[double, float, Value::Bytes(long)]), "2.5 0.5 2.500000");
    }

    #[test]
    fn times_ports_and_hosts() {
        let time = Value::int(1_000_000_000_000_000_000);
        assert_eq!(
            printf("%Y|%T", &[time.clone(), time]),
            "2001 Sep  9 01:46:40|Sun, 09 Sep 2001 01:46:40 UTC"
        );
        let port = |n: u16| Value::int_of(n.to_be().into(), 2, false);
        assert_eq!(printf("%P %P", &[port(80), port(81)]), "http 81");
        assert_eq!(printf("%I %I", &[Value::string("127.0.0.1"), Value::string("::1")]), "localhost ::1");
    }

    #[test]
    fn addresses_and_stacks() {
        let stack = Value::KStack(vec![0x1000, 0x1004]);
        assert_eq!(printf("%a", &[Value::pointer(0x1004)]), "vmlinux`schedule+0x4");
        assert_eq!(printf("%k", std::slice::from_ref(&stack)), "\nvmlinux`schedule\nvmlinux`schedule+0x4\n");
        assert_eq!(
            printf("%-3k", std::slice::from_ref(&stack)),
            "\n   vmlinux`schedule\n   vmlinux`schedule+0x4\n"
        );
        assert_eq!(printf("%18k", &[stack]), "\n  vmlinux`schedule\nvmlinux`schedule+0x4\n");
        let usym = Value::Sym(SymValue { kind: SymKind::Usym, pid: 3, addr: 0x1004 });
        assert_eq!(printf("%-25A|", &[usym]), "a.out`schedule+0x4       |");
    }

    #[test]
    fn aggregated_values_may_come_first_and_twice() {
        let settings = Settings::default();
        let context = crate::output::test_context(&settings);
        let cell = |number, normal| Cell { func: AggFunc::Sum, words: vec![number].into(), normal };
        let row = |format: &str, cells: &[Cell<'_>]| {
            let mut out = Vec::new();
            let key = [Value::string("k"), Value::int(7)];
            Format::parse(format).unwrap().write_row(&mut out, &context, &key, cells);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(row("%@d %s %@d", &[cell(5, 1)]), "5 k 5");
        assert_eq!(row("[%-5s|%@8d|%-@6d|%@x]", &[cell(12, 1)]), "[k    |      12|12    |c]");
        assert_eq!(row("%@d %@d %@d %@d", &[cell(1, 1), cell(200, 10), cell(3, 1)]), "1 20 3 3");
        assert_eq!(row("%s %d %@d", &[cell(-9, 2)]), "k 7 -4");
    }
}
