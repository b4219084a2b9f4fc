//! From the library's description of a record to a clause's layout in the typed program.
//!
//! libdtrace says of each part: which action, how large, where. Parts that belong to one call stand together: a
//! printf's arguments (as many as its format takes), a printa's aggregations, `trunc(@a, n)`. The result is the same
//! [`RecordLayout`] that a compiled program has, and a list of moves that turns the library's bytes into that layout.
//! Worker and session both make the plan of a clause: the worker to know which addresses need names.

use crate::abi::{RecDesc, act, libact};
use crate::wire::Rec;
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{ActionDef, ActionKind, AggId, Field, RecordLayout, StackSpec, SymbolKind, Ty};
use duotrace_core::output::Format;
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

/// How the library keeps a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackShape {
    /// Oracle: depth and string size (4 bytes each), user or kernel, pid (4 each), frames.
    Oracle,
    /// Sun, kernel: frames.
    SunKernel,
    /// Sun, user: pid (8 bytes), as many frames as the argument's lower half says, strings.
    SunUser { frames: u32 },
}

/// A stack as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub user: bool,
    pub pid: u32,
    pub frames: Vec<u64>,
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

impl StackShape {
    /// The shape of a record with this action.
    pub fn of(desc: &RecDesc, dialect: &Dialect) -> StackShape {
        match desc.action {
            _ if dialect.oracle => StackShape::Oracle,
            act::USTACK | act::JSTACK => StackShape::SunUser { frames: desc.arg as u32 },
            _ => StackShape::SunKernel,
        }
    }

    /// Reads a stack; what is not there is not read.
    pub fn read(self, data: &[u8]) -> Stack {
        let (user, pid, first, count) = match self {
            StackShape::Oracle => (half(data, 8) != 0, half(data, 12), 16, half(data, 0)),
            StackShape::SunKernel => (false, 0, 0, MAX_FRAMES),
            StackShape::SunUser { frames } => {
                (true, half(data, if cfg!(target_endian = "big") { 4 } else { 0 }), 8, frames)
            }
        };
        let frames = data.get(first..).unwrap_or(&[]).chunks_exact(8).take(count.min(MAX_FRAMES) as usize);
        let frames = frames.map(|frame| word(frame, 0)).take_while(|pc| *pc != 0).collect();
        Stack { user, pid, frames }
    }
}

/// Builds a plan.
struct Builder<'a> {
    recs: &'a [Rec],
    data: &'a [u8],
    dialect: Dialect,
    plan: Plan,
    size: u32,
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

