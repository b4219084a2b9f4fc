//! `-x` options: one row each in `table`, one set of values.
//!
//! Names, units and limits are dtrace(1M)'s; see each row's doc line.

mod table;
mod value;

pub use table::{OPTIONS, Row, opt};
pub use value::{OptionError, rate, rate_units};

use std::collections::BTreeMap;

/// One option: an index into [`OPTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opt(pub(crate) usize);

/// A value that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<String>),
}

/// The values of all options of a run; what was not given has its default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    given: BTreeMap<Opt, Value>,
}

impl Options {
    /// All defaults.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets an option by name as `-x name[=value]` does.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), OptionError> {
        let index = OPTIONS.iter().position(|row| row.name == name).ok_or(OptionError::UnknownName)?;
        let parsed = value::parse(&OPTIONS[index].kind, value)?;
        match (parsed, self.given.get_mut(&Opt(index))) {
            (Value::List(more), Some(Value::List(list))) => list.extend(more),
            (parsed, _) => {
                self.given.insert(Opt(index), parsed);
            }
        }
        Ok(())
    }

    /// Sets an option as `#pragma D option` does: some may only be set on the command line.
    pub fn set_from_pragma(&mut self, name: &str, value: Option<&str>) -> Result<(), OptionError> {
        match OPTIONS.iter().find(|row| row.name == name) {
            Some(row) if !row.pragma => Err(OptionError::NotFromPragma),
            _ => self.set(name, value),
        }
    }

    /// Was the option given?
    pub fn is_set(&self, option: Opt) -> bool {
        self.given.contains_key(&option)
    }

    /// Is the flag on?
    pub fn flag(&self, option: Opt) -> bool {
        match self.given.get(&option) {
            Some(Value::Flag(on)) => *on,
            Some(_) => true,
            None => OPTIONS[option.0].default != 0 && matches!(OPTIONS[option.0].kind, table::Kind::Flag),
        }
    }

    /// A size, count or number; for rates the interval in nanoseconds.
    pub fn number(&self, option: Opt) -> u64 {
        match self.given.get(&option) {
            Some(Value::Number(n)) => *n,
            Some(Value::Flag(on)) => *on as u64,
            _ => OPTIONS[option.0].default,
        }
    }

    /// A rate, as an interval in nanoseconds.
    pub fn nanos(&self, option: Opt) -> u64 {
        self.number(option)
    }

    /// A word or path, if it was given.
    pub fn text(&self, option: Opt) -> Option<&str> {
        match self.given.get(&option) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::List(list)) => list.last().map(String::as_str),
            _ => None,
        }
    }

    /// Everything given for an option that may stand several times.
    pub fn list(&self, option: Opt) -> &[String] {
        match self.given.get(&option) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }
}
