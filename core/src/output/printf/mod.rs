//! Format strings: parsed once, checked against argument types, then printed.
//!
//! [`CONVERSIONS`] is the one table of conversions: the parser looks names up in
//! it, the checker reads what each accepts, printing reads how each is written.

mod check;
mod parse;
mod source;
mod write;

pub use check::{Arg, ArgType, Call};

use super::number::{Base, Spec};
use crate::diagnostic::Tag;
use std::fmt;

/// A parsed format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    parts: Vec<Part>,
}

/// Literal text, or a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Conversion(Box<Conversion>),
}

/// One conversion of a format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Its number in the format string, from 1, as messages count: `%%` counts too.
    pub number: usize,
    /// Its row in the table.
    pub row: &'static Row,
    /// `@`: takes the value of an aggregation.
    pub aggregation: bool,
    /// `*`: the width is an argument.
    pub dynamic_width: bool,
    /// `.*`: the precision is an argument.
    pub dynamic_precision: bool,
    /// Flags, and the width and precision that stand in the format.
    spec: Spec,
}

/// What is wrong with a format string or its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// The error tag.
    pub tag: Tag,
    /// dtrace's message; some have several lines.
    pub message: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One row of the table of conversions.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Name with its size prefix: `d`, `lld`, `Y`.
    pub name: &'static str,
    /// How a message describes what it accepts.
    pub prototype: &'static str,
    /// What it accepts.
    accepts: Accepts,
    /// How it is written.
    style: Style,
}

/// Which arguments a conversion accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepts {
    /// Nothing: `%%`.
    Nothing,
    /// Any integer or enumeration.
    Integer,
    /// An integer of up to 4 bytes.
    SmallInteger,
    /// An integer of that many bytes and, if given, that sign.
    Exactly { bytes: u8, signed: Option<bool> },
    /// A floating point number.
    Float,
    /// A floating point number of 16 bytes.
    LongDouble,
    /// A pointer or an integer.
    Address,
    /// The same, or `sym()` and its kin.
    KernelAddress,
    /// The same, or `usym()` and its kin.
    UserAddress,
    /// A stack.
    Stack,
    /// A string or an array of char.
    Text,
    /// An array of wide characters.
    WideText,
}

/// How a conversion is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Percent,
    /// Signed where the argument is, else unsigned.
    Decimal,
    /// Signed whatever the argument is (illumos' tst.signs; Oracle takes `%i` for `%d`).
    Signed,
    Integer(Base),
    Char,
    WideChar,
    EscapedChar,
    Float(u8),
    Text,
    EscapedText,
    WideText,
    KernelAddress,
    UserAddress,
    Stack,
    Time,
    Time822,
    Port,
    Host,
}

const ANY_INTEGER: &str = "char, short, int, long, or long long";
const SMALL_INTEGER: &str = "char, short, or int";
const FLOAT: &str = "float, double, or long double";
const ADDRESS: &str = "pointer or integer";
const TEXT: &str = "char [] or string (or use stringof)";
const WIDE_TEXT: &str = "wchar_t []";
const USER_ADDRESS: &str = "pointer or integer (with -p/-c) or _usymaddr (without -p/-c)";

const fn row(name: &'static str, prototype: &'static str, accepts: Accepts, style: Style) -> Row {
    Row { name, prototype, accepts, style }
}

const fn sized(name: &'static str, prototype: &'static str, bytes: u8, signed: bool, style: Style) -> Row {
    row(name, prototype, Accepts::Exactly { bytes, signed: Some(signed) }, style)
}

const fn hex(name: &'static str, prototype: &'static str, bytes: u8, base: Base) -> Row {
    row(name, prototype, Accepts::Exactly { bytes, signed: None }, Style::Integer(base))
}

