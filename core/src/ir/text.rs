//! The IR's text form: what `-S` shows, what bug reports and tests quote.
//!
//! Nested lists ([`super::tree`]), one kind of list for each kind of thing:
//! `(add i64 (arg i64 0) (const i64 1))`. Variables, aggregations and clauses are
//! known by number. [`super::parse`] reads it back; places in the source are
//! comments and are not read.

use super::tree::{Node, list, word};
use super::*;

/// The program as text, with places of the source as comments.
pub fn print(program: &Program, sources: &SourceMap) -> String {
    let printer = Printer { sources };
    let mut out = String::new();
    for node in printer.program(program) {
        out.push_str(&node.show());
        out.push('\n');
    }
    out
}

/// One expression as text.
pub fn print_expr(expr: &Expr) -> String {
    node_of(expr).show()
}

/// A type's word or list.
pub(super) fn ty(ty: Ty) -> Node {
    match ty {
        Ty::Int { bytes, signed } => {
            word(format!("{}{}", if signed { 'i' } else { 'u' }, u32::from(bytes) * 8))
        }
        Ty::Str => word("str"),
        Ty::Bytes(size) => list([word("bytes"), word(size)]),
        Ty::Stack(spec) => {
            let name = if spec.user { "ustack" } else { "stack" };
            list([word(name), word(spec.frames), word(spec.strsize)])
        }
        Ty::Symbol(kind) => list([word("symbol"), debug(kind)]),
        Ty::Void => word("void"),
    }
}

/// A name as Rust has it: `Execname`.
fn debug(name: impl std::fmt::Debug) -> Node {
    word(format!("{name:?}"))
}

/// A name in lower case: `add`.
fn lower(name: impl std::fmt::Debug) -> Node {
    word(format!("{name:?}").to_lowercase())
}

fn space(space: Space) -> Node {
    word(if space == Space::User { "user" } else { "any" })
}

fn bytes(text: impl AsRef<[u8]>) -> Node {
    Node::Text(text.as_ref().to_vec())
}

/// The list of an expression: a head, the type, then what the kind has.
pub(super) fn node_of(expr: &Expr) -> Node {
    let (head, rest) = parts(&expr.kind);
    list([head, ty(expr.ty)].into_iter().chain(rest))
}

fn nodes<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<Node> {
    exprs.into_iter().map(node_of).collect()
}

fn parts(kind: &ExprKind) -> (Node, Vec<Node>) {
    let named = |name: &str, rest: Vec<Node>| (word(name), rest);
    match kind {
        ExprKind::Const(value) => named("const", vec![word(value)]),
        ExprKind::StrConst(text) => named("text", vec![bytes(text)]),
        ExprKind::StrNull => named("null", Vec::new()),
        ExprKind::Builtin(builtin) => named("builtin", vec![debug(builtin)]),
        ExprKind::Arg(index) => named("arg", vec![word(index)]),
        ExprKind::Ureg(index) => named("ureg", vec![node_of(index)]),
        ExprKind::Read(at) => named("read", vec![place(at)]),
        ExprKind::Load { addr, space: of } => named("load", vec![space(*of), node_of(addr)]),
        ExprKind::LoadStr { addr, space: of, max } => {
            let mut rest = vec![space(*of), node_of(addr)];
            rest.extend(max.iter().map(|max| node_of(max)));
            named("loadstr", rest)
        }
        ExprKind::StrOfBytes(of) => named("strof", vec![node_of(of)]),
        ExprKind::AddressOf(at) => named("addr", vec![place(at)]),
        ExprKind::BitField { of, shift, bits } => named("bits", vec![word(shift), word(bits), node_of(of)]),
        ExprKind::Extract { of, offset } => named("extract", vec![word(offset), node_of(of)]),
        ExprKind::Unary(op, of) => (lower(op), vec![node_of(of)]),
        ExprKind::Binary(op, a, b) => (lower(op), nodes([&**a, &**b])),
        ExprKind::StrCompare(op, a, b) => named("strcmp", vec![lower(op), node_of(a), node_of(b)]),
        ExprKind::StrIsNull(of) => named("isnull", vec![node_of(of)]),
        ExprKind::Logical(op, a, b) => (word(format!("log{op:?}").to_lowercase()), nodes([&**a, &**b])),
        ExprKind::Cond(cond, yes, no) => named("cond", nodes([&**cond, &**yes, &**no])),
        ExprKind::Cast(of) => named("cast", vec![node_of(of)]),
        ExprKind::Assign { place: to, value } => named("assign", vec![place(to), node_of(value)]),
        ExprKind::Update { place: to, op, value, compute, old } => {
            let which = word(if *old { "old" } else { "new" });
            named("update", vec![place(to), lower(op), ty(*compute), which, node_of(value)])
        }
        ExprKind::Comma(a, b) => named("comma", nodes([&**a, &**b])),
        ExprKind::Call(subroutine, args) => {
            let mut rest = vec![debug(subroutine)];
            rest.extend(nodes(args));
            named("call", rest)
        }
    }
}

