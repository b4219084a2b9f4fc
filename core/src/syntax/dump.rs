//! A tree as s-expressions, for tests and for people.

use super::ast::*;

/// The whole tree, one item per line.
pub fn dump(ast: &Ast) -> String {
    ast.items.iter().map(|i| item(i) + "\n").collect()
}

/// `(head part part)`, empty parts left out.
fn list(head: &str, parts: impl IntoIterator<Item = String>) -> String {
    let mut out = format!("({head}");
    for part in parts.into_iter().filter(|p| !p.is_empty()) {
        out.push(' ');
        out.push_str(&part);
    }
    out.push(')');
    out
}

fn item(item: &Item) -> String {
    match item {
        Item::Clause(c) => {
            let probes = list("probes", c.probes.iter().map(|p| p.parts.join(":")));
            let predicate = c.predicate.as_ref().map_or(String::new(), |p| list("pred", [expr(p)]));
            let body = c.body.as_ref().map_or(String::new(), |b| list("body", b.iter().map(stmt)));
            list("clause", [probes, predicate, body])
        }
        Item::Declaration(d) => declaration(d),
        Item::Inline(i) => {
            list("inline", [specifiers(&i.specifiers), declarator(&i.declarator), expr(&i.value)])
        }
        Item::Translator(t) => {
            let members = t.members.iter().map(|(name, value)| list(&name.text, [expr(value)]));
            let head = [type_name(&t.output), type_name(&t.input), t.variable.text.clone()];
            list("translator", head.into_iter().chain(members))
        }
        Item::Provider(p) => {
            let probes = p.probes.iter().map(|probe| {
                let translated =
                    probe.translated.as_ref().map_or(String::new(), |t| list(":", t.iter().map(param)));
                list(&probe.name.text, [list("args", probe.native.iter().map(param)), translated])
            });
            list("provider", std::iter::once(p.name.text.clone()).chain(probes))
        }
        Item::Pragma(p) => list("#", p.words.iter().cloned()),
    }
}

fn declaration(d: &Declaration) -> String {
    let storage = d.storage.map_or(String::new(), |s| format!("{s:?}").to_lowercase());
    let head = [storage, specifiers(&d.specifiers)];
    list("decl", head.into_iter().chain(d.declarators.iter().map(declarator)))
}

fn stmt(s: &Stmt) -> String {
    match s {
        Stmt::Expr(e) => expr(e),
        Stmt::If { cond, then, otherwise, .. } => {
            let mut parts = vec![expr(cond), list("then", then.iter().map(stmt))];
            if !otherwise.is_empty() {
                parts.push(list("else", otherwise.iter().map(stmt)));
            }
            list("if", parts)
        }
    }
}

fn specifiers(s: &Specifiers) -> String {
    let mut words: Vec<String> = Vec::new();
    let flags = [
        (s.is_const, "const"),
        (s.is_volatile, "volatile"),
        (s.is_restrict, "restrict"),
        (s.userland, "userland"),
    ];
    words.extend(flags.iter().filter(|f| f.0).map(|f| f.1.to_string()));
    let counts = [(s.signed, "signed"), (s.unsigned, "unsigned"), (s.short, "short"), (s.longs, "long")];
    for (n, word) in counts {
        words.extend((0..n).map(|_| word.to_string()));
    }
    let scoped = |module: &Option<String>, name: &str| match module {
        Some(module) => format!("{module}`{name}"),
        None => name.to_string(),
    };
    let tagged = |tag: &Option<Name>, module: &Option<String>| {
        tag.as_ref().map_or(String::new(), |t| scoped(module, &t.text))
    };
    match &s.base {
        BaseType::Implicit if words.is_empty() => words.push("int".to_string()),
        BaseType::Implicit => {}
        BaseType::Named { module, name } => words.push(scoped(module, &name.text)),
        BaseType::Composite { union, module, tag, members } => {
            let word = if *union { "union" } else { "struct" };
            let members = members.iter().flatten().map(declaration);
            words.push(list(word, std::iter::once(tagged(tag, module)).chain(members)));
        }
        BaseType::Enum { module, tag, constants } => {
            let constants = constants.iter().flatten().map(|(name, value)| match value {
                Some(value) => list(&name.text, [expr(value)]),
                None => name.text.clone(),
            });
            words.push(list("enum", std::iter::once(tagged(tag, module)).chain(constants)));
        }
    }
    words.join(" ")
}

/// The name and the steps outwards; nothing for a bare type.
fn declarator(d: &Declarator) -> String {
    let name = d.name.as_ref().map_or("", |n| n.text.as_str());
    let mut parts: Vec<String> = d.derived.iter().map(derived).collect();
    if let Some(bits) = &d.bits {
        parts.push(list("bits", [expr(bits)]));
    }
    match (name, parts.is_empty()) {
        (name, true) => name.to_string(),
        ("", false) => list("_", parts),
        (name, false) => list(name, parts),
    }
}

