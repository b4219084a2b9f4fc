//! What is known of a probe: its names, the types of its arguments, the values its events carry.

use super::FileError;
use super::wire::{Cursor, put, put_bytes};
use duotrace_core::builtins::variables::{Source, VARIABLES};
use duotrace_core::ir::{Builtin, Space};
use duotrace_core::probe::{Probe, ProbeArg, ProbeId};

/// A value that every event of a probe carries, after probe, time, cpu, pid and tid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// A built-in variable that is a number.
    Number(Builtin),
    /// A built-in variable that is a string.
    Text(Builtin),
    Arg(u32),
    Register(u32),
    /// A kernel (`false`) or user stack.
    Stack(bool),
    /// The memory that was read, piece by piece.
    Memory,
    /// Answers of subroutines that ask the system.
    Answers,
    /// Those that are strings.
    TextAnswers,
    /// Values that variables of the script had when it read them.
    Reads,
    /// A built-in variable that this program does not know: is it a string?
    Unknown(bool),
}

/// A probe of a recording.
#[derive(Clone, Debug)]
pub struct Schema {
    pub probe: Probe,
    pub fields: Vec<Field>,
}

/// The D name of a built-in variable.
pub fn builtin_name(builtin: Builtin) -> &'static str {
    VARIABLES
        .iter()
        .find(|row| matches!(row.source, Source::Builtin(which) if which == builtin))
        .map_or("", |row| row.name)
}

/// The built-in variable of a D name.
pub fn builtin_named(name: &str) -> Option<Builtin> {
    VARIABLES.iter().find(|row| row.name == name).and_then(|row| match row.source {
        Source::Builtin(builtin) => Some(builtin),
        Source::Arg(_) => None,
    })
}

const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const ARG: u8 = 3;
const REGISTER: u8 = 4;
const STACK: u8 = 5;
const MEMORY: u8 = 6;
const ANSWERS: u8 = 7;
const READS: u8 = 8;
const TEXT_ANSWERS: u8 = 9;

/// Probes and fields that a file may have.
const MOST_FIELDS: u64 = 4096;

impl Schema {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(out, u64::from(self.probe.id.0));
        let probe = &self.probe;
        for name in [&probe.provider, &probe.module, &probe.function, &probe.name] {
            put_bytes(out, name.as_bytes());
        }
        match &probe.args {
            None => put(out, 0),
            Some(args) => {
                put(out, args.len() as u64 + 1);
                for arg in args {
                    put_bytes(out, arg.ty.as_bytes());
                    put_bytes(out, arg.native.as_deref().unwrap_or("").as_bytes());
                    put(out, u64::from(arg.from));
                }
            }
        }
        put(out, self.fields.len() as u64);
        for field in &self.fields {
            match field {
                Field::Number(builtin) => {
                    out.push(NUMBER);
                    put_bytes(out, builtin_name(*builtin).as_bytes());
                }
                Field::Text(builtin) => {
                    out.push(TEXT);
                    put_bytes(out, builtin_name(*builtin).as_bytes());
                }
                Field::Unknown(text) => {
                    out.push(if *text { TEXT } else { NUMBER });
                    put_bytes(out, b"");
                }
                Field::Arg(n) => {
                    out.push(ARG);
                    put(out, u64::from(*n));
                }
                Field::Register(n) => {
                    out.push(REGISTER);
                    put(out, u64::from(*n));
                }
                Field::Stack(user) => out.extend([STACK, u8::from(*user)]),
                Field::Memory => out.push(MEMORY),
                Field::Answers => out.push(ANSWERS),
                Field::TextAnswers => out.push(TEXT_ANSWERS),
                Field::Reads => out.push(READS),
            }
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Schema, FileError> {
        let id = ProbeId(cursor.small()?);
        let (provider, module) = (cursor.text()?, cursor.text()?);
        let (function, name) = (cursor.text()?, cursor.text()?);
        let count = cursor.number()?;
        if count > MOST_FIELDS {
            return cursor.bad("a probe has too many arguments");
        }
        let args = match count.checked_sub(1) {
            None => None,
            Some(count) => {
                let mut args = Vec::new();
                for _ in 0..count {
                    let (ty, native) = (cursor.text()?, cursor.text()?);
                    let native = (!native.is_empty()).then_some(native);
                    args.push(ProbeArg { ty, native, from: cursor.small()? });
                }
                Some(args)
            }
        };
        let count = cursor.number()?;
        if count > MOST_FIELDS {
            return cursor.bad("a probe has too many fields");
        }
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push(match cursor.byte()? {
                NUMBER => builtin_named(&cursor.text()?).map_or(Field::Unknown(false), Field::Number),
                TEXT => builtin_named(&cursor.text()?).map_or(Field::Unknown(true), Field::Text),
                ARG => Field::Arg(cursor.small()?),
                REGISTER => Field::Register(cursor.small()?),
                STACK => Field::Stack(cursor.byte()? != 0),
                MEMORY => Field::Memory,
                ANSWERS => Field::Answers,
                TEXT_ANSWERS => Field::TextAnswers,
                READS => Field::Reads,
                _ => return cursor.bad("a field of an unknown kind"),
            });
        }
        Ok(Schema { probe: Probe { id, provider, module, function, name, args }, fields })
    }
}

pub(super) fn space_number(space: Space) -> u8 {
    match space {
        Space::Any => 0,
        Space::User => 1,
    }
}
