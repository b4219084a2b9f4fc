//! Recordings: the file format of `docs/trace-format.md`.
//!
//! `chunk` frames and checks pieces of the file, `wire` numbers and strings within
//! them, `schema` says what is known of each probe's events, `index` where they are, `types` what the kernel's types are, `writer` and `reader`
//! turn events into bytes and back. The reader takes a stream, keeps one chunk in
//! memory, and trusts nothing.

mod chunk;
mod crc;
#[cfg(test)]
mod fuzz;
mod index;
mod reader;
mod schema;
mod types;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use index::{Entry, Window};
pub use reader::{Item, Overview, Reader, skim};
pub use schema::{Field, Schema, builtin_name, builtin_named};
pub use types::{Answer, Node, NodeMember};
pub use writer::Writer;

use std::fmt;

/// The first bytes of a recording. The high bit and the line ends show what a careless copy did to it.
pub const MAGIC: [u8; 8] = *b"\x89DTR\r\n\x1a\n";

/// What this program writes; files of another major version are refused.
pub const VERSION: (u16, u16) = (1, 0);

/// What is known of the machine that was traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Most significant byte first?
    pub big_endian: bool,
    /// Bytes of a pointer, 4 or 8.
    pub pointer: u8,
    /// Wall clock minus monotonic clock, ns.
    pub wall: i64,
}

impl Machine {
    /// The machine this program runs on.
    pub fn here(wall: i64) -> Machine {
        Machine { big_endian: cfg!(target_endian = "big"), pointer: size_of::<usize>() as u8, wall }
    }
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileError {
    /// The system could not read or write it.
    Io(std::io::Error),
    /// It is no recording, or a future one, or damaged: one line that says where.
    Bad(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => error.fmt(f),
            FileError::Bad(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for FileError {}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> FileError {
        FileError::Io(error)
    }
}

/// What was lost while recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// In words: `principal buffer drops`.
    pub what: String,
    pub count: u64,
}
