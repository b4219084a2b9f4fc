//! Random well-typed programs: everything that both executors claim to do and that
//! gives the same answer whenever it is asked.

mod values;

use duotrace_core::aggregate::{AggFunc, Llquantize, Lquantize};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::*;
use duotrace_core::probe::{ProbeDesc, ProbeId};

/// xorshift64*: a seed is a program.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A number that is likely to be at the edge of something.
    pub fn number(&mut self) -> i64 {
        match self.below(8) {
            0 => self.next() as i64,
            1 => self.pick(&[i64::MIN, i64::MAX, i32::MIN as i64, i32::MAX as i64, u32::MAX as i64]),
            2 => (1i64 << self.below(63)) - self.below(2) as i64,
            3 => -(1i64 << self.below(63)),
            4 => 0,
            _ => self.below(40) as i64 - 8,
        }
    }
}

pub const INTS: [Ty; 8] = [
    Ty::Int { bytes: 1, signed: true },
    Ty::Int { bytes: 1, signed: false },
    Ty::Int { bytes: 2, signed: true },
    Ty::Int { bytes: 2, signed: false },
    Ty::I32,
    Ty::Int { bytes: 4, signed: false },
    Ty::I64,
    Ty::U64,
];

/// Memory that programs may read: where it is and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub address: u64,
    pub size: usize,
}

fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

pub fn canonical(value: i64, ty: Ty) -> i64 {
    match ty {
        Ty::Int { bytes: 1, signed: true } => value as i8 as i64,
        Ty::Int { bytes: 1, signed: false } => value as u8 as i64,
        Ty::Int { bytes: 2, signed: true } => value as i16 as i64,
        Ty::Int { bytes: 2, signed: false } => value as u16 as i64,
        Ty::Int { bytes: 4, signed: true } => value as i32 as i64,
        Ty::Int { bytes: 4, signed: false } => value as u32 as i64,
        _ => value,
    }
}

fn constant(value: i64, ty: Ty) -> Expr {
    expr(ExprKind::Const(canonical(value, ty)), ty)
}

fn cast(of: Expr, ty: Ty) -> Expr {
    if of.ty == ty { of } else { expr(ExprKind::Cast(Box::new(of)), ty) }
}

fn read(place: Place) -> Expr {
    let ty = place.ty;
    expr(ExprKind::Read(Box::new(place)), ty)
}

pub struct Generator {
    pub random: Random,
    memory: Memory,
    program: Program,
    /// Local variable that holds a pointer into scratch memory, if the program takes any.
    pointer: Option<VarId>,
    speculation: Option<VarId>,
    record: RecordLayout,
    depth: usize,
    /// At the top of a statement strings may be assigned to local variables.
    top: bool,
    /// The clause is one of the ERROR probe.
    errors: bool,
    /// Strings that are wanted here should not be NULL.
    solid: bool,
}

impl Generator {
    pub fn new(seed: u64, memory: Memory) -> Generator {
        Generator {
            random: Random::new(seed),
            memory,
            program: Program::default(),
            pointer: None,
            speculation: None,
            record: RecordLayout::default(),
            depth: 0,
            top: false,
            errors: false,
            solid: false,
        }
    }

    /// A program of some clauses of probe 1 (and 2), the last perhaps of the ERROR probe (3); how many are.
    pub fn program(mut self) -> (Program, usize) {
        self.program.strsize =
            if self.random.one_in(16) { 256 } else { self.random.pick(&[8, 9, 15, 16, 17, 24, 32]) };
        self.variables();
        self.aggregations();
        let clauses = 1 + self.random.below(3);
        let errors = usize::from(self.random.one_in(3));
        for index in 0..clauses + errors {
            let clause = self.clause(if index < clauses { 1 } else { 3 });
            self.program.clauses.push(clause);
        }
        (self.program, errors)
    }

