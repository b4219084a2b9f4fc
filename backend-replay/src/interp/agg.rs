//! Aggregations: keys as bytes, partial values as words, handed to `core::aggregate` when asked.

use super::record::is_user;
use super::{Firing, Res};
use crate::hash::Fast;
use duotrace_core::aggregate::{AggError, AggFunc, Aggregation};
use duotrace_core::ir::{AggId, AggregationDef, Expr, ExprKind, SymbolKind, Ty};
use duotrace_core::record::{SymKind, SymValue, UserStack, Value};
use std::collections::HashMap;

/// The values of one aggregation since they were last handed over.
#[derive(Debug)]
pub(super) struct Table {
    func: AggFunc,
    width: usize,
    /// Does the key have strings and other parts?
    mixed: bool,
    index: HashMap<Box<[u8]>, usize, Fast>,
    words: Vec<i64>,
}

impl Table {
    pub fn new(def: &AggregationDef) -> Table {
        let (func, width) = (def.func, def.func.words());
        let mixed = def.key.contains(&Ty::Str) && def.key.iter().any(|ty| *ty != Ty::Str);
        Table { func, width, mixed, index: HashMap::default(), words: Vec::new() }
    }

    fn update(&mut self, key: &[u8], value: i64, increment: i64) {
        let at = match self.index.get(key) {
            Some(at) => *at,
            None => self.insert(key),
        };
        let Some(words) = self.words.get_mut(at..at + self.width) else { return };
        match (self.func, words) {
            (AggFunc::Count, [count]) => *count = count.wrapping_add(1),
            (AggFunc::Sum, [sum]) => *sum = sum.wrapping_add(value),
            (AggFunc::Min, [least]) => *least = value.min(*least),
            (AggFunc::Max, [most]) => *most = value.max(*most),
            (func, words) => func.update(words, value, increment),
        }
    }

    #[cold]
    fn insert(&mut self, key: &[u8]) -> usize {
        let at = self.words.len();
        self.words.extend(self.func.identity());
        self.index.insert(key.into(), at);
        at
    }

    /// Merges everything into an aggregation and forgets it.
    pub fn drain(&mut self, def: &AggregationDef, into: &mut Aggregation) -> Result<(), AggError> {
        for (key, at) in self.index.drain() {
            let words = self.words.get(at..at + self.width).unwrap_or(&[]);
            into.merge_partial(decode(&def.key, &key), words)?;
        }
        self.words.clear();
        Ok(())
    }
}

/// Takes a key apart.
fn decode(types: &[Ty], mut key: &[u8]) -> Vec<Value> {
    let word = |key: &mut &[u8]| match key.split_first_chunk::<8>() {
        Some((head, rest)) => {
            *key = rest;
            u64::from_le_bytes(*head)
        }
        None => 0,
    };
    let take = |key: &mut &[u8], size: usize| {
        let (head, rest) = key.split_at(size.min(key.len()));
        *key = rest;
        head.to_vec()
    };
    types
        .iter()
        .map(|ty| match *ty {
            Ty::Int { bytes, signed } => Value::int_of(word(&mut key), bytes, signed),
            Ty::Str => {
                let length = word(&mut key) as usize;
                Value::Str(take(&mut key, length))
            }
            Ty::Bytes(size) => Value::Bytes(take(&mut key, size as usize)),
            Ty::Stack(spec) => {
                let count = word(&mut key);
                let pid = if spec.user { word(&mut key) as u32 } else { 0 };
                let frames: Vec<u64> =
                    (0..count.min(u64::from(spec.frames))).map(|_| word(&mut key)).collect();
                match spec.user {
                    true => Value::UStack(Box::new(UserStack { pid, frames, helper: Vec::new() })),
                    false => Value::KStack(frames),
                }
            }
            Ty::Symbol(kind) => {
                let pid = if is_user(kind) { word(&mut key) as u32 } else { 0 };
                let addr = word(&mut key);
                let kind = match kind {
                    SymbolKind::Sym | SymbolKind::Func => SymKind::Sym,
                    SymbolKind::Mod => SymKind::Mod,
                    SymbolKind::Usym | SymbolKind::Ufunc => SymKind::Usym,
                    SymbolKind::Umod => SymKind::Umod,
                    SymbolKind::Uaddr => SymKind::Uaddr,
                };
                Value::Sym(SymValue { kind, pid, addr })
            }
            Ty::Void => Value::Str(Vec::new()),
        })
        .collect()
}

impl<'a> Firing<'a> {
    /// `@agg[key] = func(value, increment)`.
    pub(super) fn aggregate(
        &mut self,
        id: AggId,
        key: &'a [Expr],
        value: Option<&'a Expr>,
        increment: Option<&'a Expr>,
    ) -> Res {
        let mut buffer = std::mem::take(&mut self.machine.key);
        buffer.clear();
        let result = self.aggregate_into(&mut buffer, id, key, value, increment);
        self.machine.key = buffer;
        result
    }

    fn aggregate_into(
        &mut self,
        buffer: &mut Vec<u8>,
        id: AggId,
        key: &'a [Expr],
        value: Option<&'a Expr>,
        increment: Option<&'a Expr>,
    ) -> Res {
        let Some(def) = self.program.aggregations.get(id.0 as usize) else { return Ok(()) };
        // Strings are evaluated last, as the kernel's code does it; each part still goes to its own place.
        if self.machine.tables.get(id.0 as usize).is_some_and(|table| table.mixed) {
            let mut parts: Vec<Vec<u8>> = vec![Vec::new(); def.key.len()];
            for strings in [false, true] {
                for ((ty, part), out) in def.key.iter().zip(key).zip(&mut parts) {
                    if (*ty == Ty::Str) == strings {
                        self.key_part(out, *ty, part)?;
                    }
                }
            }
            parts.iter().for_each(|part| buffer.extend_from_slice(part));
        } else {
            for (ty, part) in def.key.iter().zip(key) {
                self.key_part(buffer, *ty, part)?;
            }
        }
        let value = match value {
            Some(value) => self.scalar(value)? as i64,
            None => 1,
        };
        let increment = match increment {
            Some(increment) => self.scalar(increment)? as i64,
            None => 1,
        };
        if let Some(table) = self.machine.tables.get_mut(id.0 as usize) {
            table.update(buffer, value, increment);
        }
        Ok(())
    }

    fn key_part(&mut self, out: &mut Vec<u8>, ty: Ty, part: &'a Expr) -> Res {
        match ty {
            Ty::Str => {
                if self.fault.is_none()
                    && let ExprKind::Builtin(builtin) = part.kind
                    && let Some(text) = self.event.own_text(builtin)
                    && text.len() < self.strsize
                {
                    // The common case, without a copy on the way.
                    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    out.extend_from_slice(text);
                    return Ok(());
                }
                // NULL and the empty string print alike and are one key.
                let text = self.string(part)?;
                out.extend_from_slice(&(text.text().len() as u64).to_le_bytes());
                out.extend_from_slice(text.text());
                self.give_back(text);
            }
            Ty::Bytes(_) => out.extend(self.bytes(part)?),
            Ty::Stack(spec) => {
                for word in self.call_trace(part, spec)? {
                    out.extend_from_slice(&word.to_le_bytes());
                }
            }
            Ty::Symbol(kind) => {
                if is_user(kind) {
                    out.extend_from_slice(&u64::from(self.event.pid).to_le_bytes());
                }
                out.extend_from_slice(&self.scalar(part)?.to_le_bytes());
            }
            _ => out.extend_from_slice(&self.scalar(part)?.to_le_bytes()),
        }
        Ok(())
    }
}