/// Every conversion. As in dtrace, a name with a size prefix accepts that size only;
/// without one, any size is printed as the argument's own.
pub static CONVERSIONS: &[Row] = &[
    row("%", "void", Accepts::Nothing, Style::Percent),
    row("a", ADDRESS, Accepts::KernelAddress, Style::KernelAddress),
    row("A", USER_ADDRESS, Accepts::UserAddress, Style::UserAddress),
    row("c", SMALL_INTEGER, Accepts::SmallInteger, Style::Char),
    row("C", SMALL_INTEGER, Accepts::SmallInteger, Style::EscapedChar),
    row("d", ANY_INTEGER, Accepts::Integer, Style::Decimal),
    row("i", ANY_INTEGER, Accepts::Integer, Style::Signed),
    row("o", ANY_INTEGER, Accepts::Integer, Style::Integer(Base::Octal)),
    row("u", ANY_INTEGER, Accepts::Integer, Style::Integer(Base::Unsigned)),
    row("x", ANY_INTEGER, Accepts::Integer, Style::Integer(Base::Hex)),
    row("X", ANY_INTEGER, Accepts::Integer, Style::Integer(Base::UpperHex)),
    row("p", ADDRESS, Accepts::Address, Style::Integer(Base::Hex)),
    row("e", FLOAT, Accepts::Float, Style::Float(b'e')),
    row("E", FLOAT, Accepts::Float, Style::Float(b'E')),
    row("f", FLOAT, Accepts::Float, Style::Float(b'f')),
    row("g", FLOAT, Accepts::Float, Style::Float(b'g')),
    row("G", FLOAT, Accepts::Float, Style::Float(b'G')),
    sized("hd", "short", 2, true, Style::Decimal),
    sized("hi", "short", 2, true, Style::Decimal),
    sized("ho", "unsigned short", 2, false, Style::Integer(Base::Octal)),
    sized("hu", "unsigned short", 2, false, Style::Integer(Base::Unsigned)),
    hex("hx", "short", 2, Base::Hex),
    hex("hX", "short", 2, Base::UpperHex),
    sized("ld", "long", 8, true, Style::Decimal),
    sized("li", "long", 8, true, Style::Decimal),
    sized("lo", "unsigned long", 8, false, Style::Integer(Base::Octal)),
    sized("lu", "unsigned long", 8, false, Style::Integer(Base::Unsigned)),
    hex("lx", "long", 8, Base::Hex),
    hex("lX", "long", 8, Base::UpperHex),
    sized("lld", "long long", 8, true, Style::Decimal),
    sized("lli", "long long", 8, true, Style::Decimal),
    sized("llo", "unsigned long long", 8, false, Style::Integer(Base::Octal)),
    sized("llu", "unsigned long long", 8, false, Style::Integer(Base::Unsigned)),
    hex("llx", "long long", 8, Base::Hex),
    hex("llX", "long long", 8, Base::UpperHex),
    row("Le", "long double", Accepts::LongDouble, Style::Float(b'e')),
    row("LE", "long double", Accepts::LongDouble, Style::Float(b'E')),
    row("Lf", "long double", Accepts::LongDouble, Style::Float(b'f')),
    row("Lg", "long double", Accepts::LongDouble, Style::Float(b'g')),
    row("LG", "long double", Accepts::LongDouble, Style::Float(b'G')),
    sized("lc", "int", 4, true, Style::WideChar),
    sized("wc", "int", 4, true, Style::WideChar),
    row("ls", WIDE_TEXT, Accepts::WideText, Style::WideText),
    row("ws", WIDE_TEXT, Accepts::WideText, Style::WideText),
    row("k", "stack", Accepts::Stack, Style::Stack),
    row("s", TEXT, Accepts::Text, Style::Text),
    row("S", TEXT, Accepts::Text, Style::EscapedText),
    row("I", TEXT, Accepts::Text, Style::Host),
    row("P", "uint16_t", Accepts::Exactly { bytes: 2, signed: None }, Style::Port),
    row("T", "int64_t", Accepts::Exactly { bytes: 8, signed: None }, Style::Time822),
    row("Y", "int64_t", Accepts::Exactly { bytes: 8, signed: None }, Style::Time),
];

impl Format {
    /// A format without text or conversions: `freopen("")`.
    pub fn empty() -> Format {
        Format { parts: Vec::new() }
    }

    /// The conversions, `%%` not among them.
    pub fn conversions(&self) -> impl Iterator<Item = &Conversion> {
        self.parts.iter().filter_map(|part| match part {
            Part::Conversion(c) if c.row.style != Style::Percent => Some(c.as_ref()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, row) in CONVERSIONS.iter().enumerate() {
            assert!(CONVERSIONS[i + 1..].iter().all(|other| other.name != row.name), "%{}", row.name);
        }
    }
}
