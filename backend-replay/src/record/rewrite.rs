//! Expressions that leave what they read in clause-local variables.

use super::{DONE, STATUS, TRIED, assign, comma, constant, expr, is, read};
use crate::synthetic::is_text;
use duotrace_core::ir::*;
use std::collections::BTreeSet;

/// Largest `copyin()` that is recorded.
const LARGEST: i64 = 4096;

/// What a place in the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SiteKind {
    /// Memory at the address in the site's second variable; the value's type is that of the third.
    Memory(Space, Ty),
    /// An answer of the system, about what lies at the address in the second variable if there is one.
    Answer(Ty),
    /// A variable of the script.
    Variable(Ty),
    /// An address that is shown as a symbol.
    Symbol(SymbolKind),
}

/// A place in the program that reads something, and the variables that say what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub kind: SiteKind,
    pub status: VarId,
    pub address: Option<VarId>,
    pub value: VarId,
}

/// What the firing of a clause reads besides its sites.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    pub numbers: BTreeSet<Builtin>,
    pub texts: BTreeSet<Builtin>,
    pub args: BTreeSet<u32>,
    pub registers: BTreeSet<u32>,
    /// Frames wanted of the kernel's and of the user stack.
    pub stacks: [Option<u32>; 2],
    pub sites: Vec<Site>,
    pub exits: bool,
}

/// Rewrites one clause.
pub(super) struct Rewriter<'a> {
    pub variables: &'a mut Vec<Variable>,
    /// Variables that hold the firing's one reading of each clock.
    pub clocks: &'a [(Builtin, VarId)],
    pub exiting: VarId,
    /// Can the clause's probes interrupt a firing of others? Then what its variables hold is kept, too.
    pub interrupts: bool,
    pub reads: Reads,
    /// The clause's record: a number may be shown as a symbol.
    pub layout: &'a RecordLayout,
    /// What cannot be recorded, in words.
    pub notes: &'a mut Vec<String>,
}

/// A new clause-local variable.
pub(super) fn local(variables: &mut Vec<Variable>, name: String, ty: Ty) -> VarId {
    let id = VarId(variables.len() as u32);
    let span = duotrace_core::diagnostic::Span::default();
    variables.push(Variable { name, scope: Scope::ClauseLocal, ty, key: None, span });
    id
}