    fn variable(&mut self, scope: Scope, ty: Ty, key: Option<Vec<Ty>>) -> VarId {
        let id = VarId(self.program.variables.len() as u32);
        let name = format!("v{}", id.0);
        self.program.variables.push(Variable { name, scope, ty, key, span: Span::default() });
        id
    }

    fn variables(&mut self) {
        for _ in 0..2 + self.random.below(6) {
            let scope = self.random.pick(&[Scope::Global, Scope::ThreadLocal, Scope::ClauseLocal]);
            let ty = match self.random.below(6) {
                0 | 1 => Ty::Str,
                2 => Ty::Bytes(self.random.pick(&[4, 8, 12, 16, 24])),
                _ => self.random.pick(&INTS),
            };
            let key = (scope != Scope::ClauseLocal && self.random.one_in(3)).then(|| {
                (0..1 + self.random.below(2))
                    .map(|_| if self.random.one_in(2) { Ty::Str } else { self.random.pick(&INTS) })
                    .collect()
            });
            self.variable(scope, ty, key);
        }
        if self.random.one_in(3) {
            self.pointer = Some(self.variable(Scope::ClauseLocal, Ty::U64, None));
        }
        if self.random.one_in(6) {
            self.speculation = Some(self.variable(Scope::Global, Ty::I32, None));
        }
    }

    fn aggregations(&mut self) {
        for index in 0..self.random.below(3) {
            let func = match self.random.below(9) {
                0 => AggFunc::Count,
                1 => AggFunc::Sum,
                2 => AggFunc::Min,
                3 => AggFunc::Max,
                4 => AggFunc::Avg,
                5 => AggFunc::Stddev,
                6 => AggFunc::Quantize,
                7 => {
                    let base = self.random.below(20) as i32 - 10;
                    let step = 1 + self.random.below(9) as u16;
                    AggFunc::Lquantize(Lquantize { base, step, levels: 1 + self.random.below(20) as u16 })
                }
                _ => {
                    let (factor, nsteps) = self.random.pick(&[(10, 10), (10, 20), (2, 2), (4, 4), (2, 4)]);
                    let low = self.random.below(2) as u16;
                    let high = low + 1 + self.random.below(3) as u16;
                    AggFunc::Llquantize(Llquantize { factor, low, high, nsteps })
                }
            };
            let key = (0..self.random.below(4))
                .map(|_| match self.random.below(5) {
                    0 | 1 => Ty::Str,
                    2 => Ty::Bytes(self.random.pick(&[4, 8, 12])),
                    _ => self.random.pick(&INTS),
                })
                .collect();
            let name = format!("a{index}");
            let def = AggregationDef { name, func, key, signed: true, span: Span::default() };
            self.program.aggregations.push(def);
        }
    }

    fn clause(&mut self, probe: u32) -> Clause {
        self.record = RecordLayout::default();
        self.errors = probe == 3;
        let predicate = self.random.one_in(4).then(|| self.number(Ty::I32, 3));
        let mut body = Vec::new();
        if let Some(pointer) = self.pointer.filter(|_| self.program.clauses.is_empty()) {
            let call = expr(ExprKind::Call(Subroutine::Alloca, vec![constant(64, Ty::U64)]), Ty::U64);
            let place = Box::new(self.var_place(pointer, Ty::U64));
            body.push(Stmt::Expr(expr(ExprKind::Assign { place, value: Box::new(call) }, Ty::U64)));
        }
        for _ in 0..1 + self.random.below(4) {
            let stmt = self.statement(2);
            body.push(stmt);
        }
        let mut record = std::mem::take(&mut self.record);
        let mut offset = if record.present { record.actions.len().div_ceil(64) as u32 * 8 } else { 0 };
        for field in &mut record.fields {
            let (size, align) = match field.ty {
                Ty::Int { bytes, .. } => (bytes.into(), bytes.into()),
                Ty::Str => (8 + self.program.strsize.next_multiple_of(8), 8),
                Ty::Bytes(n) => (n.next_multiple_of(8), 8),
                _ => (8, 8),
            };
            field.offset = offset.next_multiple_of(align);
            offset = field.offset + size;
        }
        record.size = offset.next_multiple_of(8);
        let enabling = Enabling {
            desc: ProbeDesc::default(),
            probes: if probe == 1 { vec![ProbeId(2), ProbeId(1)] } else { vec![ProbeId(probe)] },
            span: Span::default(),
        };
        Clause { probes: vec![enabling], predicate, body, record, span: Span::default() }
    }