fn derived(d: &Derived) -> String {
    match d {
        Derived::Pointer { is_const, is_volatile, is_restrict } => {
            let mut out = "*".to_string();
            for (is, word) in [(is_const, "const"), (is_volatile, "volatile"), (is_restrict, "restrict")] {
                if *is {
                    out.push_str(word);
                }
            }
            out
        }
        Derived::Array(None) => "[]".to_string(),
        Derived::Array(Some(size)) => format!("[{}]", expr(size)),
        Derived::Assoc(params) => list("assoc", params.iter().map(param)),
        Derived::Function { params, varargs } => {
            let dots = varargs.then(|| "...".to_string());
            list("fn", params.iter().map(param).chain(dots))
        }
    }
}

fn param(p: &Param) -> String {
    let declarator = declarator(&p.declarator);
    let specifiers = specifiers(&p.specifiers);
    let words = if declarator.is_empty() { specifiers } else { format!("{specifiers} {declarator}") };
    match p.storage {
        Some(storage) => format!("{storage:?} {words}").to_lowercase(),
        None => format!("<{words}>"),
    }
}

fn type_name(t: &TypeName) -> String {
    let declarator = declarator(&t.declarator);
    let specifiers = specifiers(&t.specifiers);
    if declarator.is_empty() { format!("<{specifiers}>") } else { format!("<{specifiers} {declarator}>") }
}

fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(lit) => int(lit),
        ExprKind::Str(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        ExprKind::Ident { scope, name } => match scope {
            Scope::Global => name.clone(),
            Scope::Thread => format!("self->{name}"),
            Scope::Clause => format!("this->{name}"),
        },
        ExprKind::KernelSymbol { module, name } => format!("{}`{name}", module.as_deref().unwrap_or("")),
        ExprKind::Aggregation { name, key: None } => format!("@{name}"),
        ExprKind::Aggregation { name, key: Some(key) } => list(&format!("@{name}"), key.iter().map(expr)),
        ExprKind::Unary(op, of) => {
            let word = match op {
                UnaryOp::Neg => "neg",
                UnaryOp::Plus => "plus",
                UnaryOp::BitNot => "~",
                UnaryOp::LogNot => "!",
                UnaryOp::Deref => "deref",
                UnaryOp::AddrOf => "addr",
            };
            list(word, [expr(of)])
        }
        ExprKind::Binary(op, left, right) => list(op.text(), [expr(left), expr(right)]),
        ExprKind::Assign { op, target, value } => {
            let word = format!("{}=", op.map_or("", BinaryOp::text));
            list(&word, [expr(target), expr(value)])
        }
        ExprKind::IncDec { increment, prefix, target } => {
            let word = if *increment { "++" } else { "--" };
            let place = if *prefix { "pre" } else { "post" };
            list(&format!("{place}{word}"), [expr(target)])
        }
        ExprKind::Cond(cond, then, otherwise) => list("?:", [expr(cond), expr(then), expr(otherwise)]),
        ExprKind::Comma(left, right) => list(",", [expr(left), expr(right)]),
        ExprKind::Cast { ty, of } => list("cast", [type_name(ty), expr(of)]),
        ExprKind::SizeofType(ty) => list("sizeof", [type_name(ty)]),
        ExprKind::SizeofExpr(of) => list("sizeof", [expr(of)]),
        ExprKind::Offsetof { ty, member } => list("offsetof", [type_name(ty), member.text.clone()]),
        ExprKind::Stringof(of) => list("stringof", [expr(of)]),
        ExprKind::Xlate { ty, of } => list("xlate", [type_name(ty), expr(of)]),
        ExprKind::Call { function, args } => {
            list("call", std::iter::once(expr(function)).chain(args.iter().map(expr)))
        }
        ExprKind::Index { of, index } => list("[]", std::iter::once(expr(of)).chain(index.iter().map(expr))),
        ExprKind::Member { of, member } => list(".", [expr(of), member.text.clone()]),
        ExprKind::Arrow { of, member } => list("->", [expr(of), member.text.clone()]),
        ExprKind::Error => "<error>".to_string(),
    }
}

fn int(lit: &IntLit) -> String {
    let mut out = lit.value.to_string();
    if lit.unsigned {
        out.push('u');
    }
    for _ in 0..lit.longs {
        out.push('l');
    }
    if lit.character {
        out.push('c');
    } else if !lit.decimal {
        out.push('x');
    }
    out
}
