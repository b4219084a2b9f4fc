//! Text to tree, and text to diagnostics, in tables.

use super::{LastPart, ParseConfig, dump::dump, parse, parse_declarations, parse_type};
use crate::diagnostic::SourceMap;

const TYPES: &[&str] = &["uint64_t", "size_t", "pid_t", "foo_t", "vmlinux`foo_t", "cnt"];

fn is_type(name: &str) -> bool {
    TYPES.contains(&name)
}

fn config() -> ParseConfig<'static> {
    let args = ["prog.d", "10", "0x20", "\"quoted\"", "007", "name", "-5"];
    let macros = [("pid", "123"), ("target", "77")];
    ParseConfig {
        args: args.iter().map(|s| s.to_string()).collect(),
        macros: macros.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        is_typedef: &is_type,
        ..ParseConfig::default()
    }
}

/// The tree, then one line per diagnostic: tag, line, message.
fn show_with(text: &str, config: &ParseConfig) -> String {
    let mut map = SourceMap::default();
    let id = map.add("", text);
    let parsed = parse(&mut map, id, config);
    assert_eq!(map.get(id).map(|s| s.text.as_str()), Some(text));
    let mut out = dump(&parsed.ast);
    for diag in &parsed.diags {
        let line = diag.span.map_or(0, |s| map.position(s).line);
        out.push_str(&format!("{} line {line}: {}\n", diag.tag, diag.message));
    }
    out
}

fn show(text: &str) -> String {
    show_with(text, &config())
}

#[track_caller]
fn same(text: &str, expected: &str) {
    assert_eq!(show(text).trim_end(), expected, "for {text}");
}

/// One expression in the body of BEGIN.
#[track_caller]
fn expr(text: &str, expected: &str) {
    same(&format!("BEGIN {{ {text}; }}"), &format!("(clause (probes BEGIN) (body {expected}))"));
}

/// Only diagnostics: each starts with its line here.
#[track_caller]
fn errors(text: &str, expected: &[&str]) {
    let shown = show(text);
    let found: Vec<&str> = shown.lines().filter(|l| l.starts_with("D_")).collect();
    assert_eq!(found.len(), expected.len(), "for {text}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "for {text}: {found}");
    }
}

#[test]
fn precedence() {
    expr("a + b * c - d", "(- (+ a (* b c)) d)");
    expr("a || b && c ^^ d | e ^ f & g", "(|| a (^^ (&& b c) (| d (^ e (& f g)))))");
    expr("a << 1 < b == c", "(== (< (<< a 1) b) c)");
    expr("a = b += c", "(= a (+= b c))");
    expr("a ? b : c ? d : e", "(?: a b (?: c d e))");
    expr("x = a ? b, c : d", "(= x (?: a (, b c) d))");
    expr("a, b, c", "(, (, a b) c)");
    expr("-a * !b", "(* (neg a) (! b))");
    expr("*p++ = ~&q", "(= (deref (post++ p)) (~ (addr q)))");
    expr("++x - --y", "(- (pre++ x) (pre-- y))");
    expr("a / b / c % d", "(% (/ (/ a b) c) d)");
}