impl Rewriter<'_> {
    fn local(&mut self, what: &str, ty: Ty) -> VarId {
        let name = format!("__{what}{}", self.variables.len());
        local(self.variables, name, ty)
    }

    pub fn body(&mut self, body: Vec<Stmt>) -> Vec<Stmt> {
        body.into_iter().map(|stmt| self.statement(stmt)).collect()
    }

    fn statement(&mut self, stmt: Stmt) -> Stmt {
        match stmt {
            Stmt::Expr(expr) => Stmt::Expr(self.expr(expr)),
            Stmt::If { cond, then, otherwise } => {
                let cond = self.expr(cond);
                Stmt::If { cond, then: self.body(then), otherwise: self.body(otherwise) }
            }
            Stmt::Aggregate { agg, key, value, increment, span } => {
                // Strings are evaluated after all other parts: their sites come after theirs.
                let mut parts: Vec<Option<Expr>> = vec![None; key.len()];
                for strings in [false, true] {
                    for (part, out) in key.iter().zip(&mut parts) {
                        if (part.ty == Ty::Str) == strings {
                            *out = Some(self.shown(part.clone()));
                        }
                    }
                }
                let key = parts.into_iter().flatten().collect();
                let value = value.map(|value| self.expr(value));
                let increment = increment.map(|value| self.expr(value));
                Stmt::Aggregate { agg, key, value, increment, span }
            }
            Stmt::Record { action, values, span } => {
                let layout = self.layout;
                let fields = layout.actions.get(action as usize).map_or(0..0, |action| action.fields.clone());
                let types = fields.map(|field| layout.fields.get(field as usize).map(|field| field.ty));
                let values = values.into_iter().zip(types.chain(std::iter::repeat(None)));
                let values = values.map(|(value, shown)| match shown {
                    Some(Ty::Symbol(kind)) => self.symbol(value, kind),
                    _ => self.shown(value),
                });
                let values = values.collect();
                Stmt::Record { action, values, span }
            }
            Stmt::Effect { effect: Effect::ExitFlag, span, .. } => {
                // The recorder's clause is still to come; it ends the run.
                self.reads.exits = true;
                let exiting = assign(self.exiting, constant(1, STATUS));
                Stmt::Expr(Expr { span, ..exiting })
            }
            Stmt::Effect { effect, args, span } => {
                let args = args.into_iter().map(|arg| self.expr(arg)).collect();
                Stmt::Effect { effect, args, span }
            }
        }
    }

    /// A value that leaves the firing: stacks and symbols need more than their value.
    fn shown(&mut self, value: Expr) -> Expr {
        match value.ty {
            Ty::Symbol(kind) => self.symbol(value, kind),
            _ => self.expr(value),
        }
    }

    /// An address that is shown by name: kept, so that the name is asked for while its process lives.
    fn symbol(&mut self, value: Expr, kind: SymbolKind) -> Expr {
        let ty = value.ty;
        let status = self.local("s", STATUS);
        let address = self.local("y", Ty::U64);
        self.reads.sites.push(Site { kind: SiteKind::Symbol(kind), status, address: None, value: address });
        let inner = self.expr(value);
        let kept = assign(address, expr(ExprKind::Cast(Box::new(inner)), Ty::U64));
        let marked = comma(kept, assign(status, constant(DONE, STATUS)));
        comma(marked, expr(ExprKind::Cast(Box::new(read(address, Ty::U64))), ty))
    }

    // The box is taken as it is: that is how expressions hold each other.
    #[allow(clippy::boxed_local)]
    fn boxed(&mut self, expr: Box<Expr>) -> Box<Expr> {
        Box::new(self.expr(*expr))
    }

    pub fn expr(&mut self, whole: Expr) -> Expr {
        let Expr { kind, ty, span } = whole;
        if let (Ty::Stack(spec), ExprKind::Const(_)) = (ty, &kind) {
            let frames = &mut self.reads.stacks[usize::from(spec.user)];
            *frames = Some(frames.unwrap_or(0).max(spec.frames));
        }
        let kind = match kind {
            ExprKind::Builtin(builtin) => return self.builtin(builtin, ty),
            ExprKind::Arg(n) => {
                self.reads.args.insert(n);
                ExprKind::Arg(n)
            }
            ExprKind::Ureg(index) => {
                match index.kind {
                    ExprKind::Const(n) => {
                        self.reads.registers.insert(n as u32);
                    }
                    _ => self.notes.push("uregs[] with a computed index".into()),
                }
                ExprKind::Ureg(self.boxed(index))
            }
            ExprKind::Const(_) | ExprKind::StrConst(_) | ExprKind::StrNull => kind,
            ExprKind::Read(at) => match *at {
                Place { kind: PlaceKind::Mem { addr, space }, ty: unit, bits, span } => {
                    let address = self.expr(*addr);
                    let whole = self.memory(address, space, unit, |address| {
                        let kind = PlaceKind::Mem { addr: Box::new(address), space };
                        expr(ExprKind::Read(Box::new(Place { kind, ty: unit, bits: None, span })), unit)
                    });
                    return match bits {
                        Some((shift, bits)) => {
                            expr(ExprKind::BitField { of: Box::new(whole), shift, bits }, ty)
                        }
                        None => whole,
                    };
                }
                other => return self.variable(other, ty, span),
            },
            ExprKind::AddressOf(at) => ExprKind::AddressOf(Box::new(self.place(*at))),
            ExprKind::Load { addr, space } => {
                let address = self.expr(*addr);
                return self.memory(address, space, ty, |address| {
                    expr(ExprKind::Load { addr: Box::new(address), space }, ty)
                });
            }
            ExprKind::LoadStr { addr, space, max } => {
                let max = max.map(|max| self.boxed(max));
                let address = self.expr(*addr);
                return self.memory(address, space, Ty::Str, |address| {
                    expr(ExprKind::LoadStr { addr: Box::new(address), space, max }, Ty::Str)
                });
            }
            ExprKind::StrOfBytes(of) => ExprKind::StrOfBytes(self.boxed(of)),
            ExprKind::BitField { of, shift, bits } => ExprKind::BitField { of: self.boxed(of), shift, bits },
            ExprKind::Extract { of, offset } => ExprKind::Extract { of: self.boxed(of), offset },
            ExprKind::Unary(op, of) => ExprKind::Unary(op, self.boxed(of)),
            ExprKind::Binary(op, a, b) => ExprKind::Binary(op, self.boxed(a), self.boxed(b)),
            ExprKind::StrCompare(op, a, b) => ExprKind::StrCompare(op, self.boxed(a), self.boxed(b)),
            ExprKind::StrIsNull(of) => ExprKind::StrIsNull(self.boxed(of)),
            ExprKind::Logical(op, a, b) => ExprKind::Logical(op, self.boxed(a), self.boxed(b)),
            ExprKind::Cond(a, b, c) => ExprKind::Cond(self.boxed(a), self.boxed(b), self.boxed(c)),
            ExprKind::Cast(of) => ExprKind::Cast(self.boxed(of)),
            ExprKind::Assign { place, value } => {
                let place = Box::new(self.place(*place));
                ExprKind::Assign { place, value: self.boxed(value) }
            }
            ExprKind::Update { place, op, value, compute, old } => {
                let place = Box::new(self.place(*place));
                ExprKind::Update { place, op, value: self.boxed(value), compute, old }
            }
            ExprKind::Comma(a, b) => ExprKind::Comma(self.boxed(a), self.boxed(b)),
            ExprKind::Call(subroutine, args) => {
                let args = args.into_iter().map(|arg| self.expr(arg)).collect();
                return Expr { span, ..self.call(subroutine, args, ty) };
            }
        };
        Expr { kind, ty, span }
    }

    /// The value of a variable, kept where another firing may be in the midst of changing it.
    fn variable(&mut self, at: Place, ty: Ty, span: duotrace_core::diagnostic::Span) -> Expr {
        let kept = self.interrupts && is_kept(&at, self.variables);
        let at = self.place(at);
        let plain = Expr { kind: ExprKind::Read(Box::new(at)), ty, span };
        if !kept {
            return plain;
        }
        let (status, value) = (self.local("s", STATUS), self.local("k", ty));
        self.reads.sites.push(Site { kind: SiteKind::Variable(ty), status, address: None, value });
        let done = comma(assign(value, plain), assign(status, constant(DONE, STATUS)));
        comma(done, read(value, ty))
    }

    fn place(&mut self, place: Place) -> Place {
        let kind = match place.kind {
            PlaceKind::Var { var, offset } => {
                PlaceKind::Var { var, offset: offset.map(|offset| self.boxed(offset)) }
            }
            PlaceKind::Elem { var, key, offset } => {
                let key = key.into_iter().map(|part| self.expr(part)).collect();
                PlaceKind::Elem { var, key, offset }
            }
            // Only scratch memory can be written: nothing is read there that the script has not put there.
            PlaceKind::Mem { addr, space } => PlaceKind::Mem { addr: self.boxed(addr), space },
        };
        Place { kind, ..place }
    }

    fn builtin(&mut self, builtin: Builtin, ty: Ty) -> Expr {
        let plain = expr(ExprKind::Builtin(builtin), ty);
        match builtin {
            // The record's own header has these, or the replay knows them.
            Builtin::Pid | Builtin::Cpu | Builtin::Epid | Builtin::Id => plain,
            Builtin::Probemod | Builtin::Probefunc | Builtin::Probename | Builtin::Tid => plain,
            Builtin::Timestamp | Builtin::Vtimestamp | Builtin::Walltimestamp => {
                self.reads.numbers.insert(builtin);
                let clock = self.clocks.iter().find(|(which, _)| *which == builtin);
                let Some((_, var)) = clock else { return plain };
                // One reading for the whole firing, as DTrace has it.
                expr_clock(*var, builtin, ty)
            }
            builtin if ty == Ty::Str || is_text(builtin) => {
                self.reads.texts.insert(builtin);
                plain
            }
            builtin => {
                self.reads.numbers.insert(builtin);
                plain
            }
        }
    }

    /// `access` of an address, with the address, how it went and what came kept.
    fn memory(&mut self, address: Expr, space: Space, ty: Ty, access: impl FnOnce(Expr) -> Expr) -> Expr {
        self.asked(SiteKind::Memory(space, ty), address, ty, access)
    }

    /// What `access` says of an address, likewise.
    fn asked(&mut self, kind: SiteKind, address: Expr, ty: Ty, access: impl FnOnce(Expr) -> Expr) -> Expr {
        let status = self.local("s", STATUS);
        let (at, value) = (self.local("a", Ty::U64), self.local("v", ty));
        self.reads.sites.push(Site { kind, status, address: Some(at), value });
        let address = comma(
            assign(at, expr(ExprKind::Cast(Box::new(address)), Ty::U64)),
            assign(status, constant(TRIED, STATUS)),
        );
        let loaded = comma(address, assign(value, access(read(at, Ty::U64))));
        let done = comma(loaded, assign(status, constant(DONE, STATUS)));
        comma(done, read(value, ty))
    }

    fn call(&mut self, subroutine: Subroutine, mut args: Vec<Expr>, ty: Ty) -> Expr {
        use Subroutine::*;
        // (which argument is the address, how many bytes are read there)
        let reads = match (subroutine, args.as_slice()) {
            (Copyin | Copyinto, [_, size, ..]) => Some((0, constant_size(size), Space::User)),
            (Bcopy, [_, _, size]) => Some((0, constant_size(size), Space::Any)),
            (InetNtoa, [_]) => Some((0, Some(4), Space::Any)),
            (InetNtoa6, [_, ..]) => Some((0, Some(16), Space::Any)),
            (InetNtop, [family, _]) => {
                let size = if constant_size(family) == Some(2) { 4 } else { 16 };
                Some((1, Some(size), Space::Any))
            }
            // Six bytes of Ethernet's, or Infiniband's twenty.
            (LinkNtop, [kind, _]) => {
                let size = if constant_size(kind) == Some(32) { 20 } else { 6 };
                Some((1, Some(size), Space::Any))
            }
            _ => None,
        };
        match reads {
            Some((which, Some(size), space)) if (1..=LARGEST).contains(&size) => {
                let Some(argument) = args.get_mut(which) else {
                    return expr(ExprKind::Call(subroutine, args), ty);
                };
                let address = std::mem::replace(argument, constant(0, Ty::U64));
                let unit = Ty::Bytes(size as u32);
                let loaded = self.memory(address, space, unit, |address| {
                    expr(ExprKind::Load { addr: Box::new(address), space }, unit)
                });
                let at = self.reads.sites.last().and_then(|site| site.address);
                if let (Some(argument), Some(at)) = (args.get_mut(which), at) {
                    *argument = read(at, Ty::U64);
                }
                return comma(loaded, expr(ExprKind::Call(subroutine, args), ty));
            }
            Some(_) => {
                self.notes
                    .push(format!("memory read by {subroutine:?}() with a computed size").to_lowercase());
            }
            None => {}
        }
        match (subroutine, args.as_mut_slice()) {
            (Rand | Progenyof, _) => {
                let (status, value) = (self.local("s", STATUS), self.local("r", ty));
                self.reads.sites.push(Site { kind: SiteKind::Answer(ty), status, address: None, value });
                let call = expr(ExprKind::Call(subroutine, args), ty);
                let done = comma(assign(value, call), assign(status, constant(DONE, STATUS)));
                comma(done, read(value, ty))
            }
            // What lies there is of no use to anybody else: the answer, or that there was none.
            (
                DPath | MutexOwned | MutexOwner | MutexTypeAdaptive | MutexTypeSpin | RwReadHeld
                | RwWriteHeld | RwIswriter,
                [argument],
            ) => {
                let argument = std::mem::replace(argument, constant(0, Ty::U64));
                let call = |address| expr(ExprKind::Call(subroutine, vec![address]), ty);
                self.asked(SiteKind::Answer(ty), argument, ty, call)
            }
            _ => expr(ExprKind::Call(subroutine, args), ty),
        }
    }
}

/// Is a place one whose value is kept when it is read? What outlives a firing, numbers and strings. The interpreter asks
/// the same when it reads, so that the values come back in their order.
pub(crate) fn is_kept(at: &Place, variables: &[Variable]) -> bool {
    let (PlaceKind::Var { var, .. } | PlaceKind::Elem { var, .. }) = &at.kind else { return false };
    let lives_on = variables.get(var.0 as usize).is_some_and(|var| var.scope != Scope::ClauseLocal);
    lives_on && at.bits.is_none() && matches!(at.ty, Ty::Int { .. } | Ty::Str)
}

/// The firing's reading of a clock, made at the first use.
pub(super) fn expr_clock(var: VarId, builtin: Builtin, ty: Ty) -> Expr {
    let first = assign(var, expr(ExprKind::Builtin(builtin), ty));
    expr(ExprKind::Cond(Box::new(is(var, ty, 0)), Box::new(first), Box::new(read(var, ty))), ty)
}

fn constant_size(size: &Expr) -> Option<i64> {
    match &size.kind {
        ExprKind::Const(size) => Some(*size),
        ExprKind::Cast(of) => constant_size(of),
        _ => None,
    }
}
