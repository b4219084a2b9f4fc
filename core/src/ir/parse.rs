//! Reads the IR's text form; see [`super::text`]. Errors are one line and name what was read.

use super::tree::Node;
use super::*;
use crate::aggregate::{Llquantize, Lquantize};
use crate::output::Format;

type Res<T> = Result<T, String>;

/// Reads a program.
pub fn parse(text: &str) -> Result<Program, String> {
    let mut program = Program::default();
    for node in Node::read(text)? {
        let mut list = List::of(&node)?;
        match list.word()?.as_str() {
            "strsize" => program.strsize = list.number()?,
            "format" => program.formats.push(Format::parse(list.text()?).map_err(|e| e.to_string())?),
            "variable" => {
                let scope = named(&list.word()?, &[Scope::Global, Scope::ThreadLocal, Scope::ClauseLocal])?;
                let (name, ty) = (list.string()?, list.ty()?);
                let key = if list.done() { None } else { Some(list.tagged("key")?.types()?) };
                program.variables.push(Variable { name, scope, ty, key, span: Span::default() });
            }
            "aggregation" => {
                let (name, func) = (list.string()?, function(List::of(list.node()?)?)?);
                let signed = list.word()? == "signed";
                let key = list.tagged("key")?.types()?;
                let def = AggregationDef { name, func, key, signed, span: Span::default() };
                program.aggregations.push(def);
            }
            "clause" => program.clauses.push(clause(&mut list)?),
            other => return Err(format!("what is {other}?")),
        }
        list.end()?;
    }
    Ok(program)
}

/// Reads one expression.
pub fn parse_expr(text: &str) -> Result<Expr, String> {
    match Node::read(text)?.as_slice() {
        [node] => expr(node),
        _ => Err("not one expression".into()),
    }
}

/// The rest of a list.
struct List<'a> {
    nodes: std::slice::Iter<'a, Node>,
    whole: &'a Node,
}

impl<'a> List<'a> {
    fn of(node: &'a Node) -> Res<List<'a>> {
        match node {
            Node::List(nodes) => Ok(List { nodes: nodes.iter(), whole: node }),
            other => Err(format!("not a list: {}", other.show())),
        }
    }

    fn error<T>(&self, what: &str) -> Res<T> {
        let mut shown = self.whole.show();
        if let Some((at, _)) = shown.char_indices().nth(200) {
            shown.truncate(at);
        }
        Err(format!("{what} in {shown}"))
    }

    fn done(&self) -> bool {
        self.nodes.len() == 0
    }

    fn end(&self) -> Res<()> {
        if self.done() { Ok(()) } else { self.error("more than expected") }
    }

    fn node(&mut self) -> Res<&'a Node> {
        match self.nodes.next() {
            Some(node) => Ok(node),
            None => self.error("something is missing"),
        }
    }

    fn word(&mut self) -> Res<String> {
        match self.node()? {
            Node::Word(word) => Ok(word.clone()),
            _ => self.error("a word is missing"),
        }
    }

    fn text(&mut self) -> Res<Vec<u8>> {
        match self.node()? {
            Node::Text(text) => Ok(text.clone()),
            _ => self.error("a string is missing"),
        }
    }

    fn string(&mut self) -> Res<String> {
        String::from_utf8(self.text()?).or_else(|_| self.error("a name is not UTF-8"))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Res<T> {
        self.word()?.parse().or_else(|_| self.error("no such number"))
    }

    /// A list that begins with a word.
    fn tagged(&mut self, tag: &str) -> Res<List<'a>> {
        let mut list = List::of(self.node()?)?;
        if list.word()? == tag { Ok(list) } else { self.error(&format!("no ({tag} ...)")) }
    }

    fn ty(&mut self) -> Res<Ty> {
        match self.node()? {
            Node::Word(word) => Ok(match word.as_str() {
                "str" => Ty::Str,
                "void" => Ty::Void,
                "i8" => Ty::Int { bytes: 1, signed: true },
                "i16" => Ty::Int { bytes: 2, signed: true },
                "i32" => Ty::I32,
                "i64" => Ty::I64,
                "u8" => Ty::Int { bytes: 1, signed: false },
                "u16" => Ty::Int { bytes: 2, signed: false },
                "u32" => Ty::Int { bytes: 4, signed: false },
                "u64" => Ty::U64,
                _ => return self.error("no such type"),
            }),
            node => {
                let mut list = List::of(node)?;
                match list.word()?.as_str() {
                    "bytes" => Ok(Ty::Bytes(list.number()?)),
                    name @ ("stack" | "ustack") => {
                        let (frames, strsize) = (list.number()?, list.number()?);
                        Ok(Ty::Stack(StackSpec { user: name == "ustack", frames, strsize }))
                    }
                    "symbol" => {
                        use SymbolKind::*;
                        Ok(Ty::Symbol(named(&list.word()?, &[Sym, Mod, Func, Usym, Umod, Ufunc, Uaddr])?))
                    }
                    _ => self.error("no such type"),
                }
            }
        }
    }

