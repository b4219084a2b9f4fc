//! Expressions by operator precedence, with stacks where C has left recursion.

use super::super::ast::{BinaryOp, Expr, ExprKind, Scope, UnaryOp};
use super::super::lex::{Tok, Token};
use super::{MAX_HEIGHT, Parser, R};
use crate::diagnostic::{Span, Tag};

/// An expression and the height of its tree.
pub(super) struct Tree {
    pub expr: Box<Expr>,
    pub height: u32,
    /// May it stand left of `=`? (The grammar wants a unary expression there.)
    target: bool,
}

/// An infix operator and how strongly it binds.
fn infix(op: &str) -> Option<(BinaryOp, u8)> {
    Some(match op {
        "||" => (BinaryOp::LogOr, 1),
        "^^" => (BinaryOp::LogXor, 2),
        "&&" => (BinaryOp::LogAnd, 3),
        "|" => (BinaryOp::Or, 4),
        "^" => (BinaryOp::Xor, 5),
        "&" => (BinaryOp::And, 6),
        "==" => (BinaryOp::Eq, 7),
        "!=" => (BinaryOp::Ne, 7),
        "<" => (BinaryOp::Lt, 8),
        "<=" => (BinaryOp::Le, 8),
        ">" => (BinaryOp::Gt, 8),
        ">=" => (BinaryOp::Ge, 8),
        "<<" => (BinaryOp::Shl, 9),
        ">>" => (BinaryOp::Shr, 9),
        "+" => (BinaryOp::Add, 10),
        "-" => (BinaryOp::Sub, 10),
        "*" => (BinaryOp::Mul, 11),
        "/" => (BinaryOp::Div, 11),
        "%" => (BinaryOp::Mod, 11),
        _ => return None,
    })
}

/// The operator within an assignment operator.
fn assignment_op(op: &str) -> Option<Option<BinaryOp>> {
    Some(match op {
        "=" => None,
        "+=" => Some(BinaryOp::Add),
        "-=" => Some(BinaryOp::Sub),
        "*=" => Some(BinaryOp::Mul),
        "/=" => Some(BinaryOp::Div),
        "%=" => Some(BinaryOp::Mod),
        "&=" => Some(BinaryOp::And),
        "|=" => Some(BinaryOp::Or),
        "^=" => Some(BinaryOp::Xor),
        "<<=" => Some(BinaryOp::Shl),
        ">>=" => Some(BinaryOp::Shr),
        _ => return None,
    })
}

