//! Records from test runs.

use super::*;

#[test]
fn a_record_from_a_test_run() {
    if skipped("a_record_from_a_test_run") {
        return;
    }
    let values = vec![
        int(42),
        text("hello"),
        builtin(Builtin::Pid, Ty::I64),
        builtin(Builtin::Execname, Ty::Str),
        builtin(Builtin::Probefunc, Ty::Str),
        int(-1),
    ];
    let program = program(vec![tracing(values, 256)]);
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    loaded.fire(0);
    loaded.fire(0);
    let events = loaded.events();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!((event.kind, event.clause, event.probe), (layout::event::RECORD, 0, 1));
        assert_eq!(event.pid, std::process::id());
        assert_eq!(event.word(0), 42);
        assert_eq!(event.string(8).as_deref(), Some("hello"));
        assert_eq!(event.word(8 + 264), u64::from(std::process::id()));
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        assert_eq!(event.string(16 + 264).as_deref(), Some(name.trim_end()));
        assert_eq!(event.string(16 + 528).as_deref(), Some("function1"));
        assert_eq!(event.word(16 + 792), u64::MAX);
    }
}

#[test]
fn a_predicate_chooses() {
    if skipped("a_predicate_chooses") {
        return;
    }
    let mut yes = tracing(vec![int(1)], 256);
    yes.predicate = Some(binary(BinaryOp::Gt, builtin(Builtin::Pid, Ty::I64), int(0)));
    let mut no = tracing(vec![int(2)], 256);
    no.predicate = Some(binary(BinaryOp::Eq, builtin(Builtin::Pid, Ty::I64), int(0)));
    let program = program(vec![yes, no]);
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0, 1])]);
    loaded.fire(0);
    let events = loaded.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].word(0), 1);
}

#[test]
fn exit_ends_the_firing() {
    if skipped("exit_ends_the_firing") {
        return;
    }
    let mut first = tracing(vec![int(1)], 256);
    first.body.push(Stmt::Effect { effect: Effect::ExitFlag, args: vec![], span: Span::default() });
    let program = program(vec![first, tracing(vec![int(2)], 256)]);
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0, 1])]);
    loaded.fire(0);
    assert_eq!(loaded.events().len(), 1);
    let control = loaded.maps[&layout::CONTROL.0].mmap().unwrap();
    assert_eq!(control.load(0), Some(1 | 1 << 32));
}

#[test]
fn a_fault_is_told_and_error_clauses_run() {
    if skipped("a_fault_is_told_and_error_clauses_run") {
        return;
    }
    let load = expr(ExprKind::Load { addr: Box::new(int(16)), space: Space::User }, Ty::I32);
    let faulting = tracing(vec![int(1), load], 256);
    let error = tracing(vec![arg(1), arg(2), arg(4), arg(5)], 256);
    let mut program = program(vec![faulting, tracing(vec![int(3)], 256), error]);
    program.clauses[2].probes[0].probes = vec![ProbeId(9)];
    let errors = ErrorProbe { probe: ProbeId(9), clauses: vec![ClauseId(2)] };
    let mut loaded =
        Loaded::with(&program, &[group(Hook::TestRun, &[0, 1])], Some(errors), target());
    for _ in 0..2 {
        loaded.fire(0);
        let events = loaded.events();
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!((events[0].kind, events[0].clause), (layout::event::FAULT, 0));
        assert_eq!(events[0].word(0) as u32, 2, "action");
        assert_eq!(events[0].word(8), Fault::BadAddr as u64);
        assert_eq!(events[0].word(16), 16);
        assert_eq!((events[1].clause, events[1].probe), (2, 9));
        let arguments: Vec<u64> = (0..4).map(|n| events[1].word(n * 8)).collect();
        assert_eq!(arguments, [1, 2, 1, 16]);
        assert_eq!(events[2].clause, 1);
    }
}
