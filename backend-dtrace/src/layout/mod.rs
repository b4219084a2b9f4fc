//! From the library's description of a record to a clause's layout in the typed program.
//!
//! libdtrace says of each part: which action, how large, where. Parts that belong to one call stand together: a
//! printf's arguments (as many as its format takes), a printa's aggregations, `trunc(@a, n)`. The result is the same
//! [`RecordLayout`] that a compiled program has, and a list of moves that turns the library's bytes into that layout.
//! Worker and session both make the plan of a clause: the worker to know which addresses need names.

mod build;
mod stack;
#[cfg(test)]
mod tests;

use crate::wire::Rec;
use build::Builder;
use duotrace_core::ir::{RecordLayout, StackSpec, Ty};
use duotrace_core::output::Format;
pub use stack::StackShape;
use std::ops::Range;

/// What plans depend on besides the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Oracle's library?
    pub oracle: bool,
    /// Number of the first of the library's own actions.
    pub act_base: u64,
    /// `strsize`: which records are strings.
    pub strsize: u32,
}

/// Largest text of the library's own that a record keeps.
const TEXT_ROOM: u32 = 16 << 10;
/// Largest record that is believed.
const MAX_RECORD: u32 = 16 << 20;
/// More frames than any option allows.
const MAX_FRAMES: u32 = 8192;
/// Aggregations that are believed.
pub const MAX_AGGREGATIONS: i64 = 65_536;

/// How a part gets into the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// As it is.
    Copy,
    /// A string: a length before it.
    Text,
    /// A stack, the way the library keeps it.
    Stack(StackShape),
    /// Pid and address: two words on both sides.
    Pair,
    /// What the library printed for the part of this number.
    Printed(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    from: Range<usize>,
    to: usize,
    how: How,
}

/// A clause's layout, and how to fill it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Actions and fields. The formats' numbers are indices into `formats`.
    pub layout: RecordLayout,
    /// Formats of printf and its kin.
    pub formats: Vec<Format>,
    /// Numbers of the aggregations' variables that the clause looks at; they get ids one below.
    pub variables: Vec<i64>,
    /// Does the clause look at (or change) aggregations?
    pub uses_aggregations: bool,
    /// Parts that the library must print: indices of records.
    pub printed: Vec<u32>,
    moves: Vec<Move>,
}

/// An integer of 1, 2, 4 or 8 bytes, sign-extended; 0 where the data ends.
pub fn integer(data: &[u8], offset: usize, size: usize) -> i64 {
    let at = |n: usize| data.get(offset..offset.checked_add(n)?);
    match size {
        1 => at(1).map_or(0, |b| i64::from(b[0] as i8)),
        2 => at(2).and_then(|b| b.try_into().ok()).map_or(0, |b| i64::from(i16::from_ne_bytes(b))),
        4 => at(4).and_then(|b| b.try_into().ok()).map_or(0, |b| i64::from(i32::from_ne_bytes(b))),
        8 => at(8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_ne_bytes),
        _ => 0,
    }
}

fn word(data: &[u8], offset: usize) -> u64 {
    integer(data, offset, 8) as u64
}

fn half(data: &[u8], offset: usize) -> u32 {
    integer(data, offset, 4) as u32
}

impl Plan {
    /// The plan of a clause. `data` is its first record: numbers of aggregations stand there.
    pub fn new(recs: &[Rec], data: &[u8], dialect: Dialect) -> Plan {
        let mut builder = Builder { recs, data, dialect, plan: Plan::default(), size: 0 };
        let mut at = 0;
        while at < recs.len() {
            at += builder.action(at).max(1);
        }
        builder.plan.layout.size = builder.size;
        builder.plan
    }

    /// The record of a firing: the library's bytes in the plan's layout.
    pub fn encode(&self, data: &[u8], texts: &[(u32, Vec<u8>)], out: &mut Vec<u8>) {
        out.clear();
        for step in &self.moves {
            let start = step.from.start.min(data.len());
            let from = &data[start..step.from.end.clamp(start, data.len())];
            match step.how {
                How::Copy | How::Pair => put(out, step.to, from),
                How::Text => {
                    let end = from.iter().position(|&b| b == 0).unwrap_or(from.len());
                    put(out, step.to, &(end as u64).to_ne_bytes());
                    put(out, step.to + 8, &from[..end]);
                }
                How::Stack(shape) => {
                    let stack = shape.read(from);
                    put(out, step.to, &(stack.frames.len() as u64).to_ne_bytes());
                    let mut to = step.to + 8;
                    // The field's type says whether there is a pid: see `stack_field`.
                    if self.is_user_stack(step.to) {
                        put(out, to, &u64::from(stack.pid).to_ne_bytes());
                        to += 8;
                    }
                    for (index, pc) in stack.frames.iter().enumerate() {
                        put(out, to + index * 8, &pc.to_ne_bytes());
                    }
                }
                How::Printed(index) => {
                    let text = texts.iter().find(|(at, _)| *at == index).map_or(&[][..], |(_, text)| text);
                    let text = &text[..text.len().min(TEXT_ROOM as usize)];
                    put(out, step.to, &(text.len() as u64).to_ne_bytes());
                    put(out, step.to + 8, text);
                }
            }
        }
    }

    fn is_user_stack(&self, to: usize) -> bool {
        self.layout.fields.iter().any(|field| {
            field.offset as usize == to && matches!(field.ty, Ty::Stack(StackSpec { user: true, .. }))
        })
    }

    /// The addresses in a record that have names: of a process, or of the kernel.
    pub fn addresses(&self, data: &[u8], mut found: impl FnMut(Option<u32>, u64)) {
        for (step, field) in self.moves.iter().zip(&self.layout.fields) {
            let start = step.from.start.min(data.len());
            let from = &data[start..step.from.end.clamp(start, data.len())];
            match (step.how, field.ty) {
                (How::Stack(shape), _) => {
                    let stack = shape.read(from);
                    let pid = stack.user.then_some(stack.pid);
                    stack.frames.iter().for_each(|pc| found(pid, *pc));
                }
                (How::Pair, _) => found(Some(word(from, 0) as u32), word(from, 8)),
                (_, Ty::Symbol(_)) => found(None, word(from, 0)),
                _ => {}
            }
        }
    }
}

/// Writes bytes at an offset, zeros before them if need be.
fn put(out: &mut Vec<u8>, to: usize, bytes: &[u8]) {
    let end = to + bytes.len();
    if out.len() < end {
        out.resize(end, 0);
    }
    out[to..end].copy_from_slice(bytes);
}

/// Is a value of this size a string? The library gives strings `strsize` bytes, or one more.
pub fn is_string(size: u32, strsize: u32) -> bool {
    size > 8 && (size == strsize || size == strsize.saturating_add(1))
}