    fn types(&mut self) -> Res<Vec<Ty>> {
        let mut types = Vec::new();
        while !self.done() {
            types.push(self.ty()?);
        }
        Ok(types)
    }

    fn space(&mut self) -> Res<Space> {
        match self.word()?.as_str() {
            "user" => Ok(Space::User),
            "any" => Ok(Space::Any),
            _ => self.error("no such space"),
        }
    }

    fn expr(&mut self) -> Res<Expr> {
        expr(self.node()?)
    }

    fn boxed(&mut self) -> Res<Box<Expr>> {
        self.expr().map(Box::new)
    }

    fn exprs(&mut self) -> Res<Vec<Expr>> {
        self.nodes.by_ref().map(expr).collect()
    }
}

/// The value whose name it is, in Rust's or in small letters.
fn named<T: Copy + std::fmt::Debug>(name: &str, values: &[T]) -> Res<T> {
    let found = values.iter().find(|value| format!("{value:?}").eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| format!("no such name: {name}"))
}

const UNARY: [UnaryOp; 3] = [UnaryOp::Neg, UnaryOp::BitNot, UnaryOp::LogNot];
const BINARY: [BinaryOp; 16] = {
    use BinaryOp::*;
    [Add, Sub, Mul, Div, Mod, And, Or, Xor, Shl, Shr, Eq, Ne, Lt, Le, Gt, Ge]
};

fn expr(node: &Node) -> Res<Expr> {
    let mut list = List::of(node)?;
    let head = list.word()?;
    let ty = list.ty()?;
    let kind = match head.as_str() {
        "const" => ExprKind::Const(list.number()?),
        "text" => ExprKind::StrConst(list.text()?),
        "null" => ExprKind::StrNull,
        "builtin" => ExprKind::Builtin(named(&list.word()?, Builtin::ALL)?),
        "arg" => ExprKind::Arg(list.number()?),
        "ureg" => ExprKind::Ureg(list.boxed()?),
        "read" => ExprKind::Read(Box::new(place(list.node()?)?)),
        "addr" => ExprKind::AddressOf(Box::new(place(list.node()?)?)),
        "load" => ExprKind::Load { space: list.space()?, addr: list.boxed()? },
        "loadstr" => {
            let (space, addr) = (list.space()?, list.boxed()?);
            let max = if list.done() { None } else { Some(list.boxed()?) };
            ExprKind::LoadStr { addr, space, max }
        }
        "strof" => ExprKind::StrOfBytes(list.boxed()?),
        "bits" => ExprKind::BitField { shift: list.number()?, bits: list.number()?, of: list.boxed()? },
        "extract" => ExprKind::Extract { offset: list.number()?, of: list.boxed()? },
        "strcmp" => ExprKind::StrCompare(named(&list.word()?, &BINARY)?, list.boxed()?, list.boxed()?),
        "isnull" => ExprKind::StrIsNull(list.boxed()?),
        "logand" => ExprKind::Logical(LogicalOp::And, list.boxed()?, list.boxed()?),
        "logor" => ExprKind::Logical(LogicalOp::Or, list.boxed()?, list.boxed()?),
        "logxor" => ExprKind::Logical(LogicalOp::Xor, list.boxed()?, list.boxed()?),
        "cond" => ExprKind::Cond(list.boxed()?, list.boxed()?, list.boxed()?),
        "cast" => ExprKind::Cast(list.boxed()?),
        "assign" => ExprKind::Assign { place: Box::new(place(list.node()?)?), value: list.boxed()? },
        "update" => {
            let place = Box::new(place(list.node()?)?);
            let (op, compute) = (named(&list.word()?, &BINARY)?, list.ty()?);
            let old = list.word()? == "old";
            ExprKind::Update { place, op, compute, old, value: list.boxed()? }
        }
        "comma" => ExprKind::Comma(list.boxed()?, list.boxed()?),
        "call" => ExprKind::Call(named(&list.word()?, Subroutine::ALL)?, list.exprs()?),
        name => match named(name, &UNARY) {
            Ok(op) => ExprKind::Unary(op, list.boxed()?),
            Err(_) => ExprKind::Binary(named(name, &BINARY)?, list.boxed()?, list.boxed()?),
        },
    };
    list.end()?;
    Ok(Expr { kind, ty, span: Span::default() })
}