impl Builder<'_> {
    fn rec(&self, at: usize) -> Option<&Rec> {
        self.recs.get(at)
    }

    /// Adds the action that starts at a record; how many records it took.
    fn action(&mut self, at: usize) -> usize {
        let Some(rec) = self.rec(at) else { return 1 };
        let desc = rec.desc.clone();
        match desc.action {
            act::DIFEXPR => self.one(at, ActionKind::Trace),
            act::EXIT => self.one(at, ActionKind::Exit),
            act::STACK | act::USTACK | act::JSTACK => self.one(at, ActionKind::Stack),
            act::SYM | act::MOD | act::USYM | act::UMOD | act::UADDR => self.one(at, ActionKind::Symbol),
            act::PRINTF | act::SYSTEM | act::FREOPEN => self.formatted(at),
            act::PRINTA => self.printa(at),
            act::LIBACT => self.library_action(at),
            act::TRACEMEM => {
                let next = self.rec(at + 1).map(|next| (next.desc.action, next.desc.arg));
                let dynamic = match next {
                    Some((act::TRACEMEM_DYNSIZE, _)) => !self.dialect.oracle,
                    // DTRACE_TRACEMEM_DYNAMIC, then SIZE or SSIZE.
                    Some((act::TRACEMEM, 3 | 4)) => desc.arg == 2,
                    _ => false,
                };
                let first = self.first_field();
                let room = Ty::Bytes(desc.size);
                self.field(&desc, room, How::Copy);
                if dynamic && let Some(next) = self.rec(at + 1).map(|next| next.desc.clone()) {
                    self.value(&next);
                }
                self.push(ActionKind::Tracemem { dynamic }, first);
                1 + usize::from(dynamic)
            }
            // stop(), raise(), breakpoint() and their kin record nothing; the kernel has done them.
            0x200..=0x2ff | 0x300..=0x3ff | 0x500..=0x6ff => 1,
            // print() and whatever else there may be.
            _ => self.printed(at, 1),
        }
    }

    /// The library prints these records; its text is what we have.
    fn printed(&mut self, at: usize, count: usize) -> usize {
        let format = self.format(Format::parse("%s").unwrap_or_else(|_| Format::empty()));
        let first = self.first_field();
        let to = self.room(8 + TEXT_ROOM);
        let from = 0..0;
        self.plan.moves.push(Move { from, to: to as usize, how: How::Printed(at as u32) });
        self.plan.layout.fields.push(Field { offset: to, ty: Ty::Str });
        self.plan.printed.push(at as u32);
        self.push(ActionKind::Printf { format }, first);
        count
    }

    /// An action of one field.
    fn one(&mut self, at: usize, kind: ActionKind) -> usize {
        let first = self.first_field();
        if let Some(desc) = self.rec(at).map(|rec| rec.desc.clone())
            && desc.size > 0
        {
            self.value(&desc);
        }
        self.push(kind, first);
        1
    }

    /// printf(), system(), freopen(): as many records as the format takes, at least one.
    fn formatted(&mut self, at: usize) -> usize {
        let Some(rec) = self.rec(at) else { return 1 };
        let action = rec.desc.action;
        let source = rec.format.clone().unwrap_or_default();
        let Ok(format) = Format::parse(&source) else { return self.printed(at, 1) };
        let mut wanted = Vec::new();
        for conversion in format.conversions() {
            let stars = usize::from(conversion.dynamic_width) + usize::from(conversion.dynamic_precision);
            wanted.extend(std::iter::repeat_n("d", stars));
            if conversion.row.name != "%" && !conversion.aggregation {
                wanted.push(conversion.row.name);
            }
        }
        let first = self.first_field();
        for (index, name) in wanted.iter().enumerate() {
            let Some(desc) = self.rec(at + index).map(|rec| rec.desc.clone()) else { break };
            self.argument(&desc, name);
        }
        // What freopen("") becomes in the library: back to where output went before.
        let restores = action == act::FREOPEN && source == ".";
        let format = self.format(if restores { Format::empty() } else { format });
        let kind = match action {
            act::SYSTEM => ActionKind::System { format },
            act::FREOPEN => ActionKind::Freopen { format },
            _ => ActionKind::Printf { format },
        };
        self.push(kind, first);
        wanted.len().max(1)
    }

    /// An argument of a format, for the conversion of that name.
    fn argument(&mut self, desc: &RecDesc, name: &str) {
        match (name, desc.size) {
            ("k", _) if desc.size > 8 => {
                let user = self.is_user_stack(desc);
                self.stack_field(desc, user);
            }
            ("A", 16) => self.field(desc, Ty::Symbol(SymbolKind::Uaddr), How::Pair),
            ("a", 8) => self.field(desc, Ty::Symbol(SymbolKind::Sym), How::Copy),
            ("s" | "S" | "ws", size) if size > 8 => self.text(desc),
            // The conversion says whether the number has a sign, as in the library.
            (name, size @ (1 | 2 | 4 | 8)) => {
                let signed = name.ends_with(['d', 'i']);
                self.field(desc, Ty::Int { bytes: size as u8, signed }, How::Copy);
            }
            _ => self.value(desc),
        }
    }

    fn printa(&mut self, at: usize) -> usize {
        let Some(rec) = self.rec(at) else { return 1 };
        let (group, source) = (self.group(&rec.desc), rec.format.clone());
        let mut aggs = Vec::new();
        while let Some(desc) = self.rec(at + aggs.len()).map(|rec| rec.desc.clone()) {
            if desc.action != act::PRINTA || self.group(&desc) != group {
                break;
            }
            aggs.push(self.aggregation(&desc));
        }
        let format = match source.map(|source| Format::parse(&source)) {
            Some(Ok(format)) => Some(self.format(format)),
            Some(Err(_)) => return self.printed(at, aggs.len().max(1)),
            None => None,
        };
        let (count, first) = (aggs.len().max(1), self.first_field());
        self.plan.uses_aggregations = true;
        self.push(ActionKind::Printa { format, aggs }, first);
        count
    }

    /// What the records of one statement share.
    fn group(&self, desc: &RecDesc) -> u64 {
        if self.dialect.oracle { desc.arg } else { desc.uarg }
    }

    /// The aggregation whose number a record holds.
    fn aggregation(&mut self, desc: &RecDesc) -> AggId {
        let variable =
            integer(self.data, desc.offset as usize, desc.size as usize).clamp(1, MAX_AGGREGATIONS);
        self.plan.variables.push(variable);
        AggId((variable - 1) as u32)
    }

    fn library_action(&mut self, at: usize) -> usize {
        let Some(desc) = self.rec(at).map(|rec| rec.desc.clone()) else { return 1 };
        let next = self.rec(at + 1).map(|rec| rec.desc.clone());
        let next = next.filter(|n| n.action == act::LIBACT && n.arg == desc.arg);
        let first = self.first_field();
        let number = desc.arg.wrapping_sub(self.dialect.act_base);
        if !matches!(number, libact::FTRUNCATE | libact::SETOPT) {
            self.plan.uses_aggregations = true;
        }
        match number {
            libact::CLEAR => {
                let agg = self.aggregation(&desc);
                self.push(ActionKind::Clear { agg }, first);
                1
            }
            libact::DENORMALIZE => {
                let agg = self.aggregation(&desc);
                self.push(ActionKind::Denormalize { agg }, first);
                1
            }
            libact::TRUNC | libact::NORMALIZE => {
                let agg = self.aggregation(&desc);
                if let Some(next) = &next {
                    self.value(next);
                }
                let is_trunc = number == libact::TRUNC;
                let kind = if is_trunc { ActionKind::Trunc { agg } } else { ActionKind::Normalize { agg } };
                self.push(kind, first);
                1 + usize::from(next.is_some())
            }
            libact::FTRUNCATE => {
                self.push(ActionKind::Ftruncate, first);
                1
            }
            libact::SETOPT => {
                self.text(&desc);
                // No value is a number in its place.
                if let Some(value) = next.as_ref().filter(|value| value.size > 8) {
                    self.text(value);
                }
                self.push(ActionKind::Setopt, first);
                1 + usize::from(next.is_some())
            }
            _ => 1,
        }
    }

    fn is_user_stack(&self, desc: &RecDesc) -> bool {
        match desc.action {
            act::USTACK | act::JSTACK => true,
            act::STACK => false,
            // printf()'s argument: Oracle's header tells.
            _ => half(self.data, desc.offset as usize + 8) != 0,
        }
    }

    fn stack_field(&mut self, desc: &RecDesc, user: bool) {
        let shape = StackShape::of(desc, &self.dialect);
        let frames = (desc.size / 8).min(MAX_FRAMES);
        let ty = Ty::Stack(StackSpec { user, frames, strsize: 0 });
        self.field(desc, ty, How::Stack(shape));
    }

    /// A value by its action and size.
    fn value(&mut self, desc: &RecDesc) {
        match desc.action {
            act::STACK | act::USTACK | act::JSTACK => {
                let user = self.is_user_stack(desc);
                self.stack_field(desc, user);
            }
            act::SYM => self.field(desc, Ty::Symbol(SymbolKind::Sym), How::Copy),
            act::MOD => self.field(desc, Ty::Symbol(SymbolKind::Mod), How::Copy),
            act::USYM => self.field(desc, Ty::Symbol(SymbolKind::Usym), How::Pair),
            act::UMOD => self.field(desc, Ty::Symbol(SymbolKind::Umod), How::Pair),
            act::UADDR => self.field(desc, Ty::Symbol(SymbolKind::Uaddr), How::Pair),
            _ => {
                let is_reference = self.dialect.oracle && desc.action == act::DIFEXPR && desc.arg & 4 != 0;
                match desc.size {
                    1 | 2 | 4 | 8 if !is_reference => {
                        // Oracle says whether a trace()d integer has a sign; the Sun family prints those of 4 and
                        // 8 bytes with one.
                        let signed = match (self.dialect.oracle, desc.action) {
                            (true, act::DIFEXPR) => desc.arg & 1 != 0,
                            _ => desc.size >= 4,
                        };
                        self.field(desc, Ty::Int { bytes: desc.size as u8, signed }, How::Copy);
                    }
                    size if self.is_string(size) => self.text(desc),
                    size => self.field(desc, Ty::Bytes(size), How::Copy),
                }
            }
        }
    }

    fn is_string(&self, size: u32) -> bool {
        is_string(size, self.dialect.strsize)
    }

    fn text(&mut self, desc: &RecDesc) {
        self.field(desc, Ty::Str, How::Text);
    }

    fn field(&mut self, desc: &RecDesc, ty: Ty, how: How) {
        let start = desc.offset as usize;
        let mut from = start..start.saturating_add(desc.size as usize);
        // Count, pid and a word of slack for those that need them.
        let wanted = desc.size.saturating_add(24);
        if wanted.saturating_add(self.size) > MAX_RECORD {
            from = 0..0;
        }
        let to = self.room(if from.is_empty() { 24 } else { wanted });
        self.plan.moves.push(Move { from, to: to as usize, how });
        self.plan.layout.fields.push(Field { offset: to, ty });
    }

    /// Room in the record, aligned.
    fn room(&mut self, size: u32) -> u32 {
        let at = self.size;
        self.size = at.saturating_add(size.next_multiple_of(8));
        at
    }

    fn format(&mut self, format: Format) -> u32 {
        self.plan.formats.push(format);
        self.plan.formats.len() as u32 - 1
    }

    fn first_field(&self) -> u32 {
        self.plan.layout.fields.len() as u32
    }

    fn push(&mut self, kind: ActionKind, first: u32) {
        let fields = first..self.first_field();
        self.plan.layout.actions.push(ActionDef { kind, fields, span: Span::default() });
    }
}

