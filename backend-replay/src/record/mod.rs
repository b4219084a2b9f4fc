//! `--record`: a program that also tells what it read.
//!
//! The recorder is a rewriting of the typed program, so that every backend records
//! without knowing it. `rewrite` makes each read of memory, each answer of the
//! system and each reading of the clock go through clause-local variables;
//! `plan` adds, after the script's clauses, one clause for each set of clauses
//! that fire together: its record is the event. `session` takes those records
//! out of the stream and writes them to a file; `types` keeps what the compiler asks of
//! the kernel's types.

mod plan;
mod rewrite;
mod session;
mod types;

#[cfg(test)]
mod tests;

pub use plan::{Plan, plan};
pub(crate) use rewrite::is_kept;
pub use session::{Recording, Summary};
pub use types::Watched;

use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Place, PlaceKind, Ty, VarId};

/// `uint8_t`: how far a site has come.
const STATUS: Ty = Ty::Int { bytes: 1, signed: false };
/// A site's status: it was tried, and it succeeded.
const TRIED: i64 = 1;
const DONE: i64 = 2;

fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn constant(value: i64, ty: Ty) -> Expr {
    expr(ExprKind::Const(value), ty)
}

fn place(var: VarId, ty: Ty) -> Box<Place> {
    Box::new(Place { kind: PlaceKind::Var { var, offset: None }, ty, bits: None, span: Span::default() })
}

fn read(var: VarId, ty: Ty) -> Expr {
    expr(ExprKind::Read(place(var, ty)), ty)
}

fn assign(var: VarId, value: Expr) -> Expr {
    let ty = value.ty;
    expr(ExprKind::Assign { place: place(var, ty), value: Box::new(value) }, ty)
}

/// Evaluates all, yields the last.
fn comma(first: Expr, second: Expr) -> Expr {
    let ty = second.ty;
    expr(ExprKind::Comma(Box::new(first), Box::new(second)), ty)
}

fn is(var: VarId, ty: Ty, value: i64) -> Expr {
    let (a, b) = (Box::new(read(var, ty)), Box::new(constant(value, ty)));
    expr(ExprKind::Binary(BinaryOp::Eq, a, b), Ty::I32)
}
