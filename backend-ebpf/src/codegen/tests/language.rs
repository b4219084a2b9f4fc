//! Expressions, strings and variables.

use super::*;

/// Records the values of expressions, once.
fn values(expressions: Vec<Expr>, variables: Vec<Variable>) -> Vec<Fired> {
    let mut program = program(vec![tracing(expressions, 256)]);
    program.variables = variables;
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    loaded.fire(0);
    loaded.events()
}

/// A text for `json()`.
const JSON: &str = "{ \"ab\": {\"a\": 0}, \"a\": 1, \"b\": {\"c\": \"s\\\"t\", \"d\": [10, {\"e\":-2.5}]}}";

/// `place += value`.
pub(super) fn update(place: Place, value: i64) -> Expr {
    let ty = place.ty;
    let (op, value, compute) = (BinaryOp::Add, Box::new(int(value)), Ty::I64);
    expr(ExprKind::Update { place: Box::new(place), op, value, compute, old: false }, ty)
}

#[test]
fn signed_arithmetic() {
    if skipped("signed_arithmetic") {
        return;
    }
    // Through a global variable, so that nothing is constant.
    let cases: Vec<(BinaryOp, i64, i64, i64)> = vec![
        (BinaryOp::Add, i64::MAX, 1, i64::MIN),
        (BinaryOp::Sub, 3, 5, -2),
        (BinaryOp::Mul, -7, 6, -42),
        (BinaryOp::Div, -7, 2, -3),
        (BinaryOp::Div, 7, -2, -3),
        (BinaryOp::Div, i64::MIN, -1, i64::MIN),
        (BinaryOp::Mod, -7, 2, -1),
        (BinaryOp::Mod, 7, -2, 1),
        (BinaryOp::Mod, i64::MIN, -1, 0),
        (BinaryOp::Shl, 1, 40, 1 << 40),
        (BinaryOp::Shl, 1, 65, 2),
        (BinaryOp::Shr, -16, 2, -4),
        (BinaryOp::Lt, -1, 1, 1),
        (BinaryOp::Ge, -1, 1, 0),
        (BinaryOp::Xor, 0xff, 0x0f, 0xf0),
    ];
    let variables =
        vec![variable("x", Scope::Global, Ty::I64, None), variable("y", Scope::Global, Ty::I64, None)];
    let mut expressions = Vec::new();
    for (op, a, b, _) in &cases {
        let set = |id, value: i64| assign(var(id, Ty::I64), int(value));
        let value = binary(*op, read(var(0, Ty::I64)), read(var(1, Ty::I64)));
        let ty = value.ty;
        let value = expr(ExprKind::Comma(Box::new(set(1, *b)), Box::new(value)), ty);
        expressions.push(expr(ExprKind::Comma(Box::new(set(0, *a)), Box::new(value)), ty));
    }
    let events = values(expressions, variables);
    for (index, (op, a, b, want)) in cases.iter().enumerate() {
        assert_eq!(events[0].word(index * 8) as i64, *want, "{a} {op:?} {b}");
    }
}

#[test]
fn narrow_types_wrap() {
    if skipped("narrow_types_wrap") {
        return;
    }
    let u8_ = Ty::Int { bytes: 1, signed: false };
    let i8_ = Ty::Int { bytes: 1, signed: true };
    let cast = |ty, value| expr(ExprKind::Cast(Box::new(int(value))), ty);
    let events = values(
        vec![
            cast(u8_, 300),
            cast(i8_, 200),
            cast(Ty::I32, 0x1_8000_0000),
            cast(Ty::Int { bytes: 4, signed: false }, -1),
            cast(Ty::Int { bytes: 2, signed: true }, 0xffff),
        ],
        vec![],
    );
    let got: Vec<i64> = (0..5).map(|n| events[0].word(n * 8) as i64).collect();
    assert_eq!(got, [44, -56, -0x8000_0000, 0xffff_ffff, -1]);
}

