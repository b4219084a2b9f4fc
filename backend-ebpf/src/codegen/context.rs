//! The emitter of one BPF program: registers, stack slots, frame memory, places that fault.
//!
//! Conventions of a clause function: `R6` context, `R7` frame, results in `R0`,
//! `R8` and `R9` and then stack slots hold values over subexpressions. Strings and
//! objects are written where they are wanted: at an offset of the frame.

use super::asm::{Assembler, FuncId, Label, MapId};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, Layout};
use super::runtime::Routine;
use super::{Image, Input, MapDef, ProgramImage, SiteGroup};
use crate::kernel::{MapKind, MapSpec};
use duotrace_core::diagnostic::{Diag, Span, Tag};
use duotrace_core::ir::{ClauseId, Fault};
use std::collections::{BTreeMap, BTreeSet};

/// What lowering gives: a value or the finding that ends the clause.
pub(super) type Res<T = ()> = Result<T, Box<Diag>>;

/// Stack slots of a clause function, below the frame pointer.
pub(super) mod slot {
    pub const PROBE: i16 = -8;
    pub const COOKIE: i16 = -16;
    pub const FRAME: i16 = -24;
    pub const TIMESTAMP: i16 = -32;
    /// `bank * ncpu + cpu`.
    pub const BANK: i16 = -40;
    /// Map keys.
    pub const KEY: i16 = -48;
    /// Small reads.
    pub const BUFFER: i16 = -56;
    /// The address that is being read, for the fault.
    pub const ADDRESS: i16 = -64;
    /// The speculation to free when the record is out.
    pub const RELEASE: i16 = -80;
    /// This thread's value of `THREADS` once it is known, in clauses that ask for it more than once.
    pub const THREAD: i16 = -88;
    /// Process << 32 | thread once they are known, in clauses that ask for them more than once.
    pub const NUMBERS: i16 = -96;
    pub const FIRST_HOLD: i16 = -104;
}

/// Slots for held values: with the entry function and the deepest routine the chain stays below 512 bytes.
const HOLDS: i16 = 16;

/// A value put aside.
#[derive(Debug)]
pub(super) enum Hold {
    Reg(Reg),
    Slot(i16),
}

/// Whose arguments `argN` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgMode {
    Probe,
    /// An ERROR clause: the fault in the frame.
    Fault,
}

/// A fault's way out of line.
struct Stub {
    label: Label,
    fault: Fault,
    /// Is the address in `slot::ADDRESS`?
    address: bool,
    offset: u32,
    action: u32,
    span: u32,
}

/// State of the function that is being emitted.
pub(super) struct Func {
    free_regs: Vec<Reg>,
    free_slots: Vec<i16>,
    pub temp_top: u32,
    stubs: Vec<Stub>,
    pub clause: ClauseId,
    pub args: ArgMode,
    /// Number of the present action, from 1.
    pub action: u32,
    pub span: Span,
    /// Has the function a frame in `R7`?
    pub frame: bool,
    /// Is `slot::THREAD` in use?
    pub keeps_thread: bool,
    /// Is `slot::NUMBERS` in use?
    pub keeps_numbers: bool,
    /// Leaves the clause, `R0` set.
    pub leave: Label,
    /// Where an inlined clause ends.
    pub inlined: Option<Label>,
}

/// The table of source places that instructions are tagged with.
#[derive(Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    index: std::collections::HashMap<Span, u32>,
}

impl Spans {
    fn tag(&mut self, span: Span) -> u32 {
        if self.list.is_empty() {
            self.list.push(Span::default());
        }
        *self.index.entry(span).or_insert_with(|| {
            self.list.push(span);
            self.list.len() as u32 - 1
        })
    }
}