/// Is a value of this size a string? The library gives strings `strsize` bytes, or one more.
pub fn is_string(size: u32, strsize: u32) -> bool {
    size > 8 && (size == strsize || size == strsize.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::Random;

    const ORACLE: Dialect = Dialect { oracle: true, act_base: 48, strsize: 256 };
    const SUN: Dialect = Dialect { oracle: false, act_base: 54, strsize: 256 };

    fn rec(action: u16, offset: u32, size: u32, arg: u64, format: Option<&str>) -> Rec {
        Rec {
            desc: RecDesc { action, size, offset, arg, ..RecDesc::default() },
            format: format.map(str::to_string),
        }
    }

    #[test]
    fn calls_take_their_records() {
        let recs = [
            rec(act::PRINTF, 0, 4, 0, Some("%d %s\n")),
            rec(act::PRINTF, 8, 256, 0, None),
            rec(act::PRINTF, 264, 0, 0, Some("hello")),
            rec(act::LIBACT, 264, 4, 48 + libact::TRUNC, None),
            rec(act::LIBACT, 268, 4, 48 + libact::TRUNC, None),
            rec(act::EXIT, 272, 4, 0, None),
        ];
        let mut data = vec![0; 276];
        data[..4].copy_from_slice(&7i32.to_ne_bytes());
        data[8..10].copy_from_slice(b"hi");
        data[264..268].copy_from_slice(&3i32.to_ne_bytes());
        let plan = Plan::new(&recs, &data, ORACLE);
        let kinds: Vec<_> = plan.layout.actions.iter().map(|a| a.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                ActionKind::Printf { format: 0 },
                ActionKind::Printf { format: 1 },
                ActionKind::Trunc { agg: AggId(2) },
                ActionKind::Exit,
            ]
        );
        assert!(plan.uses_aggregations);
        let mut out = Vec::new();
        plan.encode(&data, &[], &mut out);
        let text = plan.layout.fields[1].offset as usize;
        assert_eq!(word(&out, text), 2);
        assert_eq!(&out[text + 8..text + 10], b"hi");
    }

    #[test]
    fn stacks_of_both_families() {
        let mut oracle = Vec::new();
        for n in [2u32, 0, 1, 99] {
            oracle.extend_from_slice(&n.to_ne_bytes());
        }
        for pc in [0x10u64, 0x20, 0x30] {
            oracle.extend_from_slice(&pc.to_ne_bytes());
        }
        let stack = StackShape::Oracle.read(&oracle);
        assert_eq!(stack, Stack { user: true, pid: 99, frames: vec![0x10, 0x20] });
        let sun: Vec<u8> = [99u64, 0x10, 0, 0x30].iter().flat_map(|n| n.to_ne_bytes()).collect();
        let stack = StackShape::SunUser { frames: 3 }.read(&sun);
        assert_eq!(stack, Stack { user: true, pid: 99, frames: vec![0x10] });
        assert_eq!(StackShape::SunKernel.read(&sun[..16]).frames, [99, 0x10]);
        assert!(StackShape::Oracle.read(&[1, 2]).frames.is_empty());
    }

    #[test]
    fn printa_of_several_is_one_action() {
        let mut recs = vec![
            rec(act::PRINTA, 0, 8, 0, Some("%@d %@d\n")),
            rec(act::PRINTA, 8, 8, 0, None),
            rec(act::PRINTA, 16, 8, 0, None),
        ];
        recs[2].desc.uarg = 9;
        let data: Vec<u8> = [1u64, 2, 1].iter().flat_map(|n| n.to_ne_bytes()).collect();
        let plan = Plan::new(&recs, &data, SUN);
        assert_eq!(plan.layout.actions.len(), 2);
        assert_eq!(
            plan.layout.actions[0].kind,
            ActionKind::Printa { format: Some(0), aggs: vec![AggId(0), AggId(1)] }
        );
    }

    #[test]
    fn random_descriptions_and_data_never_panic() {
        let mut random = Random(0x5eed_0002);
        let actions =
            [1u16, 2, 3, 4, 5, 6, 7, 8, 0x101, 0x102, 0x103, 0x104, 0x105, 0x203, 0x204, 0x401, 0x402, 0x403];
        let formats = ["%d", "%s %k", "%*.*d", "%a %A", "%@d", "%", "%Y%%", ""];
        for round in 0..3000 {
            let dialect = if round % 2 == 0 { ORACLE } else { SUN };
            let recs: Vec<Rec> = (0..random.below(8))
                .map(|_| {
                    let huge = random.below(20) == 0;
                    let mut r = rec(
                        actions[random.below(actions.len() as u64) as usize],
                        if huge { random.next() as u32 } else { random.below(64) as u32 },
                        if random.below(200) == 0 { random.next() as u32 } else { random.below(80) as u32 },
                        dialect.act_base + random.below(40),
                        (random.below(2) == 0).then(|| formats[random.below(8) as usize]),
                    );
                    r.desc.uarg = random.below(2);
                    r
                })
                .collect();
            let n = random.below(200) as usize;
            let data = random.bytes(n);
            let plan = Plan::new(&recs, &data, dialect);
            let mut out = Vec::new();
            plan.encode(&data, &[(0, vec![1; 20])], &mut out);
            plan.addresses(&data, |_, _| {});
            for field in &plan.layout.fields {
                assert!(field.offset <= plan.layout.size);
            }
        }
    }
}
