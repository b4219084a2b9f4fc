//! Variables and the other places that can be stored to.
//!
//! A place is *prepared* once (its keys and offsets are evaluated), then read and
//! written any number of times. Unassigned variables are zero; an unassigned
//! string is empty, but NULL where it is a thread's or an array's element.

use super::arith::{extend, signed};
use super::memory::scratch_offset;
use super::strings::Str;
use super::{Firing, Halt, Res};
use crate::event::ReadValue;
use duotrace_core::backend::DropKind;
use duotrace_core::ir::{
    BinaryOp, Expr, ExprKind, Fault, Place, PlaceKind, Program, Scope, Space, Ty, VarId,
};
use std::collections::HashMap;

/// What a variable or an element holds.
#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Text(Str),
    /// As many bytes as its type has, rounded up to 8.
    Object(Vec<u8>),
}

impl Value {
    fn zero(ty: Ty, null: bool) -> Value {
        match ty {
            Ty::Str if null => Value::Text(Str::null()),
            Ty::Str => Value::Text(Str::default()),
            Ty::Bytes(size) => Value::Object(vec![0; object_bytes(size)]),
            _ => Value::Number(0),
        }
    }
}

/// Bytes that an object of a size takes.
fn object_bytes(size: u32) -> usize {
    (size as usize).next_multiple_of(8).max(8)
}

#[derive(Clone, Copy, Debug)]
struct Def {
    scope: Scope,
    ty: Ty,
    array: bool,
}

/// All variables of a program.
#[derive(Debug)]
pub(super) struct Variables {
    defs: Vec<Def>,
    /// Globals and clause-locals by number; the others' places are not used.
    plain: Vec<Value>,
    locals: Vec<usize>,
    threads: HashMap<(u64, u32), Value>,
    arrays: Vec<HashMap<Vec<u8>, Value>>,
    elements: usize,
}

impl Variables {
    pub fn new(program: &Program) -> Variables {
        let defs: Vec<Def> = program
            .variables
            .iter()
            .map(|var| Def { scope: var.scope, ty: var.ty, array: var.key.is_some() })
            .collect();
        Variables {
            plain: defs.iter().map(|def| Value::zero(def.ty, false)).collect(),
            locals: (0..defs.len())
                .filter(|id| defs.get(*id).is_some_and(|def| def.scope == Scope::ClauseLocal && !def.array))
                .collect(),
            threads: HashMap::new(),
            arrays: vec![HashMap::new(); defs.len()],
            elements: 0,
            defs,
        }
    }

    /// Clause-local variables begin as zeroes.
    pub fn begin_firing(&mut self) {
        for id in &self.locals {
            match self.plain.get_mut(*id) {
                Some(Value::Number(number)) => *number = 0,
                Some(Value::Text(text)) => text.set(b""),
                Some(Value::Object(bytes)) => bytes.fill(0),
                None => {}
            }
        }
    }

    fn get(&self, base: &Base) -> Option<&Value> {
        match base {
            Base::Plain(var) => self.plain.get(var.0 as usize),
            Base::Thread(var, thread) => self.threads.get(&(*thread, var.0)),
            Base::Element(var, key) => self.arrays.get(var.0 as usize)?.get(key),
            Base::Memory(..) => None,
        }
    }

    /// The value to be changed, made if it is not there; `None` when there is no room for it.
    fn make(&mut self, base: &Base, most: usize) -> Option<&mut Value> {
        match base {
            Base::Plain(var) => self.plain.get_mut(var.0 as usize),
            Base::Thread(var, thread) => {
                let ty = self.defs.get(var.0 as usize)?.ty;
                Some(self.threads.entry((*thread, var.0)).or_insert_with(|| Value::zero(ty, true)))
            }
            Base::Element(var, key) => {
                let ty = self.defs.get(var.0 as usize)?.ty;
                let array = self.arrays.get_mut(var.0 as usize)?;
                if !array.contains_key(key) {
                    if self.elements >= most {
                        return None;
                    }
                    self.elements += 1;
                    array.insert(key.clone(), Value::zero(ty, true));
                }
                array.get_mut(key)
            }
            Base::Memory(..) => None,
        }
    }

