//! Visiting every expression of a clause.

use super::{Clause, Expr, ExprKind, Place, PlaceKind, Program, Stmt, Subroutine, Ty};

/// Does a clause call any of these?
pub fn calls_any(clause: &Clause, subroutines: &[Subroutine]) -> bool {
    has_expr(clause, |expr| matches!(&expr.kind, ExprKind::Call(called, _) if subroutines.contains(called)))
}

/// Is any expression of a clause, its predicate included, such a one?
pub fn has_expr(clause: &Clause, is_one: impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    walk_clause(clause, &mut |expr| found |= is_one(expr));
    found
}

/// Visits every expression of a clause: its predicate, then its body.
pub fn walk_clause(clause: &Clause, look: &mut dyn FnMut(&Expr)) {
    clause.predicate.iter().for_each(|expr| walk(expr, look));
    walk_body(&clause.body, look);
}

/// Does a program take user stacks: as values, in records, in keys?
pub fn takes_user_stacks(program: &Program) -> bool {
    let is_one = |ty: &Ty| matches!(ty, Ty::Stack(spec) if spec.user);
    let fields = program.clauses.iter().flat_map(|clause| &clause.record.fields).map(|field| &field.ty);
    let keys = program.aggregations.iter().flat_map(|agg| &agg.key);
    fields.chain(keys).any(is_one)
        || program.clauses.iter().any(|clause| has_expr(clause, |expr| is_one(&expr.ty)))
}

/// Visits every expression of a body.
pub fn walk_body(body: &[Stmt], look: &mut dyn FnMut(&Expr)) {
    for stmt in body {
        match stmt {
            Stmt::Expr(expr) => walk(expr, look),
            Stmt::If { cond, then, otherwise } => {
                walk(cond, look);
                walk_body(then, look);
                walk_body(otherwise, look);
            }
            Stmt::Aggregate { key, value, increment, .. } => {
                key.iter().chain(value).chain(increment).for_each(|expr| walk(expr, look));
            }
            Stmt::Record { values, .. } => values.iter().for_each(|expr| walk(expr, look)),
            Stmt::Effect { args, .. } => args.iter().for_each(|expr| walk(expr, look)),
        }
    }
}

/// Visits an expression and all within it.
pub fn walk(expr: &Expr, look: &mut dyn FnMut(&Expr)) {
    use ExprKind as K;
    look(expr);
    match &expr.kind {
        K::Const(_) | K::StrConst(_) | K::StrNull | K::Builtin(_) | K::Arg(_) => {}
        K::Ureg(a)
        | K::StrOfBytes(a)
        | K::BitField { of: a, .. }
        | K::Extract { of: a, .. }
        | K::Unary(_, a)
        | K::StrIsNull(a)
        | K::Cast(a)
        | K::Load { addr: a, .. } => walk(a, look),
        K::LoadStr { addr, max, .. } => {
            walk(addr, look);
            max.iter().for_each(|max| walk(max, look));
        }
        K::Binary(_, a, b) | K::StrCompare(_, a, b) | K::Logical(_, a, b) | K::Comma(a, b) => {
            walk(a, look);
            walk(b, look);
        }
        K::Cond(a, b, c) => {
            walk(a, look);
            walk(b, look);
            walk(c, look);
        }
        K::Read(place) | K::AddressOf(place) => walk_place(place, look),
        K::Assign { place, value } | K::Update { place, value, .. } => {
            walk_place(place, look);
            walk(value, look);
        }
        K::Call(_, args) => args.iter().for_each(|arg| walk(arg, look)),
    }
}

fn walk_place(place: &Place, look: &mut dyn FnMut(&Expr)) {
    use PlaceKind as P;
    match &place.kind {
        P::Var { offset, .. } => offset.iter().for_each(|expr| walk(expr, look)),
        P::Elem { key, .. } => key.iter().for_each(|expr| walk(expr, look)),
        P::Mem { addr, .. } => walk(addr, look),
    }
}
