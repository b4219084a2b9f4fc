//! What is wrong with a program, by its tag.

use super::tag;

/// Programs and the tag of their first error; none for those that are right.
fn all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, want)| {
            let got = tag(text);
            (got != *want).then(|| format!("{text}\n    want {want:?} got {got:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn actions_are_void_operands() {
    all(&[
        ("BEGIN { exit(exit(0)); }", "D_PROTO_ARG"),
        ("BEGIN { x = 1 + trace(1); }", "D_OP_INCOMPAT"),
        ("BEGIN { x = -trace(1); }", "D_OP_ARITH"),
        ("BEGIN { !trace(1); }", "D_OP_SCALAR"),
        ("BEGIN { strlen(trace(1)); }", "D_PROTO_ARG"),
        ("BEGIN { stringof(trace(1)); }", "D_STRINGOF_TYPE"),
        ("BEGIN { trace(trace(1)); }", "D_TRACE_VOID"),
        ("BEGIN { printf(\"%d\", trace(1)); }", "D_PRINTF_ARG_TYPE"),
        ("BEGIN { a[trace(1)] = 1; }", "D_KEY_TYPE"),
        ("BEGIN { @[trace(1)] = count(); }", "D_KEY_TYPE"),
        ("BEGIN { x = trace(1); }", "D_OP_INCOMPAT"),
        ("BEGIN { x = count(); }", "D_OP_INCOMPAT"),
        ("BEGIN { (void)trace(1); }", "D_CG_EXPR"),
        ("BEGIN { trace(1), trace(2); }", "D_OP_ACT"),
        ("BEGIN /trace(1)/ { exit(0); }", "D_PRED_SCALAR"),
        // The arguments of an action within an expression come first.
        ("BEGIN { x = 1 ? printf(\"a\") : trace(); }", "D_PROTO_LEN"),
        ("BEGIN { 1 ? trace(1) : trace(2); }", ""),
    ]);
}

#[test]
fn destructive_actions_are_refused_last() {
    all(&[
        ("BEGIN { chill(); }", "D_PROTO_LEN"),
        ("BEGIN { raise(\"a\"); }", "D_PROTO_ARG"),
        ("BEGIN { freopen(\".\"); }", "D_FREOPEN_INVALID"),
        ("BEGIN { stop(); x = nosuch; }", "D_IDENT_UNDEF"),
        ("BEGIN { stop(); }", "D_ACT_SPEC"),
        ("#pragma D option destructive\nBEGIN { stop(); }", ""),
        ("BEGIN { ftruncate(); }", ""),
    ]);
}

#[test]
fn prototypes() {
    all(&[
        ("BEGIN { stack(1, 2); }", "D_PROTO_LEN"),
        ("BEGIN { stack(\"a\"); }", "D_PROTO_ARG"),
        ("BEGIN { stack(-1); }", "D_STACK_SIZE"),
        ("BEGIN { tracemem(1); }", "D_PROTO_LEN"),
        ("BEGIN { tracemem(1, 2, \"a\"); }", "D_PROTO_ARG"),
        ("BEGIN { printa(); }", "D_PROTO_LEN"),
        ("BEGIN { printa(1); }", "D_PRINTA_AGGARG"),
        ("BEGIN { @a = count(); @b[1] = count(); printa(@a, @b); }", "D_PRINTA_AGGKEY"),
        ("BEGIN { printf(\"\"); }", "D_PRINTF_FMT_EMPTY"),
        ("BEGIN { printf(1); }", "D_PROTO_ARG"),
        ("BEGIN { clear(); }", "D_PROTO_LEN"),
        ("BEGIN { clear(@b); }", "D_IDENT_UNDEF"),
        ("BEGIN { bcopy(1, 2, 3); }", "D_PROTO_ARG"),
        ("BEGIN { strlen(0); }", ""),
        ("BEGIN { strlen(1); }", "D_PROTO_ARG"),
    ]);
}

#[test]
fn names() {
    all(&[
        ("BEGIN { x = y; }", "D_IDENT_UNDEF"),
        ("BEGIN { x += 1; }", "D_VAR_UNDEF"),
        ("BEGIN { x++; }", ""),
        ("BEGIN { trace(self->x); }", "D_VAR_UNDEF"),
        ("BEGIN { x[1]; }", "D_VAR_UNDEF"),
        ("BEGIN { x[1] = 1; x; }", "D_IDENT_BADREF"),
        ("BEGIN { args; }", "D_IDENT_BADREF"),
        ("BEGIN { self = 1; }", "D_IDENT_BADREF"),
        ("BEGIN { strlen = 1; }", "D_IDENT_BADREF"),
        ("BEGIN { x = 1; x[1]; }", "D_DEREF_NONPTR"),
        ("BEGIN { x = 1; x(); }", "D_FUNC_UNDEF"),
        ("BEGIN { pid(); }", "D_FUNC_IDKIND"),
        ("BEGIN { pid = 1; }", "D_OP_WRITE"),
        ("inline int x = 1; BEGIN { x = 2; }", "D_OP_LVAL"),
        ("BEGIN { x[1] = 2; x[1, 2] = 3; }", "D_PROTO_LEN"),
        ("int trace; BEGIN { exit(0); }", "D_DECL_IDRED"),
        // A predicate may test what only the body assigns.
        ("BEGIN /!seen/ { seen = 1; }", ""),
    ]);
}

#[test]
fn operators() {
    all(&[
        ("BEGIN { x = \"a\" ? 1 : 2; }", "D_OP_SCALAR"),
        ("BEGIN { x = !\"a\"; }", "D_OP_SCALAR"),
        ("BEGIN { x = \"a\" && 1; }", "D_OP_SCALAR"),
        ("BEGIN { \"a\"++; }", "D_OP_SCALAR"),
        ("BEGIN { 1++; }", "D_OP_LVAL"),
        ("BEGIN { x = \"a\" + \"b\"; }", "D_OP_INCOMPAT"),
        ("BEGIN { x = \"a\" * 2; }", "D_OP_ARITH"),
        ("BEGIN { x = 1 << \"a\"; }", "D_OP_INT"),
        ("BEGIN { x = 1; x %= \"a\"; }", "D_OP_INT"),
        ("BEGIN { x = 1; x -= alloca(10); }", "D_OP_VFPTR"),
        ("BEGIN { x = (void *)0 + 1; }", "D_OP_INCOMPAT"),
        ("BEGIN { x = (int *)0 == 1; }", "D_OP_INCOMPAT"),
        ("BEGIN { x = (int *)0 == (void *)1; }", ""),
        ("BEGIN { x = (int *)1; x = 2; }", "D_OP_INCOMPAT"),
        ("BEGIN { x = (int *)1; x = NULL; }", ""),
        ("int a[5]; BEGIN { x = a; }", "D_OP_ARRFUN"),
        ("int a[5]; int *p; BEGIN { p = a; }", ""),
        ("int a[5]; BEGIN { p = &a[1]; }", ""),
        ("int a[5]; BEGIN { p = &a; }", "D_ADDROF_VAR"),
        ("struct s { int a; }; BEGIN { offsetof(struct s, b); }", "D_UNKNOWN"),
    ]);
}

#[test]
fn declarations() {
    all(&[
        ("long struct s { int i; }; BEGIN { exit(0); }", "D_DECL_LONGINT"),
        ("unsigned struct s { int i; }; BEGIN { exit(0); }", "D_DECL_SIGNINT"),
        ("struct s { int f(); }; BEGIN { exit(0); }", "D_DECL_VOIDOBJ"),
        ("int x[88294967295]; BEGIN { exit(0); }", "D_DECL_ARRBIG"),
        ("int x[0]; BEGIN { exit(0); }", "D_DECL_ARRSUB"),
        ("enum e { A = 2147483648 }; BEGIN { exit(0); }", "D_DECL_ENOFLOW"),
        ("BEGIN { x = (long short)0; }", "D_UNKNOWN"),
        ("this int x[int]; BEGIN { exit(0); }", "D_DECL_LOCASSC"),
        ("translator struct s < int x > { a = x; }; BEGIN { exit(0); }", "D_XLATE_SOU"),
    ]);
}

#[test]
fn llquantize_says_which_argument_is_wrong() {
    for (arguments, expected) in [
        ("1, x, 0, 3, 10", "D_LLQUANT_FACTORTYPE"),
        ("1, 1, 0, 3, 10", "D_LLQUANT_FACTORVAL"),
        ("1, 10, x, 3, 10", "D_LLQUANT_LMAGTYPE"),
        ("1, 10, -1, 3, 10", "D_LLQUANT_LMAGVAL"),
        ("1, 10, 0, x, 10", "D_LLQUANT_HMAGTYPE"),
        ("1, 10, 3, 0, 10", "D_LLQUANT_HMAGVAL"),
        ("1, 10, 0, 100, 10", "D_LLQUANT_HMAGVAL"),
        ("1, 10, 0, 3, x", "D_LLQUANT_STEPTYPE"),
        ("1, 10, 0, 3, 5", "D_LLQUANT_STEPVAL"),
        ("1, 10, 0, 3, 15", "D_LLQUANT_STEPVAL"),
    ] {
        assert_eq!(tag(&format!("BEGIN {{ @ = llquantize({arguments}); }}")), expected, "{arguments}");
    }
    for (other, expected) in [
        ("20, 0, 3, 20", "D_LLQUANT_MATCHFACTOR"),
        ("10, 1, 3, 10", "D_LLQUANT_MATCHLMAG"),
        ("10, 0, 4, 10", "D_LLQUANT_MATCHHMAG"),
        ("10, 0, 3, 20", "D_LLQUANT_MATCHSTEPS"),
    ] {
        let text = format!("BEGIN {{ @ = llquantize(1, 10, 0, 3, 10); @ = llquantize(1, {other}); }}");
        assert_eq!(tag(&text), expected, "{other}");
    }
}

#[test]
fn tags_that_scripts_seldom_meet() {
    all(&[
        ("int f()[3]; BEGIN { }", "D_DECL_FUNCRET"),
        ("int a[3](); BEGIN { }", "D_DECL_ARRFUNC"),
        ("int a[100000]; BEGIN { }", "D_DECL_TOOBIG"),
        ("BEGIN { print((void)1); }", "D_PRINT_VOID"),
        ("BEGIN { tracemem(1, 2, \"x\"); }", "D_PROTO_ARG"),
        ("BEGIN { @a = count(); trunc(@a, \"x\"); }", "D_PROTO_ARG"),
        ("BEGIN { @a = count(); normalize(@a, \"x\"); }", "D_PROTO_ARG"),
        ("provider foo { probe a(); probe a(); }; BEGIN { }", "D_PROV_PRDUP"),
        ("#pragma D attributes Stable/Stable/Common provider dtrace part\nBEGIN { }", "D_PRAGMA_INVAL"),
        ("#pragma D attributes Stable/Stable/Common provider nosuch name\nBEGIN { }", "D_PRAGMA_UNUSED"),
        ("#pragma D binding 1.0 x\nBEGIN { }", "D_PRAGMA_MALFORM"),
        ("#pragma D binding \"abc\" x\nBEGIN { }", "D_PRAGMA_INVAL"),
        ("#pragma D depends_on library x.d\nBEGIN { }", "D_PRAGMA_DEPEND"),
        ("#pragma D depends_on provider nosuch\nBEGIN { }", "D_PRAGMA_DEPEND"),
        ("BEGIN { x = stack(3).addrs[3]; }", "D_ARR_BOUNDS"),
        ("BEGIN { stack(3).depth = 1; }", "D_OP_LVAL"),
    ]);
}