fn place(place: &Place) -> Node {
    let mut out = match &place.kind {
        PlaceKind::Var { var, offset } => {
            let mut out = vec![word("var"), ty(place.ty), word(var.0)];
            out.extend(offset.iter().map(|offset| list([word("at"), node_of(offset)])));
            out
        }
        PlaceKind::Elem { var, key, offset } => {
            let key = list([word("key")].into_iter().chain(nodes(key)));
            vec![word("elem"), ty(place.ty), word(var.0), word(offset), key]
        }
        PlaceKind::Mem { addr, space: of } => {
            vec![word("mem"), ty(place.ty), space(*of), node_of(addr)]
        }
    };
    out.extend(place.bits.map(|(shift, bits)| list([word("bits"), word(shift), word(bits)])));
    Node::List(out)
}

struct Printer<'a> {
    sources: &'a SourceMap,
}

impl Printer<'_> {
    /// A comment with the place of a span; nothing where there is no source.
    fn at(&self, span: Span) -> Option<Node> {
        self.sources.get(span.source)?;
        let position = self.sources.position(span);
        let name = if position.name.is_empty() { "" } else { &position.name };
        Some(Node::Comment(format!("{name}:{}:{}", position.line, position.column)))
    }

    fn program(&self, program: &Program) -> Vec<Node> {
        let mut out = vec![list([word("strsize"), word(program.strsize)])];
        for format in &program.formats {
            out.push(list([word("format"), bytes(format.source())]));
        }
        for var in &program.variables {
            let mut node = vec![word("variable"), lower(var.scope), bytes(&var.name), ty(var.ty)];
            let key = var.key.as_ref().map(|key| key.iter().map(|part| ty(*part)));
            node.extend(key.map(|key| list([word("key")].into_iter().chain(key))));
            out.push(Node::List(node));
        }
        for agg in &program.aggregations {
            let key = list([word("key")].into_iter().chain(agg.key.iter().map(|part| ty(*part))));
            let sign = word(if agg.signed { "signed" } else { "unsigned" });
            out.push(list([word("aggregation"), bytes(&agg.name), function(&agg.func), sign, key]));
        }
        out.extend(program.clauses.iter().map(|clause| self.clause(clause)));
        out
    }

    fn clause(&self, clause: &Clause) -> Node {
        let mut out = vec![word("clause")];
        out.extend(self.at(clause.span));
        for enabling in &clause.probes {
            let mut node = vec![word("probe")];
            match enabling.desc.id {
                Some(id) => node.push(list([word("id"), word(id)])),
                None => {
                    let desc = &enabling.desc;
                    let parts = [&desc.provider, &desc.module, &desc.function, &desc.name];
                    node.extend(parts.map(bytes));
                }
            }
            node.extend(enabling.probes.iter().map(|id| word(id.0)));
            out.push(Node::List(node));
        }
        out.push(self.record(&clause.record));
        out.extend(clause.predicate.iter().map(|expr| list([word("predicate"), node_of(expr)])));
        out.push(list([word("body")].into_iter().chain(self.body(&clause.body))));
        Node::List(out)
    }

    fn record(&self, record: &RecordLayout) -> Node {
        let mut out = vec![word("record"), word(record.size)];
        if record.present {
            out.push(word("present"));
        }
        let fields = record.fields.iter().map(|field| list([word(field.offset), ty(field.ty)]));
        out.push(list([word("fields")].into_iter().chain(fields)));
        for action in &record.actions {
            let kind = self.action(&action.kind);
            out.push(list([word("action"), word(action.fields.start), word(action.fields.end), kind]));
        }
        Node::List(out)
    }

    fn action(&self, kind: &ActionKind) -> Node {
        let aggs = |aggs: &[AggId]| aggs.iter().map(|agg| word(agg.0)).collect::<Vec<_>>();
        let (name, rest) = match kind {
            ActionKind::Printf { format } => ("printf", vec![word(format)]),
            ActionKind::Printa { format, aggs: of } => {
                let format = format.map_or(word("-"), word);
                ("printa", [format].into_iter().chain(aggs(of)).collect())
            }
            ActionKind::Trace => ("trace", Vec::new()),
            ActionKind::Print { type_name, text } => ("print", vec![bytes(type_name), shape(text)]),
            ActionKind::Tracemem { dynamic } => {
                ("tracemem", vec![word(if *dynamic { "dynamic" } else { "fixed" })])
            }
            ActionKind::Stack => ("stack", Vec::new()),
            ActionKind::Symbol => ("symbol", Vec::new()),
            ActionKind::Exit => ("exit", Vec::new()),
            ActionKind::Clear { agg } => ("clear", aggs(&[*agg])),
            ActionKind::Trunc { agg } => ("trunc", aggs(&[*agg])),
            ActionKind::Normalize { agg } => ("normalize", aggs(&[*agg])),
            ActionKind::Denormalize { agg } => ("denormalize", aggs(&[*agg])),
            ActionKind::System { format } => ("system", vec![word(format)]),
            ActionKind::Freopen { format } => ("freopen", vec![word(format)]),
            ActionKind::Ftruncate => ("ftruncate", Vec::new()),
            ActionKind::Setopt => ("setopt", Vec::new()),
            ActionKind::Commit => ("commit", Vec::new()),
            ActionKind::Discard => ("discard", Vec::new()),
            ActionKind::Speculate => ("speculate", Vec::new()),
            ActionKind::Default => ("default", Vec::new()),
        };
        list([word(name)].into_iter().chain(rest))
    }

    fn body(&self, body: &[Stmt]) -> Vec<Node> {
        body.iter().flat_map(|stmt| [Some(self.statement(stmt)), self.at(span_of(stmt))]).flatten().collect()
    }

    fn statement(&self, stmt: &Stmt) -> Node {
        match stmt {
            Stmt::Expr(expr) => list([word("do"), node_of(expr)]),
            Stmt::If { cond, then, otherwise } => {
                let block = |name: &str, body: &[Stmt]| list([word(name)].into_iter().chain(self.body(body)));
                list([word("if"), node_of(cond), block("then", then), block("else", otherwise)])
            }
            Stmt::Aggregate { agg, key, value, increment, .. } => {
                let mut out = vec![word("aggregate"), word(agg.0)];
                out.push(list([word("key")].into_iter().chain(nodes(key))));
                out.extend(value.iter().map(|value| list([word("value"), node_of(value)])));
                out.extend(increment.iter().map(|value| list([word("increment"), node_of(value)])));
                Node::List(out)
            }
            Stmt::Record { action, values, .. } => {
                list([word("record"), word(action)].into_iter().chain(nodes(values)))
            }
            Stmt::Effect { effect, args, .. } => list([lower(effect)].into_iter().chain(nodes(args))),
        }
    }
}