#[test]
fn postfix_and_primary() {
    expr("f(a, b)->c.d[1, 2]", "([] (. (-> (call f a b) c) d) 1 2)");
    expr("self->x = this->y", "(= self->x this->y)");
    expr("self->p->q[0].string", "(. ([] (-> self->p q) 0) string)");
    expr("@ = count()", "(= @_ (call count))");
    expr("@a[execname, pid] = sum(1)", "(= (@a execname pid) (call sum 1))");
    expr("@[1] = max(x)", "(= (@_ 1) (call max x))");
    expr("(int64_t)&`_stext", "(& int64_t `_stext)");
    expr("vmlinux`jiffies", "vmlinux`jiffies");
    expr("libc.so.6`environ", "libc.so.6`environ");
    expr("a.b.c + x.y`z", "(+ (. (. a b) c) x.y`z)");
    expr("return(3)", "(call return 3)");
    expr("args[0]->d_inode", "(-> ([] args 0) d_inode)");
    expr("printf(\"a\\tb\\n\\\"\\x41\\101\")", r#"(call printf "a\tb\n\"AA")"#);
    expr("stringof x", "(stringof x)");
    expr("stringof(x).y", "(stringof (. x y))");
}

#[test]
fn types_in_expressions() {
    expr("(struct s *)p", "(cast <struct s (_ *)> p)".replace("struct s", "(struct s)").as_str());
    expr("(string)p", "(cast <string> p)");
    expr("(unsigned char)x + 1", "(+ (cast <unsigned char> x) 1)");
    expr("(foo_t)x", "(cast <foo_t> x)");
    expr("(foo_t *)x", "(cast <foo_t (_ *)> x)");
    expr("(vmlinux`foo_t)x", "(cast <vmlinux`foo_t> x)");
    expr("(struct vmlinux`task_struct *)x", "(cast <(struct vmlinux`task_struct) (_ *)> x)");
    expr("(vmlinux`struct s *)x", "(cast <(struct vmlinux`s) (_ *)> x)");
    expr("(D`size_t)x + (C`int)y", "(+ (cast <size_t> x) (cast <int> y))");
    expr("(vmlinux`size_t)x", "(cast <vmlinux`size_t> x)");
    expr("(char **)x", "(cast <char (_ * *)> x)");
    expr("(foo) + 1", "(+ foo 1)");
    expr("sizeof (int)", "(sizeof <int>)");
    expr("sizeof (x)", "(sizeof x)");
    expr("sizeof x + 1", "(+ (sizeof x) 1)");
    expr("sizeof (int [3])", "(sizeof <int (_ [3])>)");
    expr("sizeof (int (*)(char, ...))", "(sizeof <int (_ * (fn <char> ...))>)");
    expr("offsetof(struct list_head, prev)", "(offsetof <(struct list_head)> prev)");
    expr("xlate <foo_t *> (this->p)->dbl", "(-> (xlate <foo_t (_ *)> this->p) dbl)");
    // A type's name that the clause assigns to is a variable from then on.
    expr("cnt = 1; (cnt) + 2", "(= cnt 1) (+ cnt 2)");
    expr("cnt++", "(post++ cnt)");
    expr("cnt[1] = 2", "(= ([] cnt 1) 2)");
}

#[test]
fn integers() {
    expr("0", "0");
    expr("1u + 2UL + 3ll + 4uLL + 5LLU", "(+ (+ (+ (+ 1u 2ul) 3ll) 4ull) 5ull)");
    expr("0x1F + 017", "(+ 31x 15x)");
    expr("18446744073709551615", "18446744073709551615");
    errors("BEGIN { trace(18446744073709551616); }", &["D_INT_OFLOW line 1"]);
    errors("BEGIN\n{ x = 0128; }", &["D_INT_DIGIT line 2: constant 0128 contains invalid digit 8"]);
    errors("BEGIN { x = 1.5; }", &["D_SYNTAX line 1: floating"]);
    errors("BEGIN { x = 12abc; }", &["D_SYNTAX line 1: syntax error near \"abc\""]);
}

#[test]
fn characters_and_strings() {
    expr("'a'", "97c");
    expr("'ab'", "24930c");
    expr("'\\0' + '\\n' + '\\\\'", "(+ (+ 0c 10c) 92c)");
    expr("'\\377' + '\\400'", "(+ 255c 0c)");
    // All hexadecimal digits, of which the last two count; without any, NUL.
    expr("'\\x414' + '\\x1g' + '\\x'", "(+ (+ 20c 359c) 0c)");
    // The backslash of an unknown escape stays.
    expr("'\\q' + '\\'' + 'a\\?b'", "(+ (+ 23665c 23591c) 1633435490c)");
    expr("\"a\\qb\\\"\"", "\"a\\\\qb\\\"\"");
    // Strings end at NUL, character constants do not.
    expr("\"ab\\0cd\" + 'a\\0'", "(+ \"ab\" 24832c)");
    errors("BEGIN { trace('\\q1234567'); }", &["D_CHR_OFLOW line 1"]);
    errors("BEGIN {\n trace(\"a\\\nb\"); }", &["D_SYNTAX line 2"]);
    errors("BEGIN { trace(''); }", &["D_CHR_NULL line 1"]);
    errors("BEGIN { trace('abcdefghi'); }", &["D_CHR_OFLOW line 1"]);
    errors("BEGIN { trace('a\n); }", &["D_CHR_NL line 2"]);
    errors("BEGIN { trace(\"a\n); }", &["D_STR_NL line 2"]);
    errors("BEGIN { trace(\"a", &["D_SYNTAX line 1: end-of-file encountered before matching \""]);
}

#[test]
fn comments_and_control_lines() {
    same("/* a\n * b */\nBEGIN /* c */ { /* * / */ x; /* d */ }/* e */", "(clause (probes BEGIN) (body x))");
    same("BEGIN // a }\n{ x; // { \n}", "(clause (probes BEGIN) (body x))");
    errors("BEGIN { /* a /* b */ c */ exit(0); }", &["D_SYNTAX line 1: syntax error near"]);
    errors("BEGIN { }\n/* a\n ", &["D_SYNTAX line 3: end-of-file encountered before matching */"]);
    same("#!/usr/sbin/dtrace -s\nBEGIN", "(clause (probes BEGIN))");
    same(
        "#pragma D option quiet\nBEGIN {\n \t#pragma  D   option a=\"b c\"\n x; }",
        "(# pragma D option quiet)\n(clause (probes BEGIN) (body x))\n(# pragma D option a= \"b c\")",
    );
    same("#ident \"x\"\n#\nBEGIN", "(clause (probes BEGIN))");
    errors("#error custom message\nBEGIN", &["D_PRAGERR line 1: #error: custom message"]);
    errors("#pragma D error \"stop\"", &["D_PRAGERR line 1: #error: stop"]);
    errors("  #define X 1\n", &["D_PRAGCTL_INVAL line 1: invalid control directive: #define"]);
    errors("# 77 \"f.d\"\nBEGIN { x = ; }", &["D_SYNTAX line 77"]);
    errors("BEGIN {\n#line 5\n x = ; }", &["D_SYNTAX line 6"]);
    errors("# 5\n x = ;", &["D_SYNTAX line 5"]);
    errors("#line x\n", &["D_PRAGMA_MALFORM line 1: malformed #line <line> [ [\"file\"] state ]"]);
    same("#pragma D ident \"x\"\n#pragma ident x\nBEGIN", "(clause (probes BEGIN))");
}

#[test]
fn probe_descriptions() {
    same("BEGIN, END { }", "(clause (probes BEGIN END) (body))");
    same(
        "BEGIN { }\nBEGIN /x/ { y }",
        "(clause (probes BEGIN) (body))\n(clause (probes BEGIN) (pred x) (body y))",
    );
    same("syscall::read*:return,\n tick-1sec{;}", "(clause (probes syscall::read*:return tick-1sec) (body))");
    same("pid$target:a.out:main:entry", "(clause (probes pid77:a.out:main:entry))");
    same("tick-$1", "(clause (probes tick-10))");
    same("dtrace:::BEG\\* , io:::s[ab]? ,:::x!,12", "(clause (probes dtrace:::BEG\\* io:::s[ab]? :::x! 12))");
    same("fbt:main:main.(*T).run:entry", "(clause (probes fbt:main:main.(*T).run:entry))");
    same("foo_t { x }", "(clause (probes foo_t) (body x))");
    errors(
        "a:b:c:d:e { exit(0); }",
        &["D_PDESC_INVAL line 1: invalid probe description \"a:b:c:d:e\": Over"],
    );
    same("::::, :a:b:c:d { }", "(clause (probes ::: a:b:c:d) (body))");
    errors("::::: { }", &["D_PDESC_INVAL line 1: invalid probe description \":::::\": Over"]);
    let macro_undefined = "D_PDESC_INVAL line 1: invalid probe description \"tick-$9\": Undefined macro";
    errors("tick-$9 { x = ; }", &[macro_undefined, "D_SYNTAX line 1"]);
    errors("pid$nosuch:::, pid$ { }", &["D_PDESC_INVAL line 1", "D_PDESC_INVAL line 1"]);
    // Words of the language name probes, unless they start something else.
    same("while, syscall::for:entry { }", "(clause (probes while syscall::for:entry) (body))");
    same("int:::x, char*:::x { }", "(clause (probes int:::x char*:::x) (body))");
    errors("self { }", &["D_SYNTAX line 1: syntax error near \"{\""]);
    errors("BEGIN, int { }", &["D_SYNTAX line 1: syntax error near \"int\""]);
    errors(
        "BEGIN /1/\n",
        &["D_SYNTAX line 2: expected actions { } following probe description and predicate"],
    );
    errors("BEGIN\n; END { }", &["D_SYNTAX line 2: syntax error near \";\""]);
    errors("BEGIN\n/* x", &["D_SYNTAX line 2: end-of-file encountered before matching */"]);
    // Numbers of probes.
    same("1, 0x10, 010, 2u { }", "(clause (probes 1 16 8 2) (body))");
    same("1:2 { }", "(clause (probes 1))\n(clause (probes :2) (body))");
    errors("4294967296 { }", &["D_PDESC_INVAL line 1: identifier 4294967296 exceeds maximum probe id"]);
    errors("99999999999999999999 { }", &["D_INT_OFLOW line 1"]);
    errors("BEGIN\nEND { }", &[]);
    let file = ParseConfig { require_body: true, ..config() };
    assert!(show_with("BEGIN\n", &file).contains("expected predicate and/or actions"));
    let function = ParseConfig { last_part: LastPart::Function, ..config() };
    assert_eq!(
        show_with("syscall::write /x/ { }", &function),
        "(clause (probes syscall::write:) (pred x) (body))\n"
    );
    assert!(show_with("a:b:c:d", &function).contains("D_PDESC_INVAL"));
    let pspec = ParseConfig { pspec: true, ..config() };
    assert_eq!(show_with("int*x", &pspec), "(clause (probes int*x))\n");
    same("int*x;", "(decl int (x *))");
}

#[test]
fn predicates() {
    same("BEGIN /x \n == 1 /* c */ / /* d */ { }", "(clause (probes BEGIN) (pred (== x 1)) (body))");
    same("BEGIN /a / b/ { }", "(clause (probes BEGIN) (pred (/ a b)) (body))");
    same("BEGIN /(a / b) > 1/ // c\n{ }", "(clause (probes BEGIN) (pred (> (/ a b) 1)) (body))");
    errors("BEGIN /i < != 2/ { }", &["D_SYNTAX line 1: syntax error near \"!=\""]);
    errors("BEGIN /(a/ { }", &["D_SYNTAX line 1: closing ) expected in predicate before /"]);
    errors("BEGIN /f(/ { }", &["D_SYNTAX line 1: closing ) expected in predicate before /"]);
    errors("BEGIN /a[1/ { }", &["D_SYNTAX line 1: closing ] expected in predicate before /"]);
}

#[test]
fn statements() {
    same("BEGIN { ; a;; b }", "(clause (probes BEGIN) (body a b))");
    same(
        "BEGIN { if (a) b; else if (c) { d; } else e }",
        "(clause (probes BEGIN) (body (if a (then b) (else (if c (then d) (else e))))))",
    );
    same("BEGIN { if (a) ; x }", "(clause (probes BEGIN) (body (if a (then)) x))");
    errors("BEGIN { while = 1; }", &["D_SYNTAX line 1: syntax error near \"while\""]);
    errors("BEGIN { trace(1) trace(2); }", &["D_SYNTAX line 1: syntax error near \"trace\""]);
    errors("BEGIN { a + b = 1; }", &["D_SYNTAX line 1: syntax error near \"=\""]);
    errors("BEGIN { x); y]; }", &["D_SYNTAX line 1: extra )", "D_SYNTAX line 1: extra ]"]);
    errors(
        "BEGIN {\n x = ;\n y;\n z += /;\n}\nEND { * }",
        &["D_SYNTAX line 2", "D_SYNTAX line 4", "D_SYNTAX line 6"],
    );
    errors("BEGIN { x", &["D_SYNTAX line 1: syntax error near end of input"]);
    errors("BEGIN { } }\nEND { }", &["D_SYNTAX line 1: syntax error near \"}\""]);
    errors("BEGIN { x = \u{e9}; \u{1} }", &["D_SYNTAX line 1", "D_SYNTAX line 1"]);
}

#[test]
fn macros() {
    expr("$1 + $2", "(+ 10 32x)");
    expr("$3", "\"quoted\"");
    expr("$$4", "\"007\"");
    expr("$4", "7x");
    expr("$5", "name");
    expr("$6", "(neg 5)");
    expr("$pid + $target", "(+ 123 77)");
    expr("$$target", "\"77\"");
    expr("\"$pid $1\"", "\"$pid $1\"");
    errors("BEGIN { trace($nosuch); }", &["D_MACRO_UNDEF line 1: macro variable $nosuch"]);
    errors("BEGIN { trace($9); }", &["D_MACRO_UNDEF line 1: macro argument $9 is not defined"]);
    errors("BEGIN { $99999999999; }", &["D_MACRO_OFLOW line 1"]);
    errors("BEGIN { i = 123$pid; }", &["D_SYNTAX line 1: syntax error near \"$pid\""]);
    let lenient = ParseConfig { default_args: true, ..config() };
    assert_eq!(show_with("BEGIN { $9; $$9 }", &lenient), "(clause (probes BEGIN) (body 0 \"\"))\n");
    let mut map = SourceMap::default();
    let id = map.add("", "tick-$2 { $$3; $9 }");
    let parsed = parse(&mut map, id, &lenient);
    assert_eq!(parsed.used_args.into_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn declarations() {
    same("int x, *y[3];", "(decl int x (y [3] *))");
    same("self string s; this foo_t *t;", "(decl thread string s)\n(decl clause foo_t (t *))");
    same("int a[int, string], b[5], c[];", "(decl int (a (assoc <int> <string>)) (b [5]) (c []))");
    same(
        "struct s { int a : 3, : 2; struct { int q; }; foo_t foo_t; } v;",
        "(decl (struct s (decl int (a (bits 3)) (_ (bits 2))) (decl (struct (decl int q))) (decl foo_t foo_t)) v)",
    );
    same(
        "union u { char c; };\nenum e { A, B = 3, };",
        "(decl (union u (decl char c)))\n(decl (enum e A (B 3)))",
    );
    same(
        "typedef const volatile int cvi; typedef char * const ccp; cvi x;",
        "(decl typedef const volatile int cvi)\n(decl typedef char (ccp *const))\n(decl cvi x)",
    );
    same(
        "extern int f(int, char *, ...); int (*g)(void);",
        "(decl extern int (f (fn <int> <char (_ *)> ...)))\n(decl int (g * (fn <void>)))",
    );
    same(
        "unsigned long long int u; signed s; userland char *p;",
        "(decl unsigned long long int u)\n(decl signed s)\n(decl userland char (p *))",
    );
    same(
        "typedef struct list { struct list *next; } list_t; list_t *l; BEGIN { (list_t *)0 }",
        "(decl typedef (struct list (decl (struct list) (next *))) list_t)\n(decl list_t (l *))\n\
         (clause (probes BEGIN) (body (cast <list_t (_ *)> 0)))",
    );
    errors("int 0abc;", &["D_SYNTAX line 1: syntax error near \"0\""]);
    errors("self this int x;", &["D_DECL_CLASS line 1"]);
    errors("struct s { };", &["D_SYNTAX line 1: syntax error near \"}\""]);
    errors("int x\nBEGIN { }", &["D_SYNTAX line 2: syntax error near \"BEGIN\""]);
    errors("int a[static int];", &[]);
    errors("int f(self int a);", &["D_SYNTAX line 1: syntax error near \"self\""]);
    errors("auto int x; int f(register int x); static struct s { int a; };", &["D_DECL_BADCLASS line 1"]);
    errors("inline static int x = 3;", &["D_DECL_BADCLASS line 1"]);
    errors("int `x, a`y; struct s { int `z; }; enum { `A };", &["D_DECL_SCOPE line 1"; 4]);
    errors("provider `p { probe a(); };", &["D_PROV_BADNAME line 1"]);
    errors(
        "struct s { int a; };\nstruct s\n{ int b; };",
        &["D_DECL_TYPERED line 3: type redeclared: struct s"],
    );
    errors("struct s { int a; }\nstruct t {\nint a; };", &["D_DECL_COMBO line 2: invalid type combination"]);
    same("unsigned foo_t x;", "(decl unsigned foo_t x)");
    errors("int a[...];", &["D_DECL_PROTO_VARARGS line 1"]);
    errors("int int x;", &["D_DECL_COMBO line 1"]);
}

#[test]
fn inlines_translators_providers() {
    same(
        "inline int LIMIT = 10 * 2; inline string S = \"in\";",
        "(inline int LIMIT (* 10 2))\n(inline string S \"in\")",
    );
    same("inline int f[int a, int b] = a + b;", "(inline int (f (assoc <int a> <int b>)) (+ a b))");
    same(
        "translator foo_t < struct src *s > { a = s->a * 2; b = 1; };",
        "(translator <foo_t> <(struct src) (_ *)> s (a (* (-> s a) 2)) (b 1))",
    );
    same(
        "provider p { probe go__now(int a, char *) : (long); probe x(); };",
        "(provider p (go__now (args <int a> <char (_ *)>) (: <long>)) (x (args)))",
    );
    same("provider:::x { }", "(clause (probes provider:::x) (body))");
    errors("translator foo_t < int s > { a = 1 };", &["D_SYNTAX line 1: syntax error near \"}\""]);
}

#[test]
fn empty_programs() {
    let empty = |text: &str| {
        let mut map = SourceMap::default();
        let id = map.add("", text);
        parse(&mut map, id, &config())
            .empty
            .map(|diag| (diag.tag.name(), diag.span.map(|s| map.position(s).line)))
    };
    for (text, line) in
        [("", 1), ("/* x */\n", 2), ("#pragma D option quiet\n\n", 3), ("int x; struct s;", 1), ("// x", 1)]
    {
        assert_eq!(empty(text), Some(("D_EMPTY", Some(line))), "{text}");
    }
    for text in ["BEGIN", "inline int x = 1;", "provider p { };"] {
        assert_eq!(empty(text), None, "{text}");
    }
}

#[test]
fn pieces() {
    for text in ["int", "char *", "string", "struct foo *", "foo_t", "int (*)(int)", "unsigned long long"] {
        assert!(parse_type(text, &config()).is_some(), "{text}");
    }
    for text in ["", "nosuch_x", "int x", "int;", "struct", "*"] {
        assert!(parse_type(text, &config()).is_none(), "{text}");
    }
    let found = parse_declarations("int f(foo_t, string); void g(...); ", &config());
    assert_eq!(found.map(|d| d.len()).map_err(|d| d.message), Ok(2));
    assert!(parse_declarations("int f(", &config()).is_err());
}

/// A tree that cannot be walked is refused; nothing overflows the stack.
#[test]
fn depth() {
    let n = 20_000;
    let body = |text: String| format!("BEGIN {{ {text}; }}\nEND {{ ok; }}");
    let deep = [
        body("a+".repeat(n) + "a"),
        body("a,".repeat(n) + "a"),
        body("a=".repeat(n) + "a"),
        body("a?b:".repeat(n) + "a"),
        body("a?".repeat(n) + "a"),
        body("-".repeat(n) + "a"),
        body("- ".repeat(n) + "a"),
        body("(".repeat(n)),
        body("f(".repeat(n)),
        body("a[".repeat(n)),
        body(String::from("a") + &"[1]".repeat(n)),
        body(String::from("a") + &"->b".repeat(n)),
        body(String::from("a") + &"()".repeat(n)),
        body("(int)".repeat(n)),
        body("sizeof ".repeat(n)),
        body("sizeof(int[".repeat(n)),
        body("if (a) ".repeat(n)),
        body("if (a) b; else ".repeat(n)),
        body("if (a) { ".repeat(n)),
        body("stringof(".repeat(n)),
        "struct {".repeat(n),
        "struct a { int b; ".repeat(n),
        format!("int {} x;", "(".repeat(n)),
        format!("int x{};", "(int".repeat(n)),
        format!("inline int x = {};", "xlate <int> (".repeat(n)),
    ];
    for text in deep {
        let shown = show(&text);
        assert!(shown.contains("D_SYNTAX") || shown.contains("D_FUNC_IDENT"), "{}", &text[..40]);
    }
    assert!(!show(&body("(".repeat(100) + "a" + &")".repeat(100))).contains("D_"));
    assert!(!show(&body("a+".repeat(400) + "a")).contains("D_"));
    // Wide is not deep.
    let wide = body("x; ".repeat(n) + &"*".repeat(10));
    assert_eq!(show(&wide).lines().filter(|l| l.starts_with("D_")).count(), 1);
}

/// Garbage made from real text: no panic, and an end.
#[test]
fn mutations() {
    let corpus = [
        "#pragma D option quiet\nBEGIN /pid == $target && x[1, \"a\"] / { @a[execname] = quantize(arg0 / 2); }",
        "typedef struct s { int a : 3; char *b[4]; } s_t; self s_t *p; int q[int, string];\nEND { (s_t *)0; }",
        "translator foo_t < int v > { a = v ? 'x' : 0x1fULL; };\ninline int f[int a] = a << 2;",
        "# 3 \"f\"\nsyscall::read*:entry, tick-$1sec /* c */ { if (a) { b++; } else --c; printf(\"%d\\n\", $$3); }",
        "provider p { probe go__x(int) : (long); }; enum { A = 1, B }; int (*g)(int, ...);",
        "BEGIN { offsetof(struct s, m); xlate <foo_t *> (x)->y; vmlinux`z; sizeof (int *); stringof(a.b->c) }",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % below.max(1)
    };
    let pieces = [
        "/",
        "{",
        "}",
        "(",
        "[",
        "\"",
        "'",
        "/*",
        "$",
        "`",
        "@",
        "#",
        "\n",
        "\0",
        "\u{ff}",
        ";",
        "*",
        "int ",
        ":",
        "::",
        "1:",
        "\\",
        "m`struct ",
        "size_t ",
        "static ",
        "a.b`",
        "0x",
        "$9",
        "#line 3 \"f\n",
    ];
    for round in 0..6000 {
        let mut text: Vec<char> = corpus[round % corpus.len()].chars().collect();
        for _ in 0..=random(6) {
            let at = random(text.len());
            match random(4) {
                0 => drop(text.drain(at..(at + random(9)).min(text.len()))),
                1 => drop(text.splice(at..at, pieces[random(pieces.len())].chars())),
                2 => {
                    let other: Vec<char> =
                        corpus[random(corpus.len())].chars().skip(random(60)).take(20).collect();
                    text.splice(at..at, other);
                }
                _ => text.truncate(at.max(1)),
            }
        }
        let _ = show(&text.into_iter().collect::<String>());
    }
}

/// Time grows with the text, not faster.
#[test]
fn long_texts() {
    for unit in [
        "/",
        "/ ",
        "x{",
        "}",
        "#\n",
        "\"\n",
        "'",
        "$",
        "a:",
        "@[",
        "/*",
        "(",
        "int ",
        "BEGIN{x;}\n",
        "\u{e9}",
        " \t",
    ] {
        let start = std::time::Instant::now();
        let _ = show(&unit.repeat(200_000 / unit.len()));
        assert!(start.elapsed().as_secs() < 5, "{unit}");
    }
}
