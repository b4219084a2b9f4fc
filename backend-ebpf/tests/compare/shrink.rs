//! Makes a program that shows a difference smaller, as long as it still does.

use duotrace_core::ir::*;

/// The smallest program found for which `fails` still holds.
pub fn shrink(mut program: Program, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    for _ in 0..6 {
        let mut changed = false;
        let mut at = 0;
        loop {
            let mut candidate = program.clone();
            let mut step = Step { at, seen: 0, variant: 0 };
            step.program(&mut candidate);
            if step.seen <= at {
                break;
            }
            let mut improved = false;
            for variant in 0..5 {
                let mut candidate = program.clone();
                let mut step = Step { at, seen: 0, variant };
                if step.program(&mut candidate) && fails(&candidate) {
                    program = candidate;
                    improved = true;
                    break;
                }
            }
            changed |= improved;
            if !improved {
                at += 1;
            }
        }
        if !changed {
            break;
        }
    }
    program
}

/// Changes the `at`-th thing of a program.
struct Step {
    at: usize,
    seen: usize,
    variant: usize,
}

impl Step {
    fn here(&mut self) -> bool {
        self.seen += 1;
        self.seen == self.at + 1
    }

    fn program(&mut self, program: &mut Program) -> bool {
        let mut done = false;
        for clause in &mut program.clauses {
            if let Some(predicate) = &mut clause.predicate {
                if self.here() && self.variant == 0 {
                    clause.predicate = None;
                    return true;
                }
                done |= self.expr(predicate);
            }
            done |= self.body(&mut clause.body);
        }
        done
    }

    fn body(&mut self, body: &mut Vec<Stmt>) -> bool {
        let mut index = 0;
        while index < body.len() {
            if self.here() {
                // A record's field that nothing fills is no difference.
                if matches!(body[index], Stmt::Record { .. }) {
                    return false;
                }
                let stmt = body.remove(index);
                if let (1.., Stmt::If { then, otherwise, .. }) = (self.variant, stmt) {
                    let inner = if self.variant == 1 { then } else { otherwise };
                    body.splice(index..index, inner);
                    return self.variant < 3;
                }
                return self.variant == 0;
            }
            let done = match &mut body[index] {
                Stmt::Expr(expr) => self.expr(expr),
                Stmt::If { cond, then, otherwise } => {
                    self.expr(cond) || self.body(then) || self.body(otherwise)
                }
                Stmt::Aggregate { key, value, increment, .. } => {
                    key.iter_mut().chain(value).chain(increment).any(|expr| self.expr(expr))
                }
                Stmt::Record { values, .. } => values.iter_mut().any(|expr| self.expr(expr)),
                Stmt::Effect { args, .. } => args.iter_mut().any(|expr| self.expr(expr)),
            };
            if done {
                return true;
            }
            index += 1;
        }
        false
    }

    fn expr(&mut self, expr: &mut Expr) -> bool {
        if self.here() {
            let ty = expr.ty;
            if self.variant == 0 {
                let kind = match ty {
                    Ty::Str => ExprKind::StrConst(b"x".to_vec()),
                    Ty::Int { .. } => ExprKind::Const(1),
                    _ => return false,
                };
                let same = matches!(expr.kind, ExprKind::Const(_) | ExprKind::StrConst(_));
                expr.kind = kind;
                return !same;
            }
            let mut parts: Vec<Expr> = parts(&mut expr.kind).into_iter().map(|part| part.clone()).collect();
            if self.variant == 4 {
                parts.reverse();
            }
            let mut fitting =
                parts.into_iter().filter(|part| part.ty == ty).skip(self.variant.saturating_sub(1) % 3);
            let Some(part) = fitting.next() else { return false };
            *expr = part;
            return true;
        }
        parts(&mut expr.kind).into_iter().any(|part| self.expr(part))
    }
}

fn place_parts(place: &mut Place) -> Vec<&mut Expr> {
    match &mut place.kind {
        PlaceKind::Var { offset, .. } => offset.iter_mut().map(|offset| &mut **offset).collect(),
        PlaceKind::Elem { key, .. } => key.iter_mut().collect(),
        PlaceKind::Mem { addr, .. } => vec![addr],
    }
}

fn parts(kind: &mut ExprKind) -> Vec<&mut Expr> {
    use ExprKind as K;
    match kind {
        K::Const(_) | K::StrConst(_) | K::StrNull | K::Builtin(_) | K::Arg(_) => Vec::new(),
        K::Ureg(a)
        | K::StrOfBytes(a)
        | K::BitField { of: a, .. }
        | K::Extract { of: a, .. }
        | K::Unary(_, a)
        | K::StrIsNull(a)
        | K::Cast(a)
        | K::Load { addr: a, .. } => vec![a],
        K::LoadStr { addr, max, .. } => std::iter::once(addr).chain(max).map(|a| &mut **a).collect(),
        K::Binary(_, a, b) | K::StrCompare(_, a, b) | K::Logical(_, a, b) | K::Comma(a, b) => vec![a, b],
        K::Cond(a, b, c) => vec![a, b, c],
        K::Read(place) | K::AddressOf(place) => place_parts(place),
        K::Assign { place, value } | K::Update { place, value, .. } => {
            let mut parts = place_parts(place);
            parts.push(value);
            parts
        }
        K::Call(_, args) => args.iter_mut().collect(),
    }
}