    /// Zero was assigned: the memory is free again.
    fn remove(&mut self, base: &Base) {
        match base {
            Base::Thread(var, thread) => {
                self.threads.remove(&(*thread, var.0));
            }
            Base::Element(var, key) => {
                let removed = self.arrays.get_mut(var.0 as usize).and_then(|array| array.remove(key));
                self.elements -= usize::from(removed.is_some());
            }
            _ => {}
        }
    }
}

/// What a place is based on.
#[derive(Debug)]
enum Base {
    Plain(VarId),
    Thread(VarId, u64),
    Element(VarId, Vec<u8>),
    Memory(u64, Space),
}

/// A prepared place.
#[derive(Debug)]
pub(super) struct Prepared {
    base: Base,
    offset: usize,
    pub ty: Ty,
    bits: Option<(u8, u8)>,
    /// The place is a whole variable that is no object.
    whole: bool,
}

impl<'a> Firing<'a> {
    /// Evaluates what a place depends on.
    pub(super) fn prepare(&mut self, place: &'a Place) -> Res<Prepared> {
        let (base, offset, whole) = match &place.kind {
            PlaceKind::Var { var, offset } => {
                let def = self.machine.vars.defs.get(var.0 as usize).copied();
                let ty = def.map_or(Ty::I64, |def| def.ty);
                let at = match offset {
                    Some(offset) => self.variable_offset(offset, ty, place.ty)?,
                    None => 0,
                };
                let base = match def.map(|def| def.scope) {
                    Some(Scope::ThreadLocal) => Base::Thread(*var, self.thread()),
                    _ => Base::Plain(*var),
                };
                (base, at, offset.is_none() && !matches!(ty, Ty::Bytes(_)))
            }
            PlaceKind::Elem { var, key, offset } => {
                let def = self.machine.vars.defs.get(var.0 as usize).copied();
                let thread = def.is_some_and(|def| def.scope == Scope::ThreadLocal);
                let key = self.array_key(thread, key)?;
                let whole = !def.is_some_and(|def| matches!(def.ty, Ty::Bytes(_)));
                (Base::Element(*var, key), *offset as usize, whole)
            }
            PlaceKind::Mem { addr, space } => (Base::Memory(self.scalar(addr)?, *space), 0, false),
        };
        Ok(Prepared { base, offset, ty: place.ty, bits: place.bits, whole })
    }