#[test]
fn strings() {
    if skipped("strings") {
        return;
    }
    use Subroutine as S;
    let long = "x".repeat(200);
    let cases: Vec<(Expr, Option<String>)> = vec![
        (call(S::Strjoin, vec![text("abc"), text("defghijkl")], Ty::Str), Some("abcdefghijkl".into())),
        (call(S::Strjoin, vec![text(&long), text(&long)], Ty::Str), Some("x".repeat(255))),
        (call(S::Strjoin, vec![text(""), text("")], Ty::Str), Some("".into())),
        (call(S::Substr, vec![text("foobar"), int(3)], Ty::Str), Some("bar".into())),
        (call(S::Substr, vec![text("foobar"), int(1), int(2)], Ty::Str), Some("oo".into())),
        (call(S::Substr, vec![text("foobar"), int(-2)], Ty::Str), Some("ar".into())),
        (call(S::Substr, vec![text("foobar"), int(0), int(-1)], Ty::Str), Some("fooba".into())),
        (call(S::Substr, vec![text("foobar"), int(9)], Ty::Str), Some("".into())),
        (call(S::Toupper, vec![text("aZ09z{`é")], Ty::Str), Some("AZ09Z{`é".into())),
        (call(S::Tolower, vec![text("AZaz@[ long enough")], Ty::Str), Some("azaz@[ long enough".into())),
        (call(S::Lltostr, vec![int(-1234567890123)], Ty::Str), Some("-1234567890123".into())),
        (call(S::Lltostr, vec![int(0)], Ty::Str), Some("0".into())),
        (call(S::Lltostr, vec![int(255), int(16)], Ty::Str), Some("0xff".into())),
        (call(S::Lltostr, vec![int(0), int(16)], Ty::Str), Some("0x0".into())),
        (call(S::Lltostr, vec![int(8), int(8)], Ty::Str), Some("010".into())),
        (call(S::Lltostr, vec![int(-1), int(2)], Ty::Str), Some("1".repeat(64))),
        (null(), None),
        (call(S::Strchr, vec![text("a/b/c"), int(47)], Ty::Str), Some("/b/c".into())),
        (call(S::Strrchr, vec![text("a/b/c"), int(47)], Ty::Str), Some("/c".into())),
        (call(S::Strchr, vec![text("abc"), int(47)], Ty::Str), None),
        (call(S::Strstr, vec![text("hello world"), text("o w")], Ty::Str), Some("o world".into())),
        (call(S::Strstr, vec![text("hello"), text("xyz")], Ty::Str), None),
        (call(S::Json, vec![text(JSON), text("a")], Ty::Str), Some("1".into())),
        (call(S::Json, vec![text(JSON), text("b.c")], Ty::Str), Some(r#"s\"t"#.into())),
        (call(S::Json, vec![text(JSON), text("b.d[1].e")], Ty::Str), Some("-2.5".into())),
        (call(S::Json, vec![text(JSON), text("b.d")], Ty::Str), Some("[10, {\"e\":-2.5}]".into())),
        (call(S::Json, vec![text(JSON), text("zz")], Ty::Str), None),
        (call(S::Json, vec![text(JSON), text("a.b")], Ty::Str), None),
        (call(S::Json, vec![text("[1, [2, 3]]"), text("[1][1]")], Ty::Str), Some("3".into())),
        (call(S::Json, vec![text("{\"a\": "), text("a")], Ty::Str), None),
        (call(S::Json, vec![text("]}"), text("a")], Ty::Str), None),
        (call(S::Strstr, vec![text("hello"), text("")], Ty::Str), Some("hello".into())),
        (call(S::Strtok, vec![text("/usr//lib/x"), text("/")], Ty::Str), Some("usr".into())),
        (call(S::Strtok, vec![null(), text("/")], Ty::Str), Some("lib".into())),
        (call(S::Strtok, vec![null(), text("/")], Ty::Str), Some("x".into())),
        (call(S::Strtok, vec![null(), text("/")], Ty::Str), None),
        (call(S::Basename, vec![text("/usr/lib/")], Ty::Str), Some("lib".into())),
        (call(S::Basename, vec![text("/")], Ty::Str), Some("/".into())),
        (call(S::Basename, vec![text("")], Ty::Str), Some(".".into())),
        (call(S::Basename, vec![text("file")], Ty::Str), Some("file".into())),
        (call(S::Dirname, vec![text("/usr/lib/x")], Ty::Str), Some("/usr/lib".into())),
        (call(S::Dirname, vec![text("/usr//lib/")], Ty::Str), Some("/usr".into())),
        (call(S::Dirname, vec![text("file")], Ty::Str), Some(".".into())),
        (call(S::Dirname, vec![text("/file")], Ty::Str), Some("/".into())),
        (call(S::Dirname, vec![text("//")], Ty::Str), Some("/".into())),
        (call(S::Cleanpath, vec![text("/a/./b/../c//d")], Ty::Str), Some("/a/c/d".into())),
        (call(S::Cleanpath, vec![text("/..")], Ty::Str), Some("/".into())),
        (call(S::Cleanpath, vec![text("/a/b/../..")], Ty::Str), Some("/".into())),
        (call(S::Cleanpath, vec![text("/a/.b/..c/...")], Ty::Str), Some("/a/.b/..c/...".into())),
        (call(S::Cleanpath, vec![text("a//b/")], Ty::Str), Some("a/b/".into())),
        (call(S::Strip, vec![text("  ab c ")], Ty::Str), Some("ab c".into())),
        (call(S::Strip, vec![text("   ")], Ty::Str), Some("".into())),
    ];
    // NULL cannot be recorded: it is asked for.
    let (nulls, strings): (Vec<_>, Vec<_>) = cases.into_iter().partition(|(_, want)| want.is_none());
    // In groups: the record of all would be large.
    for chunk in strings.chunks(16) {
        let events = values(chunk.iter().map(|(expr, _)| expr.clone()).collect(), vec![]);
        for (index, (expr, want)) in chunk.iter().enumerate() {
            assert_eq!(events[0].string(index * 264), *want, "{:?}", expr.kind);
        }
    }
    let is_null = |(string, _): &(Expr, _)| expr(ExprKind::StrIsNull(Box::new(string.clone())), Ty::I32);
    for null in &nulls {
        // There has to be a string, used up, from which strtok(NULL) goes on.
        let before = call(S::Strtok, vec![text("x"), text("/")], Ty::Str);
        let events = values(vec![before, is_null(null)], vec![]);
        assert_eq!(events[0].word(264) as u32, 1, "{:?}", null.0.kind);
    }
}

#[test]
fn numbers_of_strings() {
    if skipped("numbers_of_strings") {
        return;
    }
    use Subroutine as S;
    let compare = |op, a, b| expr(ExprKind::StrCompare(op, Box::new(a), Box::new(b)), Ty::I32);
    let join = |a, b| call(S::Strjoin, vec![text(a), text(b)], Ty::Str);
    let cases: Vec<(Expr, i64)> = vec![
        (call(S::Strlen, vec![text("abcdefghij")], Ty::I64), 10),
        (call(S::CharAt, vec![text("abc"), int(2)], Ty::I64), i64::from(b'c')),
        (call(S::CharAt, vec![text("abc"), int(3)], Ty::I64), 0),
        (call(S::Strtoll, vec![text("  -123abc")], Ty::I64), -123),
        (call(S::Strtoll, vec![text("0xff"), int(16)], Ty::I64), 255),
        (call(S::Strtoll, vec![text("zz"), int(36)], Ty::I64), 35 * 36 + 35),
        (call(S::Strtoll, vec![text("9223372036854775807")], Ty::I64), i64::MAX),
        (compare(BinaryOp::Eq, join("a", "b"), text("ab")), 1),
        (compare(BinaryOp::Eq, join("a", "b"), join("ab", "")), 1),
        (compare(BinaryOp::Ne, join("a", "b"), join("ab", "c")), 1),
        (compare(BinaryOp::Lt, join("abcdefgh", "i"), join("abcdefgh", "j")), 1),
        (compare(BinaryOp::Gt, join("b", ""), join("abcdefghijk", "j")), 1),
        (compare(BinaryOp::Lt, join("abcdefgh", ""), join("abcdefgh", "a")), 1),
        (compare(BinaryOp::Eq, null(), join("", "")), 0),
        (compare(BinaryOp::Eq, null(), null()), 1),
        (compare(BinaryOp::Eq, text("12345678"), join("1234", "5678")), 1),
        (expr(ExprKind::StrIsNull(Box::new(null())), Ty::I32), 1),
        (call(S::Index, vec![text("hello world"), text("o")], Ty::I64), 4),
        (call(S::Index, vec![text("hello world"), text("o"), int(5)], Ty::I64), 7),
        (call(S::Index, vec![text("hello"), text("z")], Ty::I64), -1),
        (call(S::Index, vec![text("hello"), text(""), int(9)], Ty::I64), 5),
        (call(S::Rindex, vec![text("hello world"), text("o")], Ty::I64), 7),
        (call(S::Rindex, vec![text("hello world"), text("o"), int(5)], Ty::I64), 4),
        (call(S::Rindex, vec![text("hello"), text("lo"), int(99)], Ty::I64), 3),
        (call(S::Htons, vec![int(0x1234)], Ty::I64), 0x3412),
        (call(S::Ntohl, vec![int(0x12345678)], Ty::I64), 0x78563412),
    ];
    let events = values(cases.iter().map(|(expr, _)| expr.clone()).collect(), vec![]);
    for (index, (expr, want)) in cases.iter().enumerate() {
        assert_eq!(events[0].word(index * 8) as i64, *want, "{:?}", expr.kind);
    }
}

#[test]
fn variables_keep_their_values() {
    if skipped("variables_keep_their_values") {
        return;
    }
    let variables = vec![
        variable("count", Scope::Global, Ty::I64, None),
        variable("name", Scope::Global, Ty::Str, None),
        variable("mine", Scope::ThreadLocal, Ty::I64, None),
        variable("word", Scope::ThreadLocal, Ty::Str, None),
        variable("local", Scope::ClauseLocal, Ty::I64, None),
        variable("array", Scope::Global, Ty::I64, Some(vec![Ty::I64, Ty::Str])),
        variable("texts", Scope::ThreadLocal, Ty::Str, Some(vec![Ty::I64])),
    ];
    let up = |place: Place, old| {
        let mut up = update(place, 1);
        if let ExprKind::Update { old: yields_old, .. } = &mut up.kind {
            *yields_old = old;
        }
        up
    };
    let is_null = |value| expr(ExprKind::StrIsNull(Box::new(value)), Ty::I32);
    let key = || vec![int(7), text("k")];
    let join = |a: Expr, b| call(Subroutine::Strjoin, vec![a, text(b)], Ty::Str);
    let first = vec![
        is_null(read(var(3, Ty::Str))),
        is_null(read(elem(6, vec![int(1)], Ty::Str))),
        up(var(0, Ty::I64), false),
        up(var(2, Ty::I64), true),
        up(var(4, Ty::I64), false),
        up(elem(5, key(), Ty::I64), false),
        read(elem(5, vec![int(8), text("k")], Ty::I64)),
    ];
    let second = vec![
        assign(var(1, Ty::Str), join(read(var(1, Ty::Str)), "a")),
        assign(var(3, Ty::Str), text("self")),
        assign(elem(6, vec![int(1)], Ty::Str), join(text("t"), "ext")),
        read(var(3, Ty::Str)),
        read(elem(6, vec![int(1)], Ty::Str)),
    ];
    let mut program = program(vec![tracing(first, 256), tracing(second, 256)]);
    program.variables = variables;
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0, 1])]);
    for round in 1..=3i64 {
        loaded.fire(0);
        let events = loaded.events();
        assert_eq!(events.len(), 2);
        let got: Vec<i64> = (0..7).map(|n| events[0].word(n * 8) as i64).collect();
        let first_time = i64::from(round == 1);
        assert_eq!(got, [first_time, first_time, round, round - 1, 1, round, 0]);
        let got: Vec<Option<String>> = (0..5).map(|n| events[1].string(n * 264)).collect();
        let want = [&"a".repeat(round as usize), "self", "text", "self", "text"];
        assert_eq!(got, want.map(|text| Some(text.to_string())));
    }
}