impl Parser<'_> {
    /// A node over trees of at most `below` levels. Nodes are made here, and not
    /// in the productions, to keep these large values out of recursive frames.
    #[inline(never)]
    fn tree(&mut self, span: Span, below: u32, kind: impl FnOnce() -> ExprKind) -> R<Tree> {
        let height = below + 1;
        if height > MAX_HEIGHT {
            return Err(self.report(Tag::D_SYNTAX, span, "syntax error: the expression is too long"));
        }
        Ok(Tree { expr: Box::new(Expr { kind: kind(), span }), height, target: true })
    }

    /// `assignment, assignment, ...`.
    pub(super) fn expression(&mut self) -> R<Tree> {
        let mut left = self.assignment()?;
        while self.eat_op(",") {
            let right = self.assignment()?;
            let (span, height) = (left.expr.span.to(right.expr.span), left.height.max(right.height));
            left = self.tree(span, height, || ExprKind::Comma(left.expr, right.expr))?;
        }
        Ok(left)
    }

    /// `target op= assignment`, or a conditional expression.
    pub(super) fn assignment(&mut self) -> R<Tree> {
        self.nested(|p| {
            let left = p.conditional()?;
            let Tok::Op(op) = *p.tok(0) else { return Ok(left) };
            let Some(op) = assignment_op(op).filter(|_| left.target) else { return Ok(left) };
            if let ExprKind::Ident { scope: Scope::Global, name } = &left.expr.kind
                && p.is_type(name)
            {
                p.idents.insert(name.clone());
            }
            p.bump();
            let value = p.assignment()?;
            let (span, height) = (left.expr.span.to(value.expr.span), left.height.max(value.height));
            p.tree(span, height, || ExprKind::Assign { op, target: left.expr, value: value.expr })
        })
    }

    /// `a ? b, c : d`.
    fn conditional(&mut self) -> R<Tree> {
        let cond = self.binary()?;
        if !self.eat_op("?") {
            return Ok(cond);
        }
        let then = self.nested(Self::expression)?;
        self.expect_op(":")?;
        let otherwise = self.nested(Self::conditional)?;
        let span = cond.expr.span.to(otherwise.expr.span);
        let height = cond.height.max(then.height).max(otherwise.height);
        let tree = self.tree(span, height, || ExprKind::Cond(cond.expr, then.expr, otherwise.expr))?;
        Ok(Tree { target: false, ..tree })
    }

    /// Infix operators; two stacks instead of a call per precedence.
    fn binary(&mut self) -> R<Tree> {
        let mut operators: Vec<(BinaryOp, u8)> = Vec::new();
        let mut operands = vec![self.unary()?];
        loop {
            let next = match *self.tok(0) {
                Tok::Op(op) => infix(op),
                _ => None,
            };
            let next = if matches!(next, Some((BinaryOp::Div, _))) && self.closes_predicate()? {
                None
            } else {
                next
            };
            let strength = next.map_or(0, |(_, s)| s);
            while let Some(&(op, _)) = operators.last().filter(|(_, s)| *s >= strength) {
                let (Some(right), Some(left)) = (operands.pop(), operands.pop()) else { break };
                operators.pop();
                let (span, height) = (left.expr.span.to(right.expr.span), left.height.max(right.height));
                let tree = self.tree(span, height, || ExprKind::Binary(op, left.expr, right.expr))?;
                operands.push(Tree { target: false, ..tree });
            }
            match next {
                Some(next) => {
                    operators.push(next);
                    self.bump();
                    operands.push(self.unary()?);
                }
                None => return operands.pop().ok_or(super::Fail),
            }
        }
    }

    /// Is the `/` here the end of the predicate?
    fn closes_predicate(&mut self) -> R<bool> {
        let end = self.span().end as usize;
        if !self.in_predicate || self.lex.slash_closes(end).is_none() {
            return Ok(false);
        }
        if self.parens == 0 && self.brackets == 0 { Ok(true) } else { Err(self.fail()) }
    }

    /// Prefix operators and casts.
    fn unary(&mut self) -> R<Tree> {
        let start = self.span();
        if self.at_op("(") && self.cast_follows() {
            return self.cast();
        }
        let op = match *self.tok(0) {
            Tok::Op("++" | "--") => {
                let increment = self.bump().tok == Tok::Op("++");
                let of = self.nested(Self::unary)?;
                let span = self.span_from(start);
                return self.tree(span, of.height, || ExprKind::IncDec {
                    increment,
                    prefix: true,
                    target: of.expr,
                });
            }
            Tok::Op("-") => UnaryOp::Neg,
            Tok::Op("+") => UnaryOp::Plus,
            Tok::Op("~") => UnaryOp::BitNot,
            Tok::Op("!") => UnaryOp::LogNot,
            Tok::Op("*") => UnaryOp::Deref,
            Tok::Op("&") => UnaryOp::AddrOf,
            Tok::Key("sizeof") => return self.sizeof(),
            Tok::Key("stringof") => {
                self.bump();
                let of = self.nested(Self::unary)?;
                let span = self.span_from(start);
                return self.tree(span, of.height, || ExprKind::Stringof(of.expr));
            }
            _ => return self.postfix(),
        };
        self.bump();
        let of = self.nested(Self::unary)?;
        let span = self.span_from(start);
        self.tree(span, of.height, || ExprKind::Unary(op, of.expr))
    }

    /// `(type) x`.
    fn cast(&mut self) -> R<Tree> {
        let start = self.bump().span;
        self.parens += 1;
        let (ty, below) = self.measured_type()?;
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        let of = self.nested(Self::unary)?;
        let span = self.span_from(start);
        let tree = self.tree(span, of.height.max(below), || ExprKind::Cast { ty: *ty, of: of.expr })?;
        Ok(Tree { target: false, ..tree })
    }

    /// Is the `(` here followed by a type? A name that may be both must be
    /// followed by something only a type can be followed by.
    fn cast_follows(&mut self) -> bool {
        if !self.type_starts(1) {
            return false;
        }
        if self.scoped_tag_follows(1) {
            return true;
        }
        match self.tok(1) {
            Tok::Ident(_) => matches!(
                self.tok(2),
                Tok::Op(")" | "*" | "(" | "[")
                    | Tok::Key("const" | "volatile" | "restrict" | "signed" | "unsigned" | "long" | "short")
            ),
            _ => true,
        }
    }

    /// `sizeof x`, `sizeof (type)`.
    fn sizeof(&mut self) -> R<Tree> {
        let start = self.bump().span;
        if self.at_op("(") && self.type_starts(1) {
            self.bump();
            self.parens += 1;
            let (ty, below) = self.measured_type()?;
            self.expect_op(")")?;
            self.parens = self.parens.saturating_sub(1);
            let span = self.span_from(start);
            return self.tree(span, below, || ExprKind::SizeofType(*ty));
        }
        let of = self.nested(Self::unary)?;
        let span = self.span_from(start);
        self.tree(span, of.height, || ExprKind::SizeofExpr(of.expr))
    }

    /// `x[i]`, `f(a)`, `x.m`, `x->m`, `x++`.
    fn postfix(&mut self) -> R<Tree> {
        let start = self.span();
        let mut left = self.primary()?;
        loop {
            let Tok::Op(op) = *self.tok(0) else { return Ok(left) };
            left = match op {
                "[" => {
                    let (index, height) = self.bracketed()?;
                    let span = self.span_from(start);
                    self.tree(span, height.max(left.height), || ExprKind::Index { of: left.expr, index })?
                }
                "(" => {
                    let (args, height) = self.arguments()?;
                    let (span, function) = (self.span_from(start), left.expr);
                    if !matches!(function.kind, ExprKind::Ident { .. }) {
                        let message = "function designator is not of function type";
                        self.report(Tag::D_FUNC_IDENT, span, message);
                    }
                    self.tree(span, height.max(left.height), || ExprKind::Call { function, args })?
                }
                "." | "->" | "++" | "--" => self.suffix(op, start, left)?,
                _ => return Ok(left),
            };
        }
    }

    /// `x.m`, `x->m`, `x++`, `x--`.
    fn suffix(&mut self, op: &str, start: Span, left: Tree) -> R<Tree> {
        self.bump();
        if matches!(op, "++" | "--") {
            let (increment, target) = (op == "++", left.expr);
            let span = self.span_from(start);
            return self.tree(span, left.height, || ExprKind::IncDec { increment, prefix: false, target });
        }
        let member = self.any_name()?;
        let span = self.span_from(start);
        if op == "." {
            return self.tree(span, left.height, || ExprKind::Member { of: left.expr, member });
        }
        let scope = match &left.expr.kind {
            ExprKind::Ident { scope: Scope::Global, name } if name == "self" => Scope::Thread,
            ExprKind::Ident { scope: Scope::Global, name } if name == "this" => Scope::Clause,
            _ => return self.tree(span, left.height, || ExprKind::Arrow { of: left.expr, member }),
        };
        self.tree(span, 0, || ExprKind::Ident { scope, name: member.text })
    }

    /// `[a, b]`: at least one.
    fn bracketed(&mut self) -> R<(Vec<Expr>, u32)> {
        self.bump();
        self.brackets += 1;
        let list = self.list()?;
        self.expect_op("]")?;
        self.brackets = self.brackets.saturating_sub(1);
        Ok(list)
    }

    /// `(a, b)` or `()`.
    fn arguments(&mut self) -> R<(Vec<Expr>, u32)> {
        self.bump();
        self.parens += 1;
        let list = if self.at_op(")") { (Vec::new(), 0) } else { self.list()? };
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        Ok(list)
    }

    fn list(&mut self) -> R<(Vec<Expr>, u32)> {
        let mut list = Vec::new();
        let mut height = 0;
        loop {
            let tree = self.assignment()?;
            height = height.max(tree.height);
            list.push(*tree.expr);
            if !self.eat_op(",") {
                return Ok((list, height));
            }
        }
    }

    fn primary(&mut self) -> R<Tree> {
        let start = self.span();
        match self.tok(0) {
            Tok::Agg(_) => {
                let Tok::Agg(name) = self.bump().tok else { return Err(self.fail()) };
                let (key, below) = if self.at_op("[") {
                    let (key, below) = self.bracketed()?;
                    (Some(key), below)
                } else {
                    (None, 0)
                };
                let span = self.span_from(start);
                self.tree(span, below, || ExprKind::Aggregation { name, key })
            }
            Tok::Op("(") => {
                self.bump();
                self.parens += 1;
                let inner = self.expression()?;
                self.expect_op(")")?;
                self.parens = self.parens.saturating_sub(1);
                Ok(Tree { target: true, ..inner })
            }
            Tok::Key("offsetof") => self.offsetof(),
            Tok::Key("xlate") => self.xlate(),
            _ => self.leaf(),
        }
    }

    /// A constant or a name.
    #[inline(never)]
    fn leaf(&mut self) -> R<Tree> {
        let Token { tok, span } = self.token(0).clone();
        let kind = match tok {
            Tok::Int { lit, negative: false } => ExprKind::Int(lit),
            Tok::Int { lit, negative: true } => {
                self.bump();
                let of = self.tree(span, 0, || ExprKind::Int(lit))?;
                return self.tree(span, of.height, || ExprKind::Unary(UnaryOp::Neg, of.expr));
            }
            Tok::Str(bytes) => ExprKind::Str(bytes),
            Tok::Ident(name) => match name.rsplit_once('`') {
                Some((module, symbol)) => {
                    let module = (!module.is_empty()).then(|| module.to_string());
                    ExprKind::KernelSymbol { module, name: symbol.to_string() }
                }
                None => ExprKind::Ident { scope: Scope::Global, name },
            },
            Tok::Key(key @ ("self" | "this")) => {
                ExprKind::Ident { scope: Scope::Global, name: key.to_string() }
            }
            _ => return Err(self.fail()),
        };
        self.bump();
        self.tree(span, 0, || kind)
    }

    /// `offsetof(type, member)`.
    fn offsetof(&mut self) -> R<Tree> {
        let start = self.bump().span;
        self.expect_op("(")?;
        self.parens += 1;
        let (ty, below) = self.measured_type()?;
        self.expect_op(",")?;
        let member = self.any_name()?;
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        let span = self.span_from(start);
        self.tree(span, below, || ExprKind::Offsetof { ty: *ty, member })
    }

    /// `xlate <type> (x)`.
    fn xlate(&mut self) -> R<Tree> {
        let start = self.bump().span;
        self.expect_op("<")?;
        let (ty, below) = self.measured_type()?;
        self.expect_op(">")?;
        self.expect_op("(")?;
        self.parens += 1;
        let of = self.nested(Self::expression)?;
        self.expect_op(")")?;
        self.parens = self.parens.saturating_sub(1);
        let span = self.span_from(start);
        self.tree(span, of.height.max(below), || ExprKind::Xlate { ty: *ty, of: of.expr })
    }
}
