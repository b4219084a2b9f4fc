//! Builds a plan: groups the library's records into actions.

use super::{
    Dialect, How, MAX_AGGREGATIONS, MAX_FRAMES, MAX_RECORD, Move, Plan, StackShape, TEXT_ROOM, half, integer,
    is_string,
};
use crate::abi::{RecDesc, act, libact};
use crate::wire::Rec;
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{ActionDef, ActionKind, AggId, Field, StackSpec, SymbolKind, Ty};
use duotrace_core::output::Format;

/// Builds a plan.
pub(super) struct Builder<'a> {
    pub recs: &'a [Rec],
    pub data: &'a [u8],
    pub dialect: Dialect,
    pub plan: Plan,
    pub size: u32,
}

impl Builder<'_> {
    fn rec(&self, at: usize) -> Option<&Rec> {
        self.recs.get(at)
    }

    /// Adds the action that starts at a record; how many records it took.
    pub fn action(&mut self, at: usize) -> usize {
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
            // The library's compiler lets only strings and arrays of characters through, however short.
            ("s" | "S" | "ws", 1..) => self.text(desc),
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
