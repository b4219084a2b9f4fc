//! The tree of a D program, as written: names are not resolved, types not
//! checked. Every node knows its place.

use crate::diagnostic::Span;

/// A whole program text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ast {
    pub items: Vec<Item>,
}

/// What may stand at the top level.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Clause(Clause),
    Declaration(Declaration),
    Inline(Inline),
    Translator(Translator),
    Provider(Provider),
    Pragma(Pragma),
}

impl Item {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Item::Clause(i) => i.span,
            Item::Declaration(i) => i.span,
            Item::Inline(i) => i.span,
            Item::Translator(i) => i.span,
            Item::Provider(i) => i.span,
            Item::Pragma(i) => i.span,
        }
    }
}

/// An identifier with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// `probes / predicate / { body }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub probes: Vec<ProbeSpec>,
    pub predicate: Option<Expr>,
    /// `None`: no braces at all (the default action).
    pub body: Option<Vec<Stmt>>,
    pub span: Span,
}

/// A probe description as written, macro variables substituted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSpec {
    pub text: String,
    /// Parts from the right: `name`, `function:name`, ...; 1 to 4 of them, in source order.
    pub parts: Vec<String>,
    pub span: Span,
}

/// A statement of a clause body.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    Expr(Expr),
    If { cond: Expr, then: Vec<Stmt>, otherwise: Vec<Stmt>, span: Span },
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

impl Expr {
    /// `@name` or `@name[...]`?
    pub fn is_aggregation(&self) -> bool {
        matches!(self.kind, ExprKind::Aggregation { .. })
    }
}

/// Where a variable name was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// No prefix.
    Global,
    /// `self->`.
    Thread,
    /// `this->`.
    Clause,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Int(IntLit),
    /// Bytes between the quotes, escapes resolved.
    Str(Vec<u8>),
    /// `x`, `self->x`, `this->x`.
    Ident {
        scope: Scope,
        name: String,
    },
    /// `` `sym`` or ``mod`sym``.
    KernelSymbol {
        module: Option<String>,
        name: String,
    },
    /// `@name`, `@name[k, ...]`; the name is `_` for the anonymous one; `key` is `None` without brackets.
    Aggregation {
        name: String,
        key: Option<Vec<Expr>>,
    },
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a op= b`; plain `=` has no operator.
    Assign {
        op: Option<BinaryOp>,
        target: Box<Expr>,
        value: Box<Expr>,
    },
    /// `++x`, `x--`, ...
    IncDec {
        increment: bool,
        prefix: bool,
        target: Box<Expr>,
    },
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a, b`.
    Comma(Box<Expr>, Box<Expr>),
    Cast {
        ty: TypeName,
        of: Box<Expr>,
    },
    SizeofType(TypeName),
    SizeofExpr(Box<Expr>),
    Offsetof {
        ty: TypeName,
        member: Name,
    },
    /// `stringof x`, `stringof(x)`.
    Stringof(Box<Expr>),
    /// `xlate <type> (x)`.
    Xlate {
        ty: TypeName,
        of: Box<Expr>,
    },
    /// `f(args)`: `f` is an expression only for the sake of the error message.
    Call {
        function: Box<Expr>,
        args: Vec<Expr>,
    },
    /// `a[i]`, `assoc[k1, k2]`.
    Index {
        of: Box<Expr>,
        index: Vec<Expr>,
    },
    /// `a.m`.
    Member {
        of: Box<Expr>,
        member: Name,
    },
    /// `p->m` (also when `p` is no pointer: the checker says so).
    Arrow {
        of: Box<Expr>,
        member: Name,
    },
    /// Stands where parsing failed.
    Error,
}

/// An integer or character constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntLit {
    pub value: u64,
    /// Suffix `u`.
    pub unsigned: bool,
    /// Number of `l`s: 0, 1, 2.
    pub longs: u8,
    /// Decimal constants choose their type by other rules than hexadecimal and octal ones.
    pub decimal: bool,
    /// `'a'`: an int.
    pub character: bool,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Plus,
    BitNot,
    LogNot,
    Deref,
    AddrOf,
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    LogAnd,
    LogOr,
    LogXor,
}