fn place(node: &Node) -> Res<Place> {
    let mut list = List::of(node)?;
    let head = list.word()?;
    let ty = list.ty()?;
    let mut bits = None;
    let kind = match head.as_str() {
        "var" => {
            let var = VarId(list.number()?);
            let mut offset = None;
            while !list.done() {
                let mut part = List::of(list.node()?)?;
                match part.word()?.as_str() {
                    "at" => offset = Some(part.boxed()?),
                    "bits" => bits = Some((part.number()?, part.number()?)),
                    _ => return list.error("what is this"),
                }
            }
            PlaceKind::Var { var, offset }
        }
        "elem" => {
            let (var, offset) = (VarId(list.number()?), list.number()?);
            PlaceKind::Elem { var, offset, key: list.tagged("key")?.exprs()? }
        }
        "mem" => PlaceKind::Mem { space: list.space()?, addr: list.boxed()? },
        _ => return list.error("no such place"),
    };
    if !list.done() {
        let mut part = list.tagged("bits")?;
        bits = Some((part.number()?, part.number()?));
    }
    list.end()?;
    Ok(Place { kind, ty, bits, span: Span::default() })
}

fn function(mut list: List<'_>) -> Res<AggFunc> {
    Ok(match list.word()?.as_str() {
        "count" => AggFunc::Count,
        "sum" => AggFunc::Sum,
        "min" => AggFunc::Min,
        "max" => AggFunc::Max,
        "avg" => AggFunc::Avg,
        "stddev" => AggFunc::Stddev,
        "quantize" => AggFunc::Quantize,
        "lquantize" => {
            let (base, step, levels) = (list.number()?, list.number()?, list.number()?);
            AggFunc::Lquantize(Lquantize { base, step, levels })
        }
        "llquantize" => {
            let (factor, low, high, nsteps) =
                (list.number()?, list.number()?, list.number()?, list.number()?);
            AggFunc::Llquantize(Llquantize { factor, low, high, nsteps })
        }
        _ => return list.error("no such function"),
    })
}

fn clause(list: &mut List<'_>) -> Res<Clause> {
    let mut clause = Clause {
        probes: Vec::new(),
        predicate: None,
        body: Vec::new(),
        record: RecordLayout::default(),
        span: Span::default(),
    };
    while !list.done() {
        let mut part = List::of(list.node()?)?;
        match part.word()?.as_str() {
            "probe" => clause.probes.push(enabling(part)?),
            "record" => clause.record = record(part)?,
            "predicate" => clause.predicate = Some(part.expr()?),
            "body" => clause.body = body(part)?,
            _ => return list.error("what is this"),
        }
    }
    Ok(clause)
}

fn enabling(mut list: List<'_>) -> Res<Enabling> {
    let mut desc = ProbeDesc::default();
    match list.nodes.as_slice().first() {
        Some(Node::List(_)) => desc.id = Some(list.tagged("id")?.number()?),
        _ => {
            (desc.provider, desc.module) = (list.string()?, list.string()?);
            (desc.function, desc.name) = (list.string()?, list.string()?);
        }
    }
    let mut probes = Vec::new();
    while !list.done() {
        probes.push(ProbeId(list.number()?));
    }
    Ok(Enabling { desc, probes, span: Span::default() })
}

fn record(mut list: List<'_>) -> Res<RecordLayout> {
    let mut layout = RecordLayout { size: list.number()?, ..RecordLayout::default() };
    if let Some(Node::Word(_)) = list.nodes.as_slice().first() {
        layout.present = list.word()? == "present";
    }
    let mut fields = list.tagged("fields")?;
    while !fields.done() {
        let mut field = List::of(fields.node()?)?;
        layout.fields.push(Field { offset: field.number()?, ty: field.ty()? });
    }
    while !list.done() {
        let mut action = list.tagged("action")?;
        let fields = action.number()?..action.number()?;
        let kind = self::action(List::of(action.node()?)?)?;
        layout.actions.push(ActionDef { kind, fields, span: Span::default() });
    }
    Ok(layout)
}