/// The emitter of one program.
pub(super) struct Gen<'a> {
    pub input: &'a Input<'a>,
    pub plan: &'a Layout,
    pub group: &'a SiteGroup,
    /// The group's number.
    pub index: u32,
    pub asm: Assembler,
    pub spans: &'a mut Spans,
    pub routines: BTreeMap<Routine, FuncId>,
    pub f: Func,
    /// Most bytes of temporaries in use at once.
    pub temps_high: u32,
}

/// Makes the programs for a plan.
pub(super) fn generate(input: &Input<'_>, plan: Layout) -> Result<Image, Vec<Diag>> {
    let mut spans = Spans::default();
    let mut diags: Vec<Diag> = Vec::new();
    let mut programs = Vec::new();
    let mut temps_high = 0;
    for (index, group) in input.groups.iter().enumerate() {
        let name = format!("dt_{index}");
        let mut generator = Gen::new(input, &plan, index as u32, group, &mut spans, &name);
        let found = generator.program();
        temps_high = temps_high.max(generator.temps_high);
        if !found.is_empty() {
            diags.extend(found);
            continue;
        }
        match generator.asm.finish() {
            Ok(code) => programs.push(ProgramImage { group: index, name, code }),
            Err(error) => diags.push(Diag::global(Tag::D_EBPF_TOOBIG, error.to_string())),
        }
    }
    if !diags.is_empty() {
        let mut unique: Vec<Diag> = Vec::new();
        diags.into_iter().for_each(|diag| {
            if !unique.contains(&diag) {
                unique.push(diag);
            }
        });
        return Err(unique);
    }
    let mut layout = plan;
    layout.temps_used = temps_high;
    let maps = maps(input, &layout, &programs);
    Ok(Image { maps, programs, layout, spans: spans.list })
}

/// Describes the maps that the programs refer to, and those that `session` always reads.
fn maps(input: &Input<'_>, plan: &Layout, programs: &[ProgramImage]) -> Vec<MapDef> {
    let mut used: BTreeSet<MapId> = [layout::CONTROL, layout::DROPS, layout::EVENTS].into();
    for program in programs {
        used.extend(program.code.map_refs.iter().map(|reference| reference.map));
    }
    let mapped =
        |name: &str, bytes: u32| MapSpec::array(MapKind::MmapArray, name, layout::round8(bytes).max(8), 1);
    used.into_iter()
        .map(|id| {
            let spec = match id {
                layout::CONTROL => mapped("control", layout::control::SPECULATIONS + (plan.nspec + 1) * 8),
                layout::DROPS => mapped("drops", plan.drop_stride * plan.ncpu),
                layout::EVENTS => MapSpec::ringbuf("events", input.limits.bufsize),
                layout::FRAMES => MapSpec::array(
                    MapKind::Array,
                    "frames",
                    plan.frame_bytes,
                    plan.ncpu * layout::FRAMES_PER_CPU,
                ),
                layout::GLOBALS => mapped("globals", plan.globals_bytes),
                layout::THREADS => MapSpec::task_storage("threads", plan.thread_bytes),
                layout::SLOTS => mapped("slots", plan.slot_stride * plan.ncpu * 2),
                layout::AGGS => MapSpec::array(MapKind::MmapArray, "aggs", plan.table_bytes, plan.ncpu * 2),
                layout::OBJECTS => MapSpec::hash(
                    MapKind::LruHash,
                    "objects",
                    8,
                    layout::unwind::HEAD + layout::unwind::OBJECTS * layout::unwind::OBJECT,
                    layout::unwind::PROCESSES,
                ),
                layout::ROWS => MapSpec::array(MapKind::MmapArray, "rows", 8, layout::unwind::ROWS),
                layout::KNOWN => mapped("known", layout::unwind::KNOWN * 16),
                layout::WAITS => super::lock::map(),
                layout::LOOKED_AT => MapSpec::hash(
                    MapKind::LruHash,
                    "looked_at",
                    8,
                    layout::threads::VALUE,
                    layout::threads::PROCESSES,
                ),
                layout::ON_CPU => MapSpec::array(MapKind::PercpuArray, "on_cpu", layout::on_cpu::BYTES, 1),
                layout::ACCOUNTS => MapSpec::task_storage("accounts", 8),
                layout::KEPT => MapSpec::task_storage("kept", layout::KEPT_WORDS * 8),
                layout::UNKNOWN => MapSpec::ringbuf("unknown", 4096),
                layout::STRANGERS => MapSpec::ringbuf("strangers", 4096),
                layout::NAMES => MapSpec::hash(
                    MapKind::Hash,
                    "names",
                    4,
                    4 * plan.str_bytes,
                    super::builtin::name_entries(input),
                ),
                layout::SYSCALLS => {
                    MapSpec::array(MapKind::Array, "syscalls", 4, 1024 * input.groups.len().max(1) as u32)
                }
                id => array_map(input, plan, id),
            };
            MapDef { id, spec, init: super::builtin::initial(input, plan, id) }
        })
        .collect()
}

