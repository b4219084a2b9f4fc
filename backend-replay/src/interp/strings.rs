//! String expressions. A D string has at most `strsize - 1` bytes, or is NULL.

use super::{Firing, Halt, Res};
use crate::event::ReadValue;
use duotrace_core::ir::{Expr, ExprKind, Fault, Place, Ty};

/// A D string. Its memory is used again: see [`Firing::buffer`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Str {
    null: bool,
    bytes: Vec<u8>,
}

impl Str {
    pub fn null() -> Str {
        Str { null: true, bytes: Vec::new() }
    }

    pub fn is_null(&self) -> bool {
        self.null
    }

    pub fn set_null(&mut self) {
        self.null = true;
        self.bytes.clear();
    }

    /// The text; NULL is below every other one.
    pub fn as_option(&self) -> Option<&[u8]> {
        (!self.null).then_some(&self.bytes)
    }

    /// The text; NULL is empty.
    pub fn text(&self) -> &[u8] {
        &self.bytes
    }

    pub fn set(&mut self, text: &[u8]) {
        self.null = false;
        self.bytes.clear();
        self.bytes.extend_from_slice(text);
    }

    pub fn copy(&mut self, from: &Str) {
        self.null = from.null;
        self.bytes.clear();
        self.bytes.extend_from_slice(&from.bytes);
    }
}

impl<'a> Firing<'a> {
    /// An empty string that has memory from earlier ones.
    pub(super) fn buffer(&mut self) -> Str {
        let mut buffer = self.machine.buffers.pop().unwrap_or_default();
        buffer.null = false;
        buffer.bytes.clear();
        buffer
    }

    /// Gives a string's memory back.
    pub(super) fn give_back(&mut self, text: Str) {
        if self.machine.buffers.len() < 16 {
            self.machine.buffers.push(text);
        }
    }

    /// A string of these bytes, cut at the string size.
    pub(super) fn made(&mut self, text: &[u8]) -> Str {
        let mut out = self.buffer();
        out.set(text.get(..self.strsize - 1).unwrap_or(text));
        out
    }

    /// The value of a string expression.
    pub(super) fn string(&mut self, expr: &'a Expr) -> Res<Str> {
        Ok(match &expr.kind {
            ExprKind::StrConst(text) => self.made(text),
            ExprKind::StrNull => Str::null(),
            ExprKind::Builtin(builtin) => self.builtin_string(*builtin)?,
            ExprKind::Read(place) => self.read_string(place)?,
            ExprKind::LoadStr { addr, space, max } => {
                let mut limit = self.strsize;
                if let Some(max) = max {
                    let asked = match max.kind {
                        ExprKind::Const(n) => n.max(1) as u32 as u64,
                        _ => self.scalar(max)?,
                    };
                    limit = limit.min(usize::try_from(asked).unwrap_or(limit));
                }
                let address = self.scalar(addr)?;
                let mut out = self.buffer();
                out.set(self.memory_string(address, *space, limit)?);
                out
            }
            ExprKind::StrOfBytes(of) => {
                let bytes = self.bytes(of)?;
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                self.made(bytes.get(..end).unwrap_or(&bytes))
            }
            ExprKind::Assign { place, value } => {
                let place = self.prepare(place)?;
                let text = self.string(value)?;
                self.write_string(&place, &text)?;
                text
            }
            ExprKind::Cond(cond, yes, no) => {
                let chosen = if self.scalar(cond)? != 0 { yes } else { no };
                self.string(chosen)?
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                self.string(second)?
            }
            ExprKind::Cast(of) if of.ty == Ty::Str => self.string(of)?,
            ExprKind::Call(subroutine, args) => self.call_string(*subroutine, args)?,
            // The verifier keeps anything else out of here.
            _ => Str::null(),
        })
    }

    /// A string that a subroutine reads: NULL is a bad address.
    pub(super) fn string_argument(&mut self, expr: &'a Expr) -> Res<Str> {
        let text = self.string(expr)?;
        if text.is_null() {
            return Err(Halt::Fault(Fault::BadAddr, 0));
        }
        Ok(text)
    }

    fn read_string(&mut self, place: &'a Place) -> Res<Str> {
        let prepared = self.prepare(place)?;
        let mut out = self.buffer();
        match self.recorded_read(place) {
            Some(ReadValue::Text(Some(text))) => out.set(text),
            Some(ReadValue::Text(None)) => out.set_null(),
            _ => self.copy_string(&prepared, &mut out)?,
        }
        Ok(out)
    }
}
