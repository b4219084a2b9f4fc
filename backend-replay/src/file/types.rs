//! What the traced kernel's types and symbols are, as far as the script's compiler asked: so that a recording compiles
//! where that kernel is not.

use super::FileError;
use super::wire::{Cursor, put, put_bytes, put_signed};

/// Types of all answers, and members and constants of all types, that a file may have.
const MOST: usize = 1 << 18;

/// An answer to a question of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `struct task_struct`, `pid_t`; for a symbol `module` and a back quote before its name, if it was asked so.
    pub name: String,
    /// The address of a symbol; `None` is a type.
    pub address: Option<u64>,
    /// Which of `nodes` is the answer; a symbol may have none.
    pub root: Option<u32>,
    /// Types by number.
    pub nodes: Vec<Node>,
}

/// A type; others are meant by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A basic type by its name in C or D.
    Basic(String),
    Pointer(u32),
    Array(u32, u64),
    Composite {
        union: bool,
        tag: String,
        size: u32,
        align: u32,
        /// `None`: it is only named here.
        members: Option<Vec<NodeMember>>,
    },
    Enum {
        tag: String,
        bytes: u8,
        signed: bool,
        names: Option<Vec<(String, i64)>>,
    },
    Typedef(String, u32),
    /// 0 const, 1 volatile, 2 restrict, 3 userland.
    Qualified(u8, u32),
    Function {
        ret: u32,
        params: Vec<u32>,
        varargs: bool,
    },
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMember {
    pub name: String,
    pub ty: u32,
    pub offset: u32,
    /// Bit-field: shift and width.
    pub bits: Option<(u8, u8)>,
}

const BASIC: u8 = 0;
const POINTER: u8 = 1;
const ARRAY: u8 = 2;
const COMPOSITE: u8 = 3;
const ENUM: u8 = 4;
const TYPEDEF: u8 = 5;
const QUALIFIED: u8 = 6;
const FUNCTION: u8 = 7;

/// A number, or that there is none.
fn put_maybe(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => {
            out.push(1);
            put(out, value);
        }
        None => out.push(0),
    }
}

impl Answer {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.name.as_bytes());
        put_maybe(out, self.address);
        put_maybe(out, self.root.map(u64::from));
        put(out, self.nodes.len() as u64);
        for node in &self.nodes {
            node.write(out);
        }
    }
}

impl Node {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Node::Basic(name) => {
                out.push(BASIC);
                put_bytes(out, name.as_bytes());
            }
            Node::Pointer(to) => {
                out.push(POINTER);
                put(out, u64::from(*to));
            }
            Node::Array(of, len) => {
                out.push(ARRAY);
                put(out, u64::from(*of));
                put(out, *len);
            }
            Node::Composite { union, tag, size, align, members } => {
                out.extend([COMPOSITE, u8::from(*union)]);
                put_bytes(out, tag.as_bytes());
                put(out, u64::from(*size));
                put(out, u64::from(*align));
                put_maybe(out, members.as_ref().map(|members| members.len() as u64));
                for member in members.iter().flatten() {
                    put_bytes(out, member.name.as_bytes());
                    put(out, u64::from(member.ty));
                    put(out, u64::from(member.offset));
                    match member.bits {
                        Some((shift, width)) => out.extend([1, shift, width]),
                        None => out.push(0),
                    }
                }
            }
            Node::Enum { tag, bytes, signed, names } => {
                out.push(ENUM);
                put_bytes(out, tag.as_bytes());
                out.extend([*bytes, u8::from(*signed)]);
                put_maybe(out, names.as_ref().map(|names| names.len() as u64));
                for (name, value) in names.iter().flatten() {
                    put_bytes(out, name.as_bytes());
                    put_signed(out, *value);
                }
            }
            Node::Typedef(name, to) => {
                out.push(TYPEDEF);
                put_bytes(out, name.as_bytes());
                put(out, u64::from(*to));
            }
            Node::Qualified(qualifier, to) => {
                out.extend([QUALIFIED, *qualifier]);
                put(out, u64::from(*to));
            }
            Node::Function { ret, params, varargs } => {
                out.extend([FUNCTION, u8::from(*varargs)]);
                put(out, u64::from(*ret));
                put(out, params.len() as u64);
                params.iter().for_each(|param| put(out, u64::from(*param)));
            }
        }
    }
}

/// Reads answers, and counts what they hold against the file's limit.
pub(super) fn read(cursor: &mut Cursor<'_>, held: &mut usize) -> Result<Vec<Answer>, FileError> {
    let mut answers = Vec::new();
    while !cursor.is_empty() {
        let (name, address) = (cursor.text()?, maybe(cursor)?);
        let root = match cursor.byte()? {
            0 => None,
            _ => Some(cursor.small()?),
        };
        let mut nodes = Vec::new();
        for _ in 0..count(cursor, held)? {
            nodes.push(node(cursor, held)?);
        }
        *held += 1;
        answers.push(Answer { name, address, root, nodes });
    }
    Ok(answers)
}

fn maybe(cursor: &mut Cursor<'_>) -> Result<Option<u64>, FileError> {
    Ok(match cursor.byte()? {
        0 => None,
        _ => Some(cursor.number()?),
    })
}

/// How many of something follow.
fn count(cursor: &mut Cursor<'_>, held: &mut usize) -> Result<u64, FileError> {
    let count = cursor.number()?;
    *held = held.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
    if *held > MOST { cursor.bad("too many types") } else { Ok(count) }
}

fn node(cursor: &mut Cursor<'_>, held: &mut usize) -> Result<Node, FileError> {
    Ok(match cursor.byte()? {
        BASIC => Node::Basic(cursor.text()?),
        POINTER => Node::Pointer(cursor.small()?),
        ARRAY => Node::Array(cursor.small()?, cursor.number()?),
        COMPOSITE => {
            let (union, tag) = (cursor.byte()? != 0, cursor.text()?);
            let (size, align) = (cursor.small()?, cursor.small()?);
            let mut members = None;
            if cursor.byte()? != 0 {
                let mut list = Vec::new();
                for _ in 0..count(cursor, held)? {
                    let (name, ty, offset) = (cursor.text()?, cursor.small()?, cursor.small()?);
                    let bits = match cursor.byte()? {
                        0 => None,
                        _ => Some((cursor.byte()?, cursor.byte()?)),
                    };
                    list.push(NodeMember { name, ty, offset, bits });
                }
                members = Some(list);
            }
            Node::Composite { union, tag, size, align, members }
        }
        ENUM => {
            let (tag, bytes, signed) = (cursor.text()?, cursor.byte()?, cursor.byte()? != 0);
            let mut names = None;
            if cursor.byte()? != 0 {
                let mut list = Vec::new();
                for _ in 0..count(cursor, held)? {
                    list.push((cursor.text()?, cursor.signed()?));
                }
                names = Some(list);
            }
            Node::Enum { tag, bytes, signed, names }
        }
        TYPEDEF => Node::Typedef(cursor.text()?, cursor.small()?),
        QUALIFIED => Node::Qualified(cursor.byte()?, cursor.small()?),
        FUNCTION => {
            let (varargs, ret) = (cursor.byte()? != 0, cursor.small()?);
            let mut params = Vec::new();
            for _ in 0..count(cursor, held)? {
                params.push(cursor.small()?);
            }
            Node::Function { ret, params, varargs }
        }
        _ => return cursor.bad("a type of an unknown kind"),
    })
}