/// An associative array's map.
fn array_map(input: &Input<'_>, plan: &Layout, id: MapId) -> MapSpec {
    let found = plan.vars.iter().zip(&input.program.variables).find_map(|(place, var)| match place {
        layout::VarPlace::Array { map, key_bytes, elem_bytes, .. } if *map == id => {
            let entries = (input.limits.dynvarsize / (key_bytes + elem_bytes)).max(1);
            Some(MapSpec::hash(MapKind::Hash, &var.name, *key_bytes, *elem_bytes, entries))
        }
        _ => None,
    });
    found.unwrap_or_else(|| MapSpec::array(MapKind::Array, "unknown", 8, 1))
}

impl<'a> Gen<'a> {
    fn new(
        input: &'a Input<'a>,
        plan: &'a Layout,
        index: u32,
        group: &'a SiteGroup,
        spans: &'a mut Spans,
        name: &str,
    ) -> Gen<'a> {
        let mut asm = Assembler::new(name);
        asm.allow_long_jumps(input.target.isa_v4);
        let leave = asm.label();
        let f = Func::new(ClauseId(0), Span::default(), leave);
        Gen { input, plan, group, index, asm, spans, routines: BTreeMap::new(), f, temps_high: 0 }
    }

    // --- source places and findings

    /// Tags what follows with a place of the script.
    pub fn at(&mut self, span: Span) -> Span {
        let tag = self.spans.tag(span);
        self.asm.set_span(tag);
        std::mem::replace(&mut self.f.span, span)
    }

    /// "X is not supported yet by the ebpf backend".
    pub fn unsupported<T>(&self, span: Span, what: &str) -> Res<T> {
        Err(Box::new(Diag::error(
            Tag::D_EBPF_UNSUP,
            span,
            format!("{what} is not supported yet by the ebpf backend"),
        )))
    }

    /// What cannot be done because offsets in kernel structures are not known.
    pub fn without_types<T>(&self, span: Span, what: &str) -> Res<T> {
        let message = format!("{what} needs the kernel's types, which this kernel does not tell (no BTF)");
        Err(Box::new(Diag::error(Tag::D_EBPF_UNSUP, span, message)))
    }

    // --- short forms

    pub fn emit(&mut self, insn: Insn) {
        self.asm.emit(insn);
    }

    pub fn alu(&mut self, op: Alu, dst: Reg, operand: impl Into<super::insn::Operand>) {
        self.asm.emit(Insn::alu64(op, dst, operand));
    }

    /// `reg = frame + offset`.
    pub fn frame_ptr(&mut self, reg: Reg, offset: u32) {
        self.asm.mov(reg, Reg::R7);
        if offset != 0 {
            self.alu(Alu::Add, reg, offset as i32);
        }
    }

    /// `reg = stack slot's address`.
    pub fn slot_ptr(&mut self, reg: Reg, slot: i16) {
        self.asm.mov(reg, Reg::R10);
        self.alu(Alu::Add, reg, i32::from(slot));
    }

    /// `dst = frame[offset]`; far offsets go through `dst`.
    pub fn frame_load(&mut self, size: Size, dst: Reg, offset: u32) {
        match i16::try_from(offset) {
            Ok(near) => self.asm.load(size, dst, Reg::R7, near),
            Err(_) => {
                self.frame_ptr(dst, offset);
                self.asm.load(size, dst, dst, 0);
            }
        }
    }

    /// `frame[offset] = src`; far offsets go through `R5`.
    pub fn frame_store(&mut self, size: Size, offset: u32, src: Reg) {
        match i16::try_from(offset) {
            Ok(near) => self.asm.store(size, Reg::R7, near, src),
            Err(_) => {
                self.frame_ptr(Reg::R5, offset);
                self.asm.store(size, Reg::R5, 0, src);
            }
        }
    }

    /// `frame[offset] = value` (8 bytes).
    pub fn frame_store_imm(&mut self, offset: u32, value: i64) {
        match (i16::try_from(offset), i32::try_from(value)) {
            (Ok(near), Ok(short)) => self.emit(Insn::st(Size::DW, Reg::R7, near, short)),
            _ => {
                self.asm.load_imm(Reg::R4, value);
                self.frame_store(Size::DW, offset, Reg::R4);
            }
        }
    }

    /// `R0 = map[index]` or null, for an array; the index is in `R0`.
    pub fn array_lookup(&mut self, map: MapId) {
        self.asm.store(Size::W, Reg::R10, slot::KEY, Reg::R0);
        self.asm.load_map(Reg::R1, map);
        self.slot_ptr(Reg::R2, slot::KEY);
        self.asm.call(Helper::MapLookupElem);
    }

    /// Copies a constant number of bytes; `dst` and `src` are set up by the caller in `R1` and `R3`.
    pub fn copy(&mut self, bytes: u32) {
        self.asm.load_imm(Reg::R2, i64::from(bytes));
        self.asm.call(Helper::ProbeReadKernel);
    }

    // --- held values

    /// Puts `R0` aside.
    pub fn hold(&mut self) -> Res<Hold> {
        let hold = self.reserve()?;
        self.put(&hold);
        Ok(hold)
    }

    /// A place for a value that is not there yet.
    pub fn reserve(&mut self) -> Res<Hold> {
        if let Some(reg) = self.f.free_regs.pop() {
            return Ok(Hold::Reg(reg));
        }
        match self.f.free_slots.pop() {
            Some(slot) => Ok(Hold::Slot(slot)),
            None => Err(Box::new(Diag::error(
                Tag::D_NOREG,
                self.f.span,
                "the expression is nested too deeply for the ebpf backend: store a part of it in a variable",
            ))),
        }
    }

    /// Stores `R0` in a reserved place.
    pub fn put(&mut self, hold: &Hold) {
        match *hold {
            Hold::Reg(reg) => self.asm.mov(reg, Reg::R0),
            Hold::Slot(slot) => self.asm.store(Size::DW, Reg::R10, slot, Reg::R0),
        }
    }

    /// `into =` the held value, which stays.
    pub fn peek(&mut self, hold: &Hold, into: Reg) {
        match *hold {
            Hold::Reg(reg) => self.asm.mov(into, reg),
            Hold::Slot(slot) => self.asm.load(Size::DW, into, Reg::R10, slot),
        }
    }

    /// `into =` the held value, whose place is free again.
    pub fn take(&mut self, hold: Hold, into: Reg) {
        self.peek(&hold, into);
        self.release(hold);
    }

    /// Frees a held value's place.
    pub fn release(&mut self, hold: Hold) {
        match hold {
            Hold::Reg(reg) => self.f.free_regs.push(reg),
            Hold::Slot(slot) => self.f.free_slots.push(slot),
        }
    }

    // --- temporaries in the frame

    /// Frame memory until [`Gen::free_temps`] is called with the mark from before.
    pub fn temp(&mut self, bytes: u32) -> Res<u32> {
        let at = self.f.temp_top;
        self.f.temp_top += layout::round8(bytes);
        self.temps_high = self.temps_high.max(self.f.temp_top);
        if self.f.temp_top > self.plan.temps_bytes {
            return Err(Box::new(Diag::error(
                Tag::D_NOREG,
                self.f.span,
                "the clause needs more temporary memory than the ebpf backend has",
            )));
        }
        Ok(self.plan.temps_at + at)
    }

    /// A temporary string.
    pub fn temp_str(&mut self) -> Res<u32> {
        self.temp(self.plan.str_bytes)
    }

    pub fn mark(&self) -> u32 {
        self.f.temp_top
    }

    pub fn free_temps(&mut self, mark: u32) {
        self.f.temp_top = mark;
    }

    // --- faults

    /// A label that ends the clause with a fault; `address`: `slot::ADDRESS` holds the bad address.
    pub fn fault(&mut self, fault: Fault, address: bool) -> Label {
        let label = self.asm.label();
        let offset = self.asm.len() as u32;
        let span = self.spans.tag(self.f.span);
        let action = self.f.action;
        self.f.stubs.push(Stub { label, fault, address, offset, action, span });
        label
    }

    /// Faults with the address in `reg` unless `fine` follows: `if R0 cond operand` is the failure.
    pub fn fault_if(&mut self, cond: Cond, operand: i32, fault: Fault, address: bool) {
        let label = self.fault(fault, address);
        self.asm.jump_if(cond, Reg::R0, operand, label);
    }

    /// Emits the ways out that faults take, and their common end.
    pub fn flush_faults(&mut self) {
        let stubs = std::mem::take(&mut self.f.stubs);
        if stubs.is_empty() {
            return;
        }
        let common = self.asm.label();
        for stub in &stubs {
            self.asm.set_span(stub.span);
            self.asm.bind(stub.label);
            if stub.address {
                self.asm.load(Size::DW, Reg::R3, Reg::R10, slot::ADDRESS);
            } else {
                self.asm.mov(Reg::R3, 0);
            }
            self.asm.mov(Reg::R1, stub.fault as i32);
            self.asm.load_imm(Reg::R2, i64::from(stub.offset) << 32 | i64::from(stub.action));
            self.asm.jump(common);
        }
        self.asm.bind(common);
        for (field, reg) in [
            (layout::frame::FAULT, Reg::R1),
            (layout::frame::FAULT_WHERE, Reg::R2),
            (layout::frame::FAULT_ADDRESS, Reg::R3),
        ] {
            self.asm.store(Size::DW, Reg::R7, field as i16, reg);
        }
        self.answer(super::fault::FAULTED);
    }

    /// Leaves the clause.
    pub fn answer(&mut self, value: i32) {
        match self.f.inlined {
            None => self.asm.ret(value),
            Some(end) => {
                self.asm.mov(Reg::R0, value);
                self.asm.jump(end);
            }
        }
    }

    /// The function's state is new: a clause begins.
    pub fn start_function(&mut self, clause: ClauseId, args: ArgMode, span: Span) {
        let leave = self.asm.label();
        self.f = Func::new(clause, span, leave);
        self.f.args = args;
        self.at(span);
    }
}

impl Func {
    fn new(clause: ClauseId, span: Span, leave: Label) -> Func {
        Func {
            free_regs: vec![Reg::R9, Reg::R8],
            free_slots: (0..HOLDS).rev().map(|n| slot::FIRST_HOLD - n * 8).collect(),
            temp_top: 0,
            stubs: Vec::new(),
            clause,
            args: ArgMode::Probe,
            action: 1,
            span,
            frame: false,
            keeps_thread: false,
            keeps_numbers: false,
            leave,
            inlined: None,
        }
    }
}