impl BinaryOp {
    /// As written in D.
    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::And => "&",
            BinaryOp::Or => "|",
            BinaryOp::Xor => "^",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::LogAnd => "&&",
            BinaryOp::LogOr => "||",
            BinaryOp::LogXor => "^^",
        }
    }
}

/// `int x, *y[3];`, `self string s;`, `typedef ...;`, `struct s { ... };`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    pub storage: Option<Storage>,
    pub specifiers: Specifiers,
    /// Empty for `struct s { ... };`.
    pub declarators: Vec<Declarator>,
    pub span: Span,
}

/// Storage classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Extern,
    Static,
    Register,
    Auto,
    Typedef,
    /// `self`.
    Thread,
    /// `this`.
    Clause,
}

/// What stands before the declarators.
#[derive(Clone, Debug, PartialEq)]
pub struct Specifiers {
    pub base: BaseType,
    /// Number of each word: `long long` has `longs == 2`.
    pub signed: u8,
    pub unsigned: u8,
    pub short: u8,
    pub longs: u8,
    pub is_const: bool,
    pub is_volatile: bool,
    pub is_restrict: bool,
    pub userland: bool,
    pub span: Span,
}

/// The type word of a specifier list.
#[derive(Clone, Debug, PartialEq)]
pub enum BaseType {
    /// Only `signed`, `unsigned`, `short`, `long`: int is meant.
    Implicit,
    /// `void char int float double _Bool string` or a typedef's name.
    Named {
        module: Option<String>,
        name: Name,
    },
    /// `struct s`, `struct s { ... }`, ``struct mod`s``.
    Composite {
        union: bool,
        module: Option<String>,
        tag: Option<Name>,
        members: Option<Vec<Declaration>>,
    },
    Enum {
        module: Option<String>,
        tag: Option<Name>,
        constants: Option<Vec<(Name, Option<Expr>)>>,
    },
}

/// `*const p[3]`, `f(int)`, `bits : 3`: how a name is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Declarator {
    /// `None` in type names and for unnamed parameters and bit-fields.
    pub name: Option<Name>,
    /// From the name outwards: `*p[3]` is `[Array(3), Pointer]`.
    pub derived: Vec<Derived>,
    /// Width of a bit-field (boxed: types contain expressions, expressions types).
    pub bits: Option<Box<Expr>>,
    pub span: Span,
}

/// One step of a declarator.
#[derive(Clone, Debug, PartialEq)]
pub enum Derived {
    Pointer {
        is_const: bool,
        is_volatile: bool,
        is_restrict: bool,
    },
    /// `[n]`, `[]`.
    Array(Option<Box<Expr>>),
    /// `[int, string]`: an associative array's key.
    Assoc(Vec<Param>),
    Function {
        params: Vec<Param>,
        varargs: bool,
    },
}

/// A parameter or key part: a type, perhaps with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub storage: Option<Storage>,
    pub specifiers: Specifiers,
    pub declarator: Declarator,
}

/// A type in a cast, sizeof, xlate, ...
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    pub specifiers: Specifiers,
    /// Has no name.
    pub declarator: Declarator,
    pub span: Span,
}

/// `inline int f[int a] = a + 1;`.
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    pub specifiers: Specifiers,
    pub declarator: Declarator,
    pub value: Expr,
    pub span: Span,
}

/// `translator out_t < in_t *v > { member = expr; ... };`.
#[derive(Clone, Debug, PartialEq)]
pub struct Translator {
    pub output: TypeName,
    pub input: TypeName,
    pub variable: Name,
    pub members: Vec<(Name, Expr)>,
    pub span: Span,
}

/// `provider name { probe go(int) : (long); ... };`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    pub name: Name,
    pub probes: Vec<ProviderProbe>,
    pub span: Span,
}

/// One probe of a provider declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderProbe {
    pub name: Name,
    pub native: Vec<Param>,
    /// The types after the colon.
    pub translated: Option<Vec<Param>>,
    pub span: Span,
}

/// A control line: `#pragma D option quiet`, `#error text`, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pragma {
    /// Words after `#`, split at blanks; quoted strings keep their quotes.
    pub words: Vec<String>,
    /// The whole text after `#`.
    pub text: String,
    pub span: Span,
}