    /// The value that a variable had here when the event was recorded, where it was kept.
    pub(super) fn recorded_read(&mut self, place: &Place) -> Option<ReadValue<'_>> {
        let asked = self.machine.config.own && self.fault.is_none() && self.event.reads().len() > 0;
        if !asked || !crate::record::is_kept(place, &self.program.variables) {
            return None;
        }
        self.event.next_read()
    }

    /// A checked offset into a variable of type `ty` for an access to `part`.
    fn variable_offset(&mut self, offset: &'a Expr, ty: Ty, part: Ty) -> Res<usize> {
        let width = match part {
            Ty::Int { bytes, .. } => u64::from(bytes),
            Ty::Bytes(size) => u64::from(size),
            _ => 8,
        };
        let (object, memory) = match ty {
            Ty::Bytes(size) => (u64::from(size), object_bytes(size) as u64),
            _ => (8, 8),
        };
        // A constant was checked by the compiler, as far as the memory goes.
        let limit = if matches!(offset.kind, ExprKind::Const(_)) { memory } else { object };
        // An element of an array: the index is what a fault shows.
        if let ExprKind::Binary(BinaryOp::Mul, index, each) = &offset.kind
            && matches!(each.kind, ExprKind::Const(n) if n as u64 == width)
            && limit >= width
        {
            let index = self.scalar(index)?;
            return match index < limit / width {
                true => Ok((index * width) as usize),
                false => Err(Halt::Fault(Fault::Index, index)),
            };
        }
        let at = self.scalar(offset)?;
        if limit < width || at > limit - width {
            return Err(Halt::Fault(Fault::BadAddr, at));
        }
        Ok(at as usize)
    }

    /// A number that is unlike any other thread's, also of idle threads of several CPUs.
    fn thread(&self) -> u64 {
        match u64::from(self.event.pid) << 32 | u64::from(self.event.tid) {
            0 => !u64::from(self.event.cpu),
            id => id,
        }
    }

    /// The key of an associative array as bytes that are alike only for equal keys.
    fn array_key(&mut self, thread: bool, parts: &'a [Expr]) -> Res<Vec<u8>> {
        let mut key = Vec::with_capacity(8 * (parts.len() + usize::from(thread)));
        if thread {
            key.extend(self.thread().to_le_bytes());
        }
        for part in parts {
            match part.ty {
                Ty::Str => {
                    let text = self.string(part)?;
                    let length = if text.is_null() { u64::MAX } else { text.text().len() as u64 };
                    key.extend(length.to_le_bytes());
                    key.extend_from_slice(text.text());
                    self.give_back(text);
                }
                Ty::Bytes(_) => key.extend(self.bytes(part)?),
                _ => key.extend(self.scalar(part)?.to_le_bytes()),
            }
        }
        Ok(key)
    }

    /// The number in a place.
    pub(super) fn read_place(&mut self, place: &Prepared) -> Res<u64> {
        let value = match &place.base {
            Base::Memory(address, space) => self.load(*address, *space, place.ty)?,
            base => match self.machine.vars.get(base) {
                Some(Value::Number(number)) if place.whole => *number,
                Some(Value::Number(number)) => {
                    self.number_at(&self.memory_form(*number), place.offset, place.ty)
                }
                Some(Value::Object(object)) => self.number_at(object, place.offset, place.ty),
                _ => 0,
            },
        };
        Ok(match place.bits {
            Some((shift, bits)) => extend(value >> (shift & 63), u32::from(bits), signed(place.ty)),
            None => value,
        })
    }

    /// A number as it lies in memory.
    fn memory_form(&self, number: u64) -> [u8; 8] {
        if self.machine.config.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    /// Stores a number; gives what the place then reads as.
    pub(super) fn write_place(&mut self, place: &Prepared, value: u64) -> Res<u64> {
        let (stored, result) = match place.bits {
            Some((shift, bits)) => {
                let (shift, mask) = (shift & 63, if bits >= 64 { u64::MAX } else { (1 << bits) - 1 });
                let unit = self.read_place(&Prepared { bits: None, base: self.again(place), ..*place })?;
                let merged = unit & !(mask << shift) | (value & mask) << shift;
                (merged, extend(merged >> shift, u32::from(bits), signed(place.ty)))
            }
            None => (value, value),
        };
        let width = match place.ty {
            Ty::Int { bytes, .. } if !place.whole => usize::from(bytes),
            _ => 8,
        };
        if let Base::Memory(address, _) = place.base {
            let big = self.machine.config.big_endian;
            self.write_scratch(address, width, |to| put(to, 0, stored, width, big))?;
            return Ok(result);
        }
        if place.whole && stored == 0 && matches!(place.base, Base::Element(..)) {
            self.machine.vars.remove(&place.base);
            return Ok(result);
        }
        let big = self.machine.config.big_endian;
        let most = self.machine.config.dynamic;
        match self.machine.vars.make(&place.base, most) {
            Some(Value::Number(number)) if place.whole => *number = stored,
            Some(Value::Number(number)) => {
                let mut bytes = if big { number.to_be_bytes() } else { number.to_le_bytes() };
                put(&mut bytes, place.offset, stored, width, big);
                *number = if big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) };
            }
            Some(Value::Object(object)) => put(object, place.offset, stored, width, big),
            Some(Value::Text(_)) => {}
            None => self.count_drop(DropKind::Dynamic),
        }
        Ok(result)
    }

    /// The same base once more.
    fn again(&self, place: &Prepared) -> Base {
        match &place.base {
            Base::Plain(var) => Base::Plain(*var),
            Base::Thread(var, thread) => Base::Thread(*var, *thread),
            Base::Element(var, key) => Base::Element(*var, key.clone()),
            Base::Memory(address, space) => Base::Memory(*address, *space),
        }
    }

    /// Lets `put` write `size` bytes of scratch memory at a pointer; nothing else can be written.
    fn write_scratch(&mut self, address: u64, size: usize, write: impl Fn(&mut [u8])) -> Res {
        let at = scratch_offset(address);
        match at.and_then(|at| self.machine.scratch.get_mut(at..at + size)) {
            Some(to) => {
                write(to);
                Ok(())
            }
            None => Err(Halt::Fault(Fault::BadAddr, address)),
        }
    }

    /// The object in a place; what is absent reads as zeroes.
    pub(super) fn read_object(&mut self, place: &Prepared, size: usize) -> Res<Vec<u8>> {
        let mut object = match &place.base {
            Base::Memory(address, space) => return self.load_bytes(*address, *space, size),
            base => match self.machine.vars.get(base) {
                Some(Value::Object(object)) => object.get(place.offset..).unwrap_or(&[]).to_vec(),
                _ => Vec::new(),
            },
        };
        object.resize(size, 0);
        Ok(object)
    }

    /// Deletes an element. `false`: the place is none.
    pub(super) fn delete_element(&mut self, place: &Prepared) -> bool {
        let element = matches!(place.base, Base::Element(..));
        if element {
            self.machine.vars.remove(&place.base);
        }
        element
    }

    /// Stores an object.
    pub(super) fn write_object(&mut self, place: &Prepared, from: &[u8]) -> Res {
        if let Base::Memory(address, _) = place.base {
            return self.write_scratch(address, from.len(), |to| to.copy_from_slice(from));
        }
        let most = self.machine.config.dynamic;
        match self.machine.vars.make(&place.base, most) {
            Some(Value::Object(object)) => {
                for (to, from) in object.iter_mut().skip(place.offset).zip(from) {
                    *to = *from;
                }
            }
            Some(_) => {}
            None => self.count_drop(DropKind::Dynamic),
        }
        Ok(())
    }

    /// The string in a place.
    pub(super) fn copy_string(&mut self, place: &Prepared, out: &mut Str) -> Res {
        match (&place.base, self.machine.vars.get(&place.base)) {
            (_, Some(Value::Text(text))) => out.copy(text),
            (Base::Memory(address, space), _) => {
                out.set(self.memory_string(*address, *space, self.strsize)?);
            }
            _ => out.set_null(),
        }
        Ok(())
    }

    /// Stores a string. NULL frees an element.
    pub(super) fn write_string(&mut self, place: &Prepared, text: &Str) -> Res {
        if let Base::Memory(address, _) = place.base {
            return Err(Halt::Fault(Fault::BadAddr, address));
        }
        if text.is_null() && matches!(place.base, Base::Element(..)) {
            self.machine.vars.remove(&place.base);
            return Ok(());
        }
        let most = self.machine.config.dynamic;
        match self.machine.vars.make(&place.base, most) {
            Some(Value::Text(to)) => to.copy(text),
            Some(_) => {}
            None => self.count_drop(DropKind::Dynamic),
        }
        Ok(())
    }
}

/// Puts a number of a width into an object; what lies outside is lost.
fn put(object: &mut [u8], offset: usize, value: u64, width: usize, big: bool) {
    let Some(bytes) = object.get_mut(offset..) else { return };
    for (index, byte) in bytes.iter_mut().take(width).enumerate() {
        let shift = if big { width - 1 - index } else { index };
        *byte = (value >> (shift * 8)) as u8;
    }
}