fn action(mut list: List<'_>) -> Res<ActionKind> {
    let agg = |list: &mut List<'_>| list.number().map(AggId);
    let kind = match list.word()?.as_str() {
        "printf" => ActionKind::Printf { format: list.number()? },
        "printa" => {
            let format = match list.word()?.as_str() {
                "-" => None,
                number => Some(number.parse().or_else(|_| list.error("no such format"))?),
            };
            let mut aggs = Vec::new();
            while !list.done() {
                aggs.push(agg(&mut list)?);
            }
            ActionKind::Printa { format, aggs }
        }
        "trace" => ActionKind::Trace,
        "print" => ActionKind::Print { type_name: list.string()?, text: shape(List::of(list.node()?)?)? },
        "tracemem" => ActionKind::Tracemem { dynamic: list.word()? == "dynamic" },
        "stack" => ActionKind::Stack,
        "symbol" => ActionKind::Symbol,
        "exit" => ActionKind::Exit,
        "clear" => ActionKind::Clear { agg: agg(&mut list)? },
        "trunc" => ActionKind::Trunc { agg: agg(&mut list)? },
        "normalize" => ActionKind::Normalize { agg: agg(&mut list)? },
        "denormalize" => ActionKind::Denormalize { agg: agg(&mut list)? },
        "system" => ActionKind::System { format: list.number()? },
        "freopen" => ActionKind::Freopen { format: list.number()? },
        "ftruncate" => ActionKind::Ftruncate,
        "setopt" => ActionKind::Setopt,
        "commit" => ActionKind::Commit,
        "discard" => ActionKind::Discard,
        "speculate" => ActionKind::Speculate,
        "default" => ActionKind::Default,
        _ => return list.error("no such action"),
    };
    list.end()?;
    Ok(kind)
}

fn shape(mut list: List<'_>) -> Res<PrintShape> {
    Ok(match list.word()?.as_str() {
        "int" => PrintShape::Int { type_name: list.string()? },
        "pointer" => PrintShape::Pointer { type_name: list.string()? },
        "str" => PrintShape::Str,
        "chars" => PrintShape::CharArray { type_name: list.string()? },
        "enum" => {
            let type_name = list.string()?;
            let mut names = Vec::new();
            while !list.done() {
                let mut name = List::of(list.node()?)?;
                names.push((name.number()?, name.string()?));
            }
            PrintShape::Enum { type_name, names }
        }
        "array" => {
            let (type_name, element, len) = (list.string()?, list.number()?, list.number()?);
            let ty = list.ty()?;
            let of = Box::new(shape(List::of(list.node()?)?)?);
            PrintShape::Array { type_name, of, element, len, ty }
        }
        "struct" => {
            let type_name = list.string()?;
            let mut members = Vec::new();
            while !list.done() {
                let mut member = List::of(list.node()?)?;
                let (name, offset, ty) = (member.string()?, member.number()?, member.ty()?);
                let shape = shape(List::of(member.node()?)?)?;
                let bits = match member.done() {
                    true => None,
                    false => {
                        let mut bits = member.tagged("bits")?;
                        Some((bits.number()?, bits.number()?))
                    }
                };
                members.push(PrintMember { name, offset, ty, bits, shape });
            }
            PrintShape::Struct { type_name, members }
        }
        _ => return list.error("no such shape"),
    })
}

fn body(mut list: List<'_>) -> Res<Vec<Stmt>> {
    let mut body = Vec::new();
    while !list.done() {
        body.push(statement(List::of(list.node()?)?)?);
    }
    Ok(body)
}

fn statement(mut list: List<'_>) -> Res<Stmt> {
    let span = Span::default();
    let stmt = match list.word()?.as_str() {
        "do" => Stmt::Expr(list.expr()?),
        "if" => {
            let cond = list.expr()?;
            Stmt::If { cond, then: body(list.tagged("then")?)?, otherwise: body(list.tagged("else")?)? }
        }
        "aggregate" => {
            let (agg, key) = (AggId(list.number()?), list.tagged("key")?.exprs()?);
            let (mut value, mut increment) = (None, None);
            while !list.done() {
                let mut part = List::of(list.node()?)?;
                match part.word()?.as_str() {
                    "value" => value = Some(part.expr()?),
                    "increment" => increment = Some(part.expr()?),
                    _ => return list.error("what is this"),
                }
            }
            Stmt::Aggregate { agg, key, value, increment, span }
        }
        "record" => Stmt::Record { action: list.number()?, values: list.exprs()?, span },
        name => {
            use Effect::*;
            let all = [Speculate, Commit, Discard, Raise, Stop, Chill, Panic, Breakpoint, ExitFlag];
            Stmt::Effect { effect: named(name, &all)?, args: list.exprs()?, span }
        }
    };
    list.end()?;
    Ok(stmt)
}
