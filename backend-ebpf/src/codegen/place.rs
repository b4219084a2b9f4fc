//! Places that can be stored to: variables, array elements, scratch memory.
//!
//! A place is *prepared* once (its keys and offsets are evaluated), then read
//! and written any number of times.

use super::asm::MapId;
use super::context::{Gen, Hold, Res, slot};
use super::expr::narrows_not;
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, VarPlace, drops};
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Fault, Place, PlaceKind, Space, Ty};

/// What a place is based on.
#[derive(Debug)]
enum Base {
    Global(u32),
    Thread(u32),
    Local(u32),
    /// Key at a frame offset, offset within the element, size of the element.
    Element {
        map: MapId,
        key: u32,
        offset: u32,
        elem: u32,
    },
    /// A tagged pointer in a hold.
    Scratch,
    /// Memory that can only be read.
    Memory(Space),
}

/// A prepared place.
#[derive(Debug)]
pub(super) struct Prepared {
    base: Base,
    /// A checked byte offset, or the pointer.
    index: Option<Hold>,
    /// Type of what is stored there.
    pub ty: Ty,
    bits: Option<(u8, u8)>,
    /// The place is a whole scalar variable: eight canonical bytes.
    whole: bool,
    mark: u32,
}

impl Gen<'_> {
    /// Evaluates what a place depends on.
    pub fn prepare(&mut self, place: &Place) -> Res<Prepared> {
        let mark = self.mark();
        let before = self.at(place.span);
        let mut prepared =
            Prepared { base: Base::Scratch, index: None, ty: place.ty, bits: place.bits, whole: false, mark };
        match &place.kind {
            PlaceKind::Var { var, offset } => {
                let ty = self.input.program.variables.get(var.0 as usize).map_or(Ty::I64, |var| var.ty);
                prepared.whole = offset.is_none() && !matches!(ty, Ty::Bytes(_));
                let mut constant = 0;
                let size = self.plan.value_bytes(ty);
                let width = access_bytes(place.ty);
                match offset.as_deref() {
                    None => {}
                    Some(Expr { kind: ExprKind::Const(n), .. })
                        if *n >= 0 && *n <= i64::from(size) - i64::from(width) =>
                    {
                        constant = *n as u32;
                    }
                    Some(Expr { kind: ExprKind::Binary(BinaryOp::Mul, index, each), .. })
                        if matches!(each.kind, ExprKind::Const(n) if n == i64::from(width))
                            && size >= width =>
                    {
                        // An element of an array: the index is what a fault shows.
                        self.scalar(index)?;
                        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                        let object = if let Ty::Bytes(n) = ty { n } else { size };
                        let last = (object / width).saturating_sub(1);
                        self.fault_if(Cond::Gt, last as i32, Fault::Index, true);
                        self.alu(Alu::Mul, Reg::R0, width as i32);
                        prepared.index = Some(self.hold()?);
                    }
                    Some(offset) => {
                        self.scalar(offset)?;
                        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                        let object = match ty {
                            Ty::Bytes(n) => n,
                            _ => size,
                        };
                        let last = i64::from(object) - i64::from(width);
                        if last < 0 {
                            self.fault_if(Cond::Ge, 0, Fault::BadAddr, true);
                        }
                        self.fault_if(Cond::Gt, last.max(0) as i32, Fault::BadAddr, true);
                        prepared.index = Some(self.hold()?);
                    }
                }
                prepared.base = match self.plan.vars.get(var.0 as usize) {
                    Some(VarPlace::Global(at)) => Base::Global(at + constant),
                    Some(VarPlace::Thread(at)) => Base::Thread(at + constant),
                    Some(VarPlace::Local(at)) => Base::Local(at + constant),
                    _ => return self.unsupported(place.span, "this use of an associative array"),
                };
            }
            PlaceKind::Elem { var, key, offset } => {
                let Some(VarPlace::Array { map, thread, key_bytes, elem_bytes }) =
                    self.plan.vars.get(var.0 as usize).cloned()
                else {
                    return self.unsupported(place.span, "this associative array");
                };
                let ty = self.input.program.variables.get(var.0 as usize).map_or(Ty::I64, |var| var.ty);
                prepared.whole = !matches!(ty, Ty::Bytes(_));
                let at = self.temp(key_bytes)?;
                self.array_key(at, thread, key)?;
                prepared.base = Base::Element { map, key: at, offset: *offset, elem: elem_bytes };
            }
            PlaceKind::Mem { addr, space } => {
                self.scalar(addr)?;
                prepared.index = Some(self.hold()?);
                prepared.base = Base::Memory(*space);
            }
        }
        self.at(before);
        Ok(prepared)
    }

    /// Frees what `prepare` took.
    pub fn finish_place(&mut self, place: Prepared) {
        if let Some(hold) = place.index {
            self.release(hold);
        }
        self.free_temps(place.mark);
    }

    /// The key of an associative array, every part in its full width.
    fn array_key(&mut self, mut at: u32, thread: bool, key: &[Expr]) -> Res {
        if thread {
            self.thread_id();
            self.frame_store(Size::DW, at, Reg::R0);
            at += 8;
        }
        if key.is_empty() && !thread {
            self.frame_store_imm(at, 0);
        }
        for part in key {
            match part.ty {
                Ty::Str => {
                    self.zero(at, self.plan.str_bytes);
                    if from_subroutine(part) {
                        let mark = self.mark();
                        let from = self.string_somewhere(part)?;
                        self.frame_ptr(Reg::R3, from);
                        self.load_string_bytes(Reg::R2, Reg::R3);
                        self.frame_ptr(Reg::R1, at);
                        self.asm.call(Helper::ProbeReadKernel);
                        self.free_temps(mark);
                    } else {
                        self.string(part, at)?;
                    }
                }
                Ty::Bytes(size) => {
                    self.zero(at, layout::round8(size));
                    self.bytes(part, at)?;
                }
                _ => {
                    self.scalar(part)?;
                    self.frame_store(Size::DW, at, Reg::R0);
                }
            }
            at += self.plan.value_bytes(part.ty);
        }
        Ok(())
    }

    /// A number that is unlike any other thread's, also of idle threads of several CPUs.
    fn thread_id(&mut self) {
        match (self.group.task, self.input.target.offsets.pid) {
            // Thread and process number, as the helper gives them.
            (Some(_), Some(pid)) => {
                self.task();
                self.asm.mov(Reg::R1, Reg::R0);
                self.load_far(Size::W, pid + 4);
                self.alu(Alu::Lsh, Reg::R0, 32);
                self.alu(Alu::Add, Reg::R1, pid as i32);
                self.asm.load(Size::W, Reg::R1, Reg::R1, 0);
                self.alu(Alu::Or, Reg::R0, Reg::R1);
            }
            _ => self.asm.call(Helper::GetCurrentPidTgid),
        }
        let busy = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, busy);
        self.asm.call(Helper::GetSmpProcessorId);
        self.emit(Insn::neg64(Reg::R0));
        self.alu(Alu::Sub, Reg::R0, 1);
        self.asm.bind(busy);
    }

    /// Zeroes frame memory.
    pub fn zero(&mut self, at: u32, bytes: u32) {
        for offset in (0..layout::round8(bytes)).step_by(8) {
            self.frame_store_imm(at + offset, 0);
        }
    }

    /// `R1 =` address of the place; goes to `absent`, with `R0` zero, when there is none.
    /// A thread's value is made when `create`; a failure to make one is a drop and goes to `absent`.
    fn address(&mut self, place: &Prepared, create: bool, absent: super::asm::Label) -> Res {
        match &place.base {
            Base::Global(at) => self.asm.load_map_value(Reg::R1, layout::GLOBALS, *at as i32),
            Base::Local(at) => self.frame_ptr(Reg::R1, *at),
            Base::Thread(at) => {
                self.thread_value(create, absent);
                self.asm.mov(Reg::R1, Reg::R0);
                self.alu(Alu::Add, Reg::R1, *at as i32);
            }
            Base::Element { map, key, offset, .. } => {
                self.asm.load_map(Reg::R1, *map);
                self.frame_ptr(Reg::R2, *key);
                self.asm.call(Helper::MapLookupElem);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, absent);
                self.asm.mov(Reg::R1, Reg::R0);
                self.alu(Alu::Add, Reg::R1, *offset as i32);
            }
            Base::Scratch | Base::Memory(_) => {
                if let Some(hold) = &place.index {
                    self.peek(hold, Reg::R0);
                }
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                let bad = self.fault(Fault::BadAddr, true);
                if !self.plan.uses_scratch {
                    // Nothing can be written; what follows is never reached but must look right.
                    self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R0, bad);
                    self.frame_ptr(Reg::R1, 0);
                    return Ok(());
                }
                self.unless_scratch(bad);
                self.scratch_address(access_bytes(place.ty))?;
                self.asm.mov(Reg::R1, Reg::R0);
                return Ok(());
            }
        }
        if let Some(hold) = &place.index {
            self.peek(hold, Reg::R2);
            self.alu(Alu::Add, Reg::R1, Reg::R2);
        }
        Ok(())
    }

    /// `R0 =` kernel address of the place as a number; 0 when there is none.
    pub fn address_value(&mut self, place: &Prepared) -> Res {
        if let Base::Memory(_) = place.base {
            if let Some(hold) = &place.index {
                self.peek(hold, Reg::R0);
            }
            return Ok(());
        }
        let absent = self.asm.label();
        self.address(place, false, absent)?;
        self.asm.mov(Reg::R0, Reg::R1);
        self.asm.bind(absent);
        // What is read back from a map is a number to the verifier, whatever was written there.
        let mark = self.mark();
        let at = self.temp(8)?;
        self.frame_store(Size::DW, at, Reg::R0);
        self.frame_load(Size::DW, Reg::R0, at);
        self.free_temps(mark);
        Ok(())
    }

    /// `R0 =` this thread's value of `THREADS`, or goes to `absent`.
    fn thread_value(&mut self, create: bool, absent: super::asm::Label) {
        let known = self.asm.label();
        if self.f.keeps_thread {
            self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::THREAD);
            self.asm.jump_if(Cond::Ne, Reg::R0, 0, known);
        }
        self.make_thread_value(create, absent);
        if self.f.keeps_thread {
            self.asm.store(Size::DW, Reg::R10, slot::THREAD, Reg::R0);
            self.asm.bind(known);
        }
    }

    fn make_thread_value(&mut self, create: bool, absent: super::asm::Label) {
        self.task();
        self.asm.mov(Reg::R2, Reg::R0);
        self.asm.load_map(Reg::R1, layout::THREADS);
        self.asm.mov(Reg::R3, 0);
        self.asm.mov(Reg::R4, i32::from(create));
        self.asm.call(Helper::TaskStorageGet);
        if !create {
            self.asm.jump_if(Cond::Eq, Reg::R0, 0, absent);
            return;
        }
        let made = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, made);
        self.count_drop(drops::DYNAMIC);
        self.asm.jump(absent);
        self.asm.bind(made);
        if self.plan.thread_strings.is_empty() {
            return;
        }
        // The first word says that strings that were never assigned have been made NULL.
        let ready = self.asm.label();
        self.asm.load(Size::DW, Reg::R1, Reg::R0, 0);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, ready);
        self.emit(Insn::st(Size::DW, Reg::R0, 0, 1));
        for at in &self.plan.thread_strings {
            self.asm.mov(Reg::R1, Reg::R0);
            self.asm.emit(Insn::alu64(Alu::Add, Reg::R1, *at as i32));
            self.asm.emit(Insn::st(Size::DW, Reg::R1, 0, -1));
        }
        self.asm.bind(ready);
    }

    /// `R0 =` the scalar in a place.
    pub fn read_place(&mut self, place: &Prepared) -> Res {
        if let Base::Memory(space) = place.base {
            if let Some(hold) = &place.index {
                self.peek(hold, Reg::R0);
            }
            let unit = place.ty;
            self.load_memory(unit, space)?;
        } else {
            let absent = self.asm.label();
            self.address(place, false, absent)?;
            if place.whole {
                self.asm.load(Size::DW, Reg::R0, Reg::R1, 0);
            } else {
                self.load_canonical(place.ty, Reg::R1, 0)?;
            }
            // An absent value came here with `R0` zero.
            self.asm.bind(absent);
        }
        if let Some((shift, bits)) = place.bits {
            self.bit_field(shift, bits, place.ty);
        }
        Ok(())
    }

    /// Stores the scalar in `R0` to a place; `keep`: `R0` still has it afterwards.
    pub fn write_place(&mut self, place: &Prepared, keep: bool) -> Res {
        let value = self.hold()?;
        if place.bits.is_some() {
            self.merge_bits(place, &value)?;
        }
        if let (Base::Element { map, key, elem, .. }, true) = (&place.base, place.whole) {
            self.write_element(*map, *key, *elem, &value)?;
        } else {
            if let Base::Element { map, key, elem, .. } = place.base {
                self.make_element(map, key, elem)?;
            }
            let absent = self.asm.label();
            self.address(place, true, absent)?;
            self.peek(&value, Reg::R0);
            let size = match place.ty {
                Ty::Int { bytes, .. } if !place.whole => Size::of_bytes(u64::from(bytes)),
                _ => None,
            };
            self.asm.store(size.unwrap_or(Size::DW), Reg::R1, 0, Reg::R0);
            self.asm.bind(absent);
        }
        if keep {
            self.peek(&value, Reg::R0);
            if let Some((shift, bits)) = place.bits {
                self.bit_field(shift, bits, place.ty);
            }
        }
        self.release(value);
        Ok(())
    }

    /// Replaces a bit-field's value in a hold by the whole unit with the field put in.
    fn merge_bits(&mut self, place: &Prepared, value: &Hold) -> Res {
        let Some((shift, bits)) = place.bits else { return Ok(()) };
        let mask = if bits >= 64 { u64::MAX } else { (1u64 << bits) - 1 };
        let absent = self.asm.label();
        match &place.base {
            Base::Memory(space) => {
                if let Some(hold) = &place.index {
                    self.peek(hold, Reg::R0);
                }
                self.load_memory(place.ty, *space)?;
            }
            _ => {
                self.address(place, false, absent)?;
                self.load_canonical(place.ty, Reg::R1, 0)?;
                self.asm.bind(absent);
            }
        }
        self.asm.load_imm(Reg::R1, !(mask << shift) as i64);
        self.alu(Alu::And, Reg::R0, Reg::R1);
        self.peek(value, Reg::R2);
        self.asm.load_imm(Reg::R1, mask as i64);
        self.alu(Alu::And, Reg::R2, Reg::R1);
        self.alu(Alu::Lsh, Reg::R2, i32::from(shift));
        self.alu(Alu::Or, Reg::R0, Reg::R2);
        self.put(value);
        Ok(())
    }

    /// Deletes an element. `false`: the place is none.
    pub fn delete_element(&mut self, place: &Prepared) -> bool {
        let Base::Element { map, key, .. } = place.base else { return false };
        self.asm.load_map(Reg::R1, map);
        self.frame_ptr(Reg::R2, key);
        self.asm.call(Helper::MapDeleteElem);
        true
    }

    /// Stores a scalar element: zero deletes it, a new one is inserted, a full table is a drop.
    fn write_element(&mut self, map: MapId, key: u32, elem: u32, value: &Hold) -> Res {
        let (nonzero, insert, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.peek(value, Reg::R0);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, nonzero);
        self.asm.load_map(Reg::R1, map);
        self.frame_ptr(Reg::R2, key);
        self.asm.call(Helper::MapDeleteElem);
        self.asm.jump(end);
        self.asm.bind(nonzero);
        self.asm.load_map(Reg::R1, map);
        self.frame_ptr(Reg::R2, key);
        self.asm.call(Helper::MapLookupElem);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, insert);
        self.peek(value, Reg::R1);
        self.asm.store(Size::DW, Reg::R0, 0, Reg::R1);
        self.asm.jump(end);
        self.asm.bind(insert);
        let mark = self.mark();
        let at = self.temp(elem)?;
        self.zero(at, elem);
        self.peek(value, Reg::R0);
        self.frame_store(Size::DW, at, Reg::R0);
        self.insert_element(map, key, at);
        self.free_temps(mark);
        self.asm.bind(end);
        Ok(())
    }

    /// Inserts the element at a frame offset.
    fn insert_element(&mut self, map: MapId, key: u32, value: u32) {
        let stored = self.asm.label();
        self.asm.load_map(Reg::R1, map);
        self.frame_ptr(Reg::R2, key);
        self.frame_ptr(Reg::R3, value);
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::MapUpdateElem);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, stored);
        self.count_drop(drops::DYNAMIC);
        self.asm.bind(stored);
    }

    /// Makes a zeroed element if there is none, so that a part of it can be stored.
    fn make_element(&mut self, map: MapId, key: u32, elem: u32) -> Res {
        let there = self.asm.label();
        self.asm.load_map(Reg::R1, map);
        self.frame_ptr(Reg::R2, key);
        self.asm.call(Helper::MapLookupElem);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, there);
        let mark = self.mark();
        let at = self.temp(elem)?;
        self.zero(at, elem);
        self.insert_element(map, key, at);
        self.free_temps(mark);
        self.asm.bind(there);
        Ok(())
    }

    /// Copies an object or a string out of a place; what is absent reads as zeroes (a string: NULL).
    pub fn copy_from_place(&mut self, place: &Prepared, to: u32, bytes: u32) -> Res {
        let (absent, end) = (self.asm.label(), self.asm.label());
        self.address(place, false, absent)?;
        self.asm.mov(Reg::R3, Reg::R1);
        if place.ty == Ty::Str {
            self.load_string_bytes(Reg::R2, Reg::R3);
        } else {
            self.asm.load_imm(Reg::R2, i64::from(bytes));
        }
        self.frame_ptr(Reg::R1, to);
        self.asm.call(Helper::ProbeReadKernel);
        if matches!(place.base, Base::Thread(_) | Base::Element { .. }) {
            self.asm.jump(end);
            self.asm.bind(absent);
            if place.ty == Ty::Str {
                self.frame_store_imm(to, -1);
            } else {
                self.zero(to, bytes);
            }
        } else {
            self.asm.bind(absent);
        }
        self.asm.bind(end);
        Ok(())
    }

    /// Copies an object or a string from the frame into a place. A NULL string deletes an element.
    pub fn copy_to_place(&mut self, place: &Prepared, from: u32, bytes: u32) -> Res {
        let end = self.asm.label();
        if let Base::Element { map, key, elem, .. } = place.base {
            if place.ty == Ty::Str {
                let keep = self.asm.label();
                self.frame_load(Size::DW, Reg::R0, from);
                self.asm.jump_if(Cond::Ne, Reg::R0, -1, keep);
                self.asm.load_map(Reg::R1, map);
                self.frame_ptr(Reg::R2, key);
                self.asm.call(Helper::MapDeleteElem);
                self.asm.jump(end);
                self.asm.bind(keep);
            }
            if place.whole || bytes == elem {
                self.insert_element(map, key, from);
                self.asm.bind(end);
                return Ok(());
            }
            self.make_element(map, key, elem)?;
        }
        self.address(place, true, end)?;
        self.frame_ptr(Reg::R3, from);
        if place.ty == Ty::Str {
            self.load_string_bytes(Reg::R2, Reg::R3);
        } else {
            self.asm.load_imm(Reg::R2, i64::from(bytes));
        }
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.bind(end);
        Ok(())
    }

    /// `bytes =` how much of the string at `[string]` is worth copying: its length word and its words up to the NUL.
    fn load_string_bytes(&mut self, bytes: Reg, string: Reg) {
        let fine = self.asm.label();
        self.asm.load(Size::DW, bytes, string, 0);
        self.asm.jump_if(Cond::Lt, bytes, self.plan.strsize as i32, fine);
        self.asm.mov(bytes, -8);
        self.asm.bind(fine);
        self.alu(Alu::Add, bytes, 16);
        self.alu(Alu::And, bytes, -8);
        // The verifier does not see that it is small through the sign change above.
        let small = self.asm.label();
        self.asm.jump_if(Cond::Le, bytes, self.plan.str_bytes as i32, small);
        self.asm.mov(bytes, 8);
        self.asm.bind(small);
    }

    /// `place op= value`; yields the new or the old value.
    pub fn update(&mut self, place: &Place, op: BinaryOp, value: &Expr, compute: Ty, old: bool) -> Res {
        let place = self.prepare(place)?;
        self.read_place(&place)?;
        let before = self.hold()?;
        self.scalar(value)?;
        // Both operands as the type that is computed in has them: `int /= unsigned` divides unsigned numbers.
        if !narrows_not(value.ty, compute) {
            self.canonical(compute);
        }
        self.asm.mov(Reg::R1, Reg::R0);
        self.peek(&before, Reg::R0);
        if !narrows_not(place.ty, compute) {
            self.canonical(compute);
        }
        self.operate(op, compute, true)?;
        self.canonical(place.ty);
        self.write_place(&place, !old)?;
        if old {
            self.take(before, Reg::R0);
        } else {
            self.release(before);
        }
        self.finish_place(place);
        Ok(())
    }

    /// Bumps a drop counter of this CPU; keeps nothing but `R6`..`R9`.
    pub fn count_drop(&mut self, kind: u32) {
        let routine = self.routine(super::runtime::Routine::Drop);
        self.asm.mov(Reg::R1, kind as i32);
        self.asm.call_func(routine);
    }
}

/// Bytes that a place of this type spans when it is part of an object.
fn access_bytes(ty: Ty) -> u32 {
    match ty {
        Ty::Int { bytes, .. } => u32::from(bytes),
        Ty::Bytes(n) => n,
        _ => 8,
    }
}

/// Is this string written by a subroutine? Those leave what they tried on the way after the string's NUL, and
/// the kernel compares the whole of a key.
fn from_subroutine(text: &Expr) -> bool {
    match &text.kind {
        ExprKind::Call(..) => true,
        ExprKind::Cond(_, yes, no) => from_subroutine(yes) || from_subroutine(no),
        ExprKind::Comma(_, last) => from_subroutine(last),
        ExprKind::Assign { value, .. } => from_subroutine(value),
        ExprKind::Cast(of) => from_subroutine(of),
        _ => false,
    }
}