fn span_of(stmt: &Stmt) -> Span {
    match stmt {
        Stmt::Expr(expr) | Stmt::If { cond: expr, .. } => expr.span,
        Stmt::Aggregate { span, .. } | Stmt::Record { span, .. } | Stmt::Effect { span, .. } => *span,
    }
}

fn function(func: &AggFunc) -> Node {
    let rest: Vec<i64> = match func {
        AggFunc::Lquantize(l) => vec![i64::from(l.base), i64::from(l.step), i64::from(l.levels)],
        AggFunc::Llquantize(l) => [l.factor, l.low, l.high, l.nsteps].map(i64::from).to_vec(),
        _ => Vec::new(),
    };
    list([word(func.name())].into_iter().chain(rest.into_iter().map(word)))
}

fn shape(shape: &PrintShape) -> Node {
    match shape {
        PrintShape::Int { type_name } => list([word("int"), bytes(type_name)]),
        PrintShape::Pointer { type_name } => list([word("pointer"), bytes(type_name)]),
        PrintShape::Str => list([word("str")]),
        PrintShape::CharArray { type_name } => list([word("chars"), bytes(type_name)]),
        PrintShape::Enum { type_name, names } => {
            let names = names.iter().map(|(value, name)| list([word(value), bytes(name)]));
            list([word("enum"), bytes(type_name)].into_iter().chain(names))
        }
        PrintShape::Array { type_name, of, element, len, ty: part } => {
            list([word("array"), bytes(type_name), word(element), word(len), ty(*part), self::shape(of)])
        }
        PrintShape::Struct { type_name, members } => {
            let members = members.iter().map(|member| {
                let mut out = vec![bytes(&member.name), word(member.offset), ty(member.ty)];
                out.push(self::shape(&member.shape));
                out.extend(member.bits.map(|(shift, bits)| list([word("bits"), word(shift), word(bits)])));
                Node::List(out)
            });
            list([word("struct"), bytes(type_name)].into_iter().chain(members))
        }
    }
}
