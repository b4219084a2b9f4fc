//! What a program becomes.

use super::checked;
use crate::ir::{ExprKind, Stmt, Subroutine, Ty};

/// The values of the first clause's records.
fn values(text: &str) -> Vec<crate::ir::Expr> {
    let compiled = checked(text);
    assert!(compiled.error().is_none(), "{text}: {:?}", compiled.error());
    let body = compiled.program.clauses.into_iter().next().map(|clause| clause.body).unwrap_or_default();
    body.into_iter()
        .filter_map(|stmt| match stmt {
            Stmt::Record { values, .. } => Some(values),
            _ => None,
        })
        .flatten()
        .collect()
}

/// The constant that a program traces.
fn constant(text: &str) -> Option<i64> {
    match values(text).first().map(|value| value.kind.clone()) {
        Some(ExprKind::Const(value)) => Some(value),
        _ => None,
    }
}

#[test]
fn intermediate_values_are_as_wide_as_a_register() {
    // Narrowed when it is recorded, not between two operators.
    assert_eq!(constant("BEGIN { trace((0x7fffffff + 1) / 2); }"), Some(0x4000_0000));
    assert_eq!(constant("BEGIN { trace(0x7fffffff + 1); }"), Some(i64::from(i32::MIN)));
    assert_eq!(constant("BEGIN { trace((int)(0x7fffffff + 1) / 2); }"), Some(-0x4000_0000));
}

#[test]
fn sizes() {
    assert_eq!(constant("BEGIN { trace(sizeof (\"hi\")); }"), Some(3));
    assert_eq!(constant("BEGIN { trace(sizeof (string)); }"), Some(256));
    assert_eq!(constant("struct s { char a; int b; }; BEGIN { trace(sizeof (struct s)); }"), Some(8));
}

#[test]
fn strings_are_indexed() {
    for text in ["BEGIN { trace(probename[2]); }", "BEGIN { trace(*probename); }"] {
        let values = values(text);
        assert!(
            matches!(values[0].kind, ExprKind::Call(Subroutine::CharAt, _)) && values[0].ty != Ty::Str,
            "{text}: {values:?}"
        );
    }
    let rest = values("BEGIN { trace(probename + 2); }");
    assert!(matches!(rest[0].kind, ExprKind::Call(Subroutine::Substr, _)), "{rest:?}");
}

#[test]
fn arrays_in_variables_have_addresses() {
    let address = values("int a[5]; BEGIN { trace(*(a + 1)); }");
    let ExprKind::Load { addr, .. } = &address[0].kind else { panic!("{address:?}") };
    assert!(matches!(addr.kind, ExprKind::Binary(..)), "{addr:?}");
}

#[test]
fn a_conditional_action_is_a_branch() {
    let compiled = checked("BEGIN { pid == 1 ? trace(1) : trace(2); }");
    assert!(compiled.error().is_none(), "{:?}", compiled.error());
    let body = &compiled.program.clauses[0].body;
    assert!(matches!(body[..], [Stmt::If { .. }]), "{body:?}");
    assert!(compiled.program.clauses[0].record.present);
}
