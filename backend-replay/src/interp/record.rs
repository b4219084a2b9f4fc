//! What a clause delivers: its record, laid out as `ir::RecordLayout` says, in host byte order.

use super::{Firing, Halt, Res};
use duotrace_core::backend::Event as Delivered;
use duotrace_core::ir::{
    ActionKind, Clause, ClauseId, Effect, Expr, ExprKind, Fault, PrintShape, StackSpec, Stmt, SymbolKind, Ty,
};
use std::collections::BTreeSet;

/// Is a symbol kind two words (pid, address)?
pub(super) fn is_user(kind: SymbolKind) -> bool {
    matches!(kind, SymbolKind::Usym | SymbolKind::Umod | SymbolKind::Ufunc | SymbolKind::Uaddr)
}

/// Does any statement call `exit()`?
pub(super) fn exits(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::If { then, otherwise, .. } => exits(then) || exits(otherwise),
        Stmt::Effect { effect, .. } => *effect == Effect::ExitFlag,
        _ => false,
    })
}

/// Turns the numbers of an object round that `print()` shows: it has them in the traced machine's byte order, and a
/// record in the host's. `done`: units that are, since several bit-fields lie in one.
fn to_host(object: &mut [u8], at: usize, ty: Ty, shape: &PrintShape, done: &mut BTreeSet<usize>) {
    match shape {
        PrintShape::Struct { members, .. } => {
            for member in members {
                to_host(object, at + member.offset as usize, member.ty, &member.shape, done);
            }
        }
        PrintShape::Array { of, element, len, ty, .. } => {
            let elements = (0..*len as usize).map(|index| at + index * *element as usize);
            for place in elements.take_while(|place| *place < object.len()).collect::<Vec<_>>() {
                to_host(object, place, *ty, of, done);
            }
        }
        PrintShape::Int { .. } | PrintShape::Pointer { .. } | PrintShape::Enum { .. } => {
            let Ty::Int { bytes, .. } = ty else { return };
            if let Some(unit) = object.get_mut(at..at + usize::from(bytes))
                && done.insert(at)
            {
                unit.reverse();
            }
        }
        PrintShape::Str | PrintShape::CharArray { .. } => {}
    }
}

/// Number (from 1) of the last action in the text of a body.
pub(super) fn last_action(body: &[Stmt]) -> Option<u32> {
    body.iter().rev().find_map(|stmt| match stmt {
        Stmt::Record { action, .. } => Some(action + 1),
        Stmt::If { then, otherwise, .. } => last_action(otherwise).or_else(|| last_action(then)),
        _ => None,
    })
}

impl<'a> Firing<'a> {
    pub(super) fn start_record(&mut self, clause: &Clause) {
        if !clause.record.actions.is_empty() {
            self.machine.record.clear();
            self.machine.record.resize(clause.record.size as usize, 0);
        }
    }

    /// Fills an action's fields.
    pub(super) fn fill_record(&mut self, action: u32, values: &'a [Expr]) -> Res {
        let Some(clause) = self.program.clauses.get(self.clause.0 as usize) else { return Ok(()) };
        let layout = &clause.record;
        let Some(def) = layout.actions.get(action as usize) else { return Ok(()) };
        let fields = layout.fields.get(def.fields.start as usize..def.fields.end as usize).unwrap_or(&[]);
        for (field, value) in fields.iter().zip(values) {
            let at = field.offset as usize;
            match field.ty {
                Ty::Int { bytes, .. } => {
                    let value = self.scalar(value)?;
                    match bytes {
                        1 => self.put(at, &(value as u8).to_ne_bytes()),
                        2 => self.put(at, &(value as u16).to_ne_bytes()),
                        4 => self.put(at, &(value as u32).to_ne_bytes()),
                        _ => self.put(at, &value.to_ne_bytes()),
                    }
                }
                Ty::Str => {
                    let text = self.string(value)?;
                    // There is nothing to record at NULL.
                    let length = text.as_option().map(|text| text.len() as u64);
                    let length = length.ok_or(Halt::Fault(Fault::BadAddr, 0))?;
                    self.put(at, &length.to_ne_bytes());
                    self.put(at + 8, text.text());
                    self.give_back(text);
                }
                Ty::Bytes(_) => {
                    let mut object = self.bytes(value)?;
                    if let ActionKind::Print { text, .. } = &def.kind
                        && self.machine.config.big_endian != cfg!(target_endian = "big")
                    {
                        to_host(&mut object, 0, field.ty, text, &mut BTreeSet::new());
                    }
                    self.put(at, &object);
                }
                Ty::Stack(spec) => {
                    let words = self.call_trace(value, spec)?;
                    self.put_words(at, &words);
                }
                Ty::Symbol(kind) => {
                    let address = self.scalar(value)?;
                    match is_user(kind) {
                        true => self.put_words(at, &[u64::from(self.event.pid), address]),
                        false => self.put_words(at, &[address]),
                    }
                }
                Ty::Void => self.effects(value)?,
            }
        }
        if layout.present {
            let at = (action / 8) as usize;
            // Words of 64 bits with the lowest first, whatever the host's byte order.
            let at = if cfg!(target_endian = "big") { at ^ 7 } else { at };
            if let Some(byte) = self.machine.record.get_mut(at) {
                *byte |= 1 << (action % 8);
            }
        }
        Ok(())
    }

    /// A call trace to be shown: that of here, or one that an object holds.
    pub(super) fn call_trace(&mut self, value: &'a Expr, spec: StackSpec) -> Res<Vec<u64>> {
        let ExprKind::Cast(of) = &value.kind else { return self.stack(spec) };
        let object = self.bytes(of)?;
        Ok((0..object.len()).step_by(8).map(|at| self.number_at(&object, at, Ty::U64)).collect())
    }

    /// A call trace: count, for user stacks the process, then addresses.
    pub(super) fn stack(&mut self, spec: StackSpec) -> Res<Vec<u64>> {
        let mut words = vec![0];
        if spec.user {
            words.push(u64::from(self.event.pid));
        }
        if spec.frames == 0 {
            return Ok(words);
        }
        let what = if spec.user { "ustack()" } else { "stack()" };
        let frames = self.event.stack(spec.user).ok_or_else(|| Halt::Lacks(what.into()))?;
        let frames = frames.get(..spec.frames as usize).unwrap_or(frames);
        words.extend_from_slice(frames);
        if let Some(count) = words.first_mut() {
            *count = frames.len() as u64;
        }
        Ok(words)
    }

    fn put_words(&mut self, at: usize, words: &[u64]) {
        for (index, word) in words.iter().enumerate() {
            self.put(at + index * 8, &word.to_ne_bytes());
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(to) = self.machine.record.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    }

    /// Delivers the record, if the clause makes one.
    pub(super) fn submit_record(&mut self, id: ClauseId, clause: &Clause) {
        let layout = &clause.record;
        let presence = self.machine.record.get(..layout.actions.len().div_ceil(64) * 8);
        let reached = !layout.present || presence.is_some_and(|bits| bits.iter().any(|byte| *byte != 0));
        if !layout.actions.is_empty() && reached {
            let event = Delivered::Record {
                probe: self.probe_id(),
                provider_pid: self.event.pid,
                clause: id,
                cpu: self.event.cpu,
                timestamp: self.event.time,
                data: &self.machine.record,
            };
            self.sink.event(event);
        }
        // The number is free again only after the record that ends it is out.
        let release = self.release;
        if let Some(slot) = self.speculation_slot(release) {
            *slot = false;
        }
    }
}