#[test]
fn keys_made_by_subroutines_are_the_texts() {
    if skipped("keys_made_by_subroutines_are_the_texts") {
        return;
    }
    let at = |key| elem(0, vec![key], Ty::I64);
    let clean = |path| call(Subroutine::Cleanpath, vec![text(path)], Ty::Str);
    let join = call(Subroutine::Strjoin, vec![text("joi"), text("ned")], Ty::Str);
    let cases = [
        (clean("1234567"), "1234567"),
        (clean("/a/long/path/of/many/words/../../../../../.."), "/"),
        (join, "joined"),
        (
            expr(ExprKind::Cond(Box::new(arg(0)), Box::new(text("no")), Box::new(clean("7654321"))), Ty::Str),
            "7654321",
        ),
    ];
    let made = cases.iter().zip(1..).map(|((key, _), n)| assign(at(key.clone()), int(n)));
    let read_back = cases.iter().map(|(_, key)| read(at(text(key))));
    let mut program = program(vec![tracing(made.chain(read_back).collect(), 256)]);
    program.variables = vec![variable("array", Scope::Global, Ty::I64, Some(vec![Ty::Str]))];
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    loaded.fire(0);
    let events = loaded.events();
    assert_eq!((0..8).map(|n| events[0].word(n * 8)).collect::<Vec<_>>(), [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn addresses_as_text() {
    if skipped("addresses_as_text") {
        return;
    }
    use Subroutine as S;
    let v6 = |groups: [u16; 8]| groups.iter().flat_map(|group| group.to_be_bytes()).collect::<Vec<u8>>();
    let cases: Vec<(S, Vec<u8>, &str)> = vec![
        (S::InetNtoa6, v6([0xfe80, 0, 0, 0, 0x214, 0x4fff, 0xfe0b, 0x76c8]), "fe80::214:4fff:fe0b:76c8"),
        (S::InetNtoa6, v6([0; 8]), "::"),
        (S::InetNtoa6, v6([0, 0, 0, 0, 0, 0, 0, 1]), "::1"),
        (S::InetNtoa6, v6([1, 0, 2, 3, 4, 5, 6, 7]), "1:0:2:3:4:5:6:7"),
        (S::InetNtoa6, v6([1, 0, 0, 2, 0, 0, 0, 3]), "1:0:0:2::3"),
        (S::InetNtoa6, v6([0xffff; 8]), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (S::InetNtoa6, v6([1, 2, 0, 0, 0, 0, 0, 0]), "1:2::"),
        (S::InetNtoa6, v6([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]), "127.0.0.1"),
        (S::InetNtoa, vec![192, 168, 1, 23], "192.168.1.23"),
    ];
    for (subroutine, bytes, want) in cases {
        // The bytes are the test's own memory: as user memory they are copied into scratch.
        let copied = call(S::Copyin, vec![int(bytes.as_ptr() as i64), int(bytes.len() as i64)], Ty::U64);
        let events = values(vec![call(subroutine, vec![copied], Ty::Str)], Vec::new());
        assert_eq!(events[0].string(0).as_deref(), Some(want), "{bytes:x?}");
    }
}

#[test]
fn an_array_in_a_variable_is_read_through_its_address() {
    if skipped("an_array_in_a_variable_is_read_through_its_address") {
        return;
    }
    let array = |offset: i64| Place {
        kind: PlaceKind::Var { var: VarId(0), offset: Some(Box::new(int(offset))) },
        ty: Ty::I64,
        bits: None,
        span: Span::default(),
    };
    for scope in [Scope::Global, Scope::ThreadLocal, Scope::ClauseLocal] {
        let set = expr(ExprKind::Assign { place: Box::new(array(8)), value: Box::new(int(77)) }, Ty::I64);
        let address = expr(ExprKind::AddressOf(Box::new(array(0))), Ty::U64);
        let second = binary(BinaryOp::Add, address, int(8));
        let load = expr(ExprKind::Load { addr: Box::new(second), space: Space::Any }, Ty::I64);
        let both = expr(ExprKind::Comma(Box::new(set), Box::new(load)), Ty::I64);
        let events = values(vec![both], vec![variable("a", scope, Ty::Bytes(24), None)]);
        assert_eq!(events[0].word(0), 77, "{scope:?}");
    }
}