    fn statement(&mut self, depth: usize) -> Stmt {
        match self.random.below(14) {
            0 | 1 if depth > 0 => {
                let cond = self.number(Ty::I32, 3);
                self.depth += 1;
                let mut block = |n: usize| (0..n).map(|_| self.statement(depth - 1)).collect::<Vec<_>>();
                let then = block(1);
                let otherwise = block(depth - 1);
                self.depth -= 1;
                Stmt::If { cond, then, otherwise }
            }
            2..=4 if !self.program.aggregations.is_empty() => self.aggregate(),
            5 if self.pointer.is_some() => self.scratch(),
            6 if self.speculation.is_some() => self.speculate(),
            7..=9 => self.trace(),
            _ => {
                self.top = true;
                Stmt::Expr(self.assignment(3))
            }
        }
    }

    fn aggregate(&mut self) -> Stmt {
        let agg = self.random.below(self.program.aggregations.len());
        let def = self.program.aggregations[agg].clone();
        let key = def.key.iter().map(|ty| self.value(*ty, 3)).collect();
        let value = (def.func != AggFunc::Count).then(|| self.number(Ty::I64, 3));
        let increment = (def.func.is_quantizing() && self.random.one_in(3)).then(|| self.number(Ty::I64, 2));
        Stmt::Aggregate { agg: AggId(agg as u32), key, value, increment, span: Span::default() }
    }

    fn scratch(&mut self) -> Stmt {
        let Some(pointer) = self.pointer else { return self.trace() };
        let call = if self.random.one_in(2) {
            let size = self.small(64);
            expr(ExprKind::Call(Subroutine::Alloca, vec![size]), Ty::U64)
        } else {
            let (address, size) = (self.address(), self.small(64));
            expr(ExprKind::Call(Subroutine::Copyin, vec![address, size]), Ty::U64)
        };
        let place = self.var_place(pointer, Ty::U64);
        Stmt::Expr(expr(ExprKind::Assign { place: Box::new(place), value: Box::new(call) }, Ty::U64))
    }

    fn speculate(&mut self) -> Stmt {
        let Some(id) = self.speculation else { return self.trace() };
        let place = self.var_place(id, Ty::I32);
        let effect = match self.random.below(4) {
            0 => Effect::Speculate,
            1 => Effect::Commit,
            2 => Effect::Discard,
            _ => {
                let call = expr(ExprKind::Call(Subroutine::Speculation, Vec::new()), Ty::I32);
                let assign = ExprKind::Assign { place: Box::new(place), value: Box::new(call) };
                return Stmt::Expr(expr(assign, Ty::I32));
            }
        };
        Stmt::Effect { effect, args: vec![read(place)], span: Span::default() }
    }

    /// A `trace()` of some values.
    fn trace(&mut self) -> Stmt {
        let first = self.record.fields.len() as u32;
        let mut values = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let ty = match self.random.below(5) {
                0 | 1 => Ty::Str,
                2 => Ty::Bytes(self.random.pick(&[4, 8, 12, 16])),
                _ => self.random.pick(&INTS),
            };
            self.record.fields.push(Field { offset: 0, ty });
            values.push(self.value(ty, 4));
        }
        let action = self.record.actions.len() as u32;
        let fields = first..first + values.len() as u32;
        self.record.present |= self.depth > 0;
        self.record.actions.push(ActionDef { kind: ActionKind::Trace, fields, span: Span::default() });
        Stmt::Record { action, values, span: Span::default() }
    }
}
