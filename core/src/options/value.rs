//! Values of options: sizes, rates, words.

use super::Value;
use super::table::Kind;
use std::fmt;

/// Why an option was not set; the texts are dtrace's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError {
    UnknownName,
    BadValue,
    NotFromPragma,
    /// A version of the language that is not known.
    Unsupported,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OptionError::UnknownName => "Invalid option name",
            OptionError::BadValue => "Invalid value for specified option",
            OptionError::Unsupported => "Operation not supported",
            OptionError::NotFromPragma => {
                "Option cannot be set from a pragma: it belongs on the command line"
            }
        })
    }
}

/// The newest version of the language: `-x version` may ask for older ones.
const NEWEST: &[u32] = &[2, 0, u32::MAX];

/// Reads a value as an option's kind demands.
pub(super) fn parse(kind: &Kind, value: Option<&str>) -> Result<Value, OptionError> {
    let bad = OptionError::BadValue;
    match (kind, value) {
        (Kind::Flag, None) => Ok(Value::Flag(true)),
        (Kind::Flag, Some(text)) => flag(text).map(Value::Flag).ok_or(bad),
        (Kind::Size(range), Some(text)) => {
            let n = size(text).ok_or(bad)?;
            if range.contains(&n) { Ok(Value::Number(n)) } else { Err(bad) }
        }
        (Kind::Number(range), Some(text)) => {
            let n = integer(text).ok_or(bad)?;
            if range.contains(&n) { Ok(Value::Number(n)) } else { Err(bad) }
        }
        (Kind::Percent, Some(text)) => {
            let n = integer(text.strip_suffix('%').unwrap_or(text)).ok_or(bad)?;
            if n > 0 { Ok(Value::Number(n)) } else { Err(bad) }
        }
        (Kind::Rate, Some(text)) => rate(text).map(Value::Number).ok_or(bad),
        (Kind::Cpu, Some("all" | "*" | "-1")) => Ok(Value::Number(u64::MAX)),
        (Kind::Cpu, Some(text)) => text.parse::<u32>().map(|n| Value::Number(n as u64)).map_err(|_| bad),
        (Kind::Word(words), Some(text)) if words.contains(&text) => Ok(Value::Text(text.to_string())),
        (Kind::Word(_), Some(_)) => Err(bad),
        (Kind::OptionalWord, text) => Ok(Value::Text(text.unwrap_or("").to_string())),
        (Kind::Attributes, Some(text)) => {
            let known = crate::sema::stability::Attributes::parse(text).is_some();
            if known { Ok(Value::Text(text.to_string())) } else { Err(bad) }
        }
        (Kind::Version, Some(text)) => {
            let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
            match parts.filter(|parts| (2..=3).contains(&parts.len())) {
                Some(parts) if parts.as_slice() <= NEWEST => Ok(Value::Text(text.to_string())),
                Some(_) => Err(OptionError::Unsupported),
                None => Err(bad),
            }
        }
        (Kind::Text, Some(text)) => Ok(Value::Text(text.to_string())),
        (Kind::List, Some(text)) => Ok(Value::List(vec![text.to_string()])),
        // Sorting by "the key" without saying which: the first.
        (Kind::Number(_), None) => Ok(Value::Number(0)),
        (_, None) => Err(bad),
    }
}

/// What turns a flag on and what off, in any case of letters.
const COUPLES: &[(&str, &str)] = &[
    ("yes", "no"),
    ("enable", "disable"),
    ("enabled", "disabled"),
    ("true", "false"),
    ("on", "off"),
    ("set", "unset"),
];

/// A word for on or off; nothing unsets the option, and a number sets it unless it is 0.
fn flag(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match COUPLES.iter().find(|(on, off)| is(on) || is(off)) {
        Some((on, _)) => Some(is(on)),
        None if text.is_empty() => Some(false),
        None => integer(text).map(|n| n != 0),
    }
}

/// `16`, `0x10`, `64k`, `4m`, `1g`, `1t`.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (digits, suffix) = if text.starts_with("0x") { (text, "") } else { text.split_at(digits.len()) };
    let shift = match suffix.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    integer(digits)?.checked_mul(1u64 << shift)
}

fn integer(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

const SECOND: u64 = 1_000_000_000;

/// Suffixes of a [`rate`] and their nanoseconds; `hz` is the one that is a frequency.
const RATE_UNITS: [(&str, u64); 15] = [
    ("ns", 1),
    ("nsec", 1),
    ("us", 1_000),
    ("usec", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("hour", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
    ("day", 86_400 * SECOND),
    ("hz", 0),
];

/// `10ms`, `1s`, `50hz`; a bare number is a frequency. An interval in nanoseconds, as options have it, and the names of
/// `profile-` and `tick-` probes.
pub fn rate(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let n: u64 = digits.parse().ok().filter(|n| *n > 0)?;
    let unit = if unit.is_empty() { "hz" } else { unit };
    match RATE_UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))? {
        (_, 0) => Some(SECOND / n).filter(|period| *period > 0),
        (_, each) => n.checked_mul(*each),
    }
}

/// The suffixes that a [`rate`] may have.
pub fn rate_units() -> impl Iterator<Item = &'static str> {
    RATE_UNITS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(size("64k"), Some(65536));
        assert_eq!(size("12q"), None);
        assert_eq!(rate("50hz"), Some(20_000_000));
        assert_eq!(rate("20ms"), Some(20_000_000));
        assert_eq!(rate("0"), None);
    }

    #[test]
    fn flags() {
        for on in ["yes", "Enabled", "TRUE", "on", "set", "1", "2"] {
            assert_eq!(flag(on), Some(true), "{on}");
        }
        for off in ["no", "disable", "False", "off", "unset", "0", ""] {
            assert_eq!(flag(off), Some(false), "{off}");
        }
        assert_eq!(flag("maybe"), None);
    }
}
