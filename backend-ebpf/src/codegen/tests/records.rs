//! Records from test runs.

use super::*;

/// Nanoseconds that the kernel says this thread has run.
fn kernel_account() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

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
        builtin(Builtin::Tid, Ty::I64),
        builtin(Builtin::Ppid, Ty::I64),
        call(Subroutine::Progenyof, vec![int(i64::from(std::os::unix::process::parent_id()))], Ty::I64),
        call(Subroutine::Progenyof, vec![int(i64::from(i32::MAX))], Ty::I64),
        builtin(Builtin::Vtimestamp, Ty::I64),
    ];
    let program = program(vec![tracing(values, 256)]);
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    let before = kernel_account();
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
        assert_eq!(event.word(24 + 800), u64::from(std::os::unix::process::parent_id()));
        assert_eq!((event.word(32 + 800), event.word(40 + 800)), (1, 0));
    }
    // Nobody watches switches here: what the kernel has counted by then.
    let used = [before, events[0].word(48 + 800), events[1].word(48 + 800), kernel_account()];
    assert!(used.is_sorted(), "vtimestamp: {used:?}");
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
    let mut loaded = Loaded::with(&program, &[group(Hook::TestRun, &[0, 1])], Some(errors), target());
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

const SOURCE: &str = r#"
#include <stdio.h>
#include <string.h>
struct point { int x; short y; unsigned char name[10]; long z; };
static struct point point = {-7, -2, "ten bytes!", 1L << 40};
static char text[] = "a string of the target";
__attribute__((noinline)) long work(struct point *p, const char *s, long n) {
    __asm__ volatile(".byte 0x0f,0x1f,0x44,0x00,0x00" ::: "memory");
    return n;
}
__attribute__((noinline)) long outer(long n) { return work(&point, text, n) + 1; }
int main(void) {
    volatile char touch = text[0];
    getchar();
    (void)touch;
    for (long i = 0; i < 3; i++) if (outer(i) != i + 1) return 1;
    return 0;
}
"#;

/// Everything that a probe reads from its process: arguments, memory, strings, scratch copies, stacks, symbols.
#[test]
fn a_uprobe_reads_its_process() {
    if skipped("a_uprobe_reads_its_process") {
        return;
    }
    let busy = super::aggregations::Busy::of("reads", SOURCE);
    let at = |offset: i64, ty: Ty| {
        let addr = binary(BinaryOp::Add, expr(ExprKind::Arg(0), Ty::U64), int(offset));
        expr(ExprKind::Load { addr: Box::new(addr), space: Space::User }, ty)
    };
    let stack = StackSpec { user: true, frames: 8, strsize: 0 };
    let pointer = Ty::U64;
    let copied = assign(var(0, pointer), call(Subroutine::Copyin, vec![arg(0), int(32)], pointer));
    let in_scratch = |offset: i64, ty: Ty| {
        let addr = binary(BinaryOp::Add, read(var(0, pointer)), int(offset));
        expr(ExprKind::Load { addr: Box::new(addr), space: Space::Any }, ty)
    };
    let name = expr(ExprKind::StrOfBytes(Box::new(at(6, Ty::Bytes(10)))), Ty::Str);
    let alloca = assign(var(1, pointer), call(Subroutine::Alloca, vec![int(16)], pointer));
    let scratch = |offset: i64| Place {
        kind: PlaceKind::Mem {
            addr: Box::new(binary(BinaryOp::Add, read(var(1, pointer)), int(offset))),
            space: Space::Any,
        },
        ty: Ty::I64,
        bits: None,
        span: Span::default(),
    };
    let values = vec![
        arg(2),
        at(0, Ty::I32),
        at(4, Ty::Int { bytes: 2, signed: true }),
        at(16, Ty::I64),
        copyinstr(arg(1)),
        name,
        at(0, Ty::Bytes(24)),
        expr(ExprKind::Builtin(Builtin::Ucaller), Ty::Stack(stack)),
        expr(ExprKind::Cast(Box::new(builtin(Builtin::Ucaller, Ty::U64))), Ty::Symbol(SymbolKind::Usym)),
        copied,
        in_scratch(16, Ty::I64),
        in_scratch(4, Ty::Int { bytes: 2, signed: true }),
        alloca,
        assign(scratch(8), int(99)),
        read(scratch(8)),
        read(scratch(0)),
        expr(
            ExprKind::LoadStr {
                addr: Box::new(binary(BinaryOp::Add, read(var(0, pointer)), int(6))),
                space: Space::Any,
                max: Some(Box::new(int(5))),
            },
            Ty::Str,
        ),
    ];
    let mut program = program(vec![tracing(values, 256)]);
    program.variables = vec![
        variable("p", Scope::ClauseLocal, pointer, None),
        variable("q", Scope::ClauseLocal, pointer, None),
    ];
    let mut group = group(Hook::Uprobe, &[0]);
    group.identity = ProbeIdentity::Cookie;
    for target in
        [target(), Target { global_ctx: false, isa_v4: false, offsets: KernelOffsets::default(), ..target() }]
    {
        let mut loaded = Loaded::with(&program, std::slice::from_ref(&group), None, target);
        let site = crate::kernel::link::Site::new(busy.offset(), 2 | 7 << 32);
        let links = crate::kernel::link::attach_uprobes(&loaded.progs[0], &busy.path, &[site], false, None)
            .expect("attach");
        busy.run(0, 0);
        drop(links);
        let events = loaded.events();
        assert_eq!(events.len(), 3, "{events:?}");
        for (index, event) in events.iter().enumerate() {
            assert_eq!((event.kind, event.probe), (layout::event::RECORD, 2));
            let numbers: Vec<i64> = (0..4).map(|n| event.word(n * 8) as i64).collect();
            assert_eq!(numbers, [index as i64, -7, -2, 1 << 40]);
            assert_eq!(event.string(32).as_deref(), Some("a string of the target"));
            assert_eq!(event.string(32 + 264).as_deref(), Some("ten bytes!"));
            let object = 32 + 528;
            assert_eq!(event.word(object + 16), 1 << 40);
            let stack = object + 24;
            let count = event.word(stack);
            assert!(count >= 2, "frames");
            assert_eq!(event.word(stack + 8), u64::from(event.pid));
            let symbol = stack + 80;
            assert_eq!(event.word(symbol), u64::from(event.pid));
            assert!(event.word(symbol + 8) != 0, "return address");
            assert_eq!(event.word(stack + 24), event.word(symbol + 8), "the caller's frame");
            let rest: Vec<i64> = (0..7).map(|n| event.word(symbol + 16 + n * 8) as i64).collect();
            assert_eq!(rest[1..3], [1 << 40, -2]);
            assert_eq!(rest[4..7], [99, 99, 0]);
            assert_eq!(event.string(symbol + 16 + 56).as_deref(), Some("ten "));
        }
    }
}

/// System call probes: identity by number, arguments from registers, errno.
#[test]
fn system_calls_are_told_apart() {
    if skipped("system_calls_are_told_apart") {
        return;
    }
    let mut table = vec![0; 512];
    table[libc::SYS_statx as usize] = 1;
    table[libc::SYS_getppid as usize] = 2;
    let entry = SiteGroup {
        identity: ProbeIdentity::BySyscall(table.clone()),
        args: vec![ArgSource::SyscallArg(0)],
        filter: PidFilter::Pid(std::process::id()),
        ..group(Hook::SysEnter, &[0])
    };
    let exit = SiteGroup {
        identity: ProbeIdentity::BySyscall(table),
        args: vec![ArgSource::Ctx(1)],
        filter: PidFilter::Pid(std::process::id()),
        errno: true,
        ..group(Hook::SysExit, &[1])
    };
    let tid = || builtin(Builtin::Tid, Ty::I64);
    let mut program = program(vec![
        tracing(
            vec![arg(0), tid(), builtin(Builtin::Epid, Ty::I64), builtin(Builtin::Probefunc, Ty::Str)],
            256,
        ),
        tracing(vec![arg(0), tid(), builtin(Builtin::Errno, Ty::I64)], 256),
    ]);
    program.strsize = 256;
    let mut loaded = Loaded::new(&program, &[entry, exit]);
    let links: Vec<_> = ["sys_enter", "sys_exit"]
        .iter()
        .zip(&loaded.progs)
        .map(|(name, prog)| crate::kernel::link::attach_raw_tracepoint(prog, name, 0).expect("attach"))
        .collect();
    let thread = std::fs::read_link("/proc/thread-self").expect("thread");
    let tid: u64 = thread.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("thread id");
    assert!(std::fs::metadata("/nonexistent").is_err());
    let _ = std::os::unix::process::parent_id();
    drop(links);
    let events: Vec<Fired> = loaded.events().into_iter().filter(|event| event.word(8) == tid).collect();
    let stat: Vec<&Fired> = events
        .iter()
        .filter(|event| event.probe == 1 && (event.clause == 1 || event.word(0) as i32 == libc::AT_FDCWD))
        .collect();
    assert!(stat.len() >= 2, "{events:?}");
    assert_eq!(stat[0].string(24).as_deref(), Some("function1"));
    assert_eq!(stat[0].word(16), 1, "epid");
    assert!(stat.iter().any(|event| event.clause == 1
        && event.word(0) as i64 == -i64::from(libc::ENOENT)
        && event.word(16) == libc::ENOENT as u64));
    assert!(events.iter().any(|event| event.probe == 2 && event.clause == 0 && event.word(16) == 2));
}

/// A profile program fires from the clock, and nothing nests wrongly into it.
#[test]
fn a_profile_program_loads_and_fires() {
    if skipped("a_profile_program_loads_and_fires") {
        return;
    }
    let mut group = group(Hook::PerfEvent, &[0]);
    group.args = vec![ArgSource::KernelPc, ArgSource::UserPc];
    let mut program = program(vec![tracing(
        vec![arg(0), arg(1), builtin(Builtin::Caller, Ty::I64), builtin(Builtin::Execname, Ty::Str)],
        256,
    )]);
    program.strsize = 256;
    let mut loaded = Loaded::new(&program, &[group]);
    let cpus = cpus::online().expect("cpus");
    let rate = crate::kernel::perf_event::Rate::Hertz(997);
    let links: Vec<_> = cpus
        .iter()
        .map(|cpu| crate::kernel::link::attach_cpu_clock(&loaded.progs[0], rate, *cpu, 0).expect("attach"))
        .collect();
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_millis(100) {
        std::hint::black_box(());
    }
    drop(links);
    let events = loaded.events();
    assert!(events.len() > 20, "{}", events.len());
    assert!(events.iter().any(|event| event.word(8) != 0 && event.word(0) == 0), "user samples");
    assert!(events.iter().all(|event| event.word(0) == 0 || event.word(8) == 0), "in one mode at a time");
}

/// What has no lowering is a diagnostic at its place, never code.
#[test]
fn what_is_not_supported_is_said() {
    let span = Span::new(Default::default(), 3, 9);
    let mut bad = call(Subroutine::Getf, vec![int(1)], Ty::Str);
    bad.span = span;
    let program = program(vec![tracing(vec![bad], 256)]);
    let input = Input {
        program: &program,
        groups: &[group(Hook::TestRun, &[0])],
        limits: Limits::default(),
        target: Target::oldest(2),
        errors: None,
        probe: &|_| None,
    };
    let diags = compile(&input).expect_err("unsupported");
    assert_eq!(diags.len(), 1);
    assert_eq!(diags[0].span, Some(span));
    assert_eq!(diags[0].message, "the subroutine getf() is not supported yet by the ebpf backend");
}

/// What finds no room is counted, by kind.
#[test]
fn losses_are_counted() {
    if skipped("losses_are_counted") {
        return;
    }
    use super::language::update;
    let array = || elem(1, vec![read(var(0, Ty::I64))], Ty::I64);
    let mut filler = clause(None, vec![], RecordLayout::default());
    filler.body = vec![Stmt::Expr(update(var(0, Ty::I64), 1)), Stmt::Expr(assign(array(), int(1)))];
    let mut program = program(vec![filler, tracing(vec![int(7), text("x")], 256)]);
    program.variables = vec![
        variable("n", Scope::Global, Ty::I64, None),
        variable("a", Scope::Global, Ty::I64, Some(vec![Ty::I64])),
    ];
    let limits = Limits { dynvarsize: 16 * 100, bufsize: 4096, ..Limits::default() };
    let mut loaded = Loaded::limited(
        &program,
        &[group(Hook::TestRun, &[0]), group(Hook::TestRun, &[1])],
        None,
        target(),
        limits,
    );
    for _ in 0..150 {
        loaded.fire(0);
    }
    assert_eq!(loaded.drops(layout::drops::DYNAMIC), 50);
    for _ in 0..100 {
        loaded.fire(1);
    }
    let kept = loaded.events().len() as u64;
    assert!(kept > 5);
    assert_eq!(kept + loaded.drops(layout::drops::PRINCIPAL), 100);
}

/// A speculation's number is taken, used, freed; records to one that is not in use are not made.
#[test]
fn speculations_are_numbered() {
    if skipped("speculations_are_numbered") {
        return;
    }
    let effect = |effect, arg: Expr| Stmt::Effect { effect, args: vec![arg], span: Span::default() };
    let fresh = || call(Subroutine::Speculation, vec![], Ty::I32);
    let begin = tracing(vec![assign(var(0, Ty::I64), fresh()), fresh()], 256);
    let mut into = tracing(vec![int(5)], 256);
    into.body.insert(0, effect(Effect::Speculate, read(var(0, Ty::I64))));
    let mut commit = tracing(vec![int(6)], 256);
    commit.body.push(effect(Effect::Commit, read(var(0, Ty::I64))));
    let mut program = program(vec![begin, into, commit]);
    program.variables = vec![variable("id", Scope::Global, Ty::I64, None)];
    let groups: Vec<SiteGroup> = (0..3).map(|id| group(Hook::TestRun, &[id])).collect();
    let mut loaded = Loaded::new(&program, &groups);
    loaded.fire(1);
    assert!(loaded.events().is_empty(), "no speculation yet");
    for _ in 0..2 {
        loaded.fire(0);
        let events = loaded.events();
        assert_eq!((events[0].word(0), events[0].word(8)), (1, 0));
        loaded.fire(1);
        assert_eq!(loaded.events().len(), 1);
        loaded.fire(2);
        assert_eq!(loaded.events().len(), 1);
        loaded.fire(1);
        assert!(loaded.events().is_empty(), "committed");
    }
    assert_eq!(loaded.drops(layout::drops::SPECULATION_UNAVAILABLE), 2);
}

/// An action in a branch that was not taken is not marked; a record without any is not made.
#[test]
fn actions_in_branches_are_marked() {
    if skipped("actions_in_branches_are_marked") {
        return;
    }
    use super::language::update;
    let mut branching = tracing(vec![int(1), int(2)], 256);
    branching.record.present = true;
    branching.record.fields.iter_mut().for_each(|field| field.offset += 8);
    branching.record.size += 8;
    let second = branching.body.pop().expect("two");
    let first = branching.body.pop().expect("two");
    let n = || read(var(0, Ty::I64));
    branching.body = vec![
        Stmt::Expr(update(var(0, Ty::I64), 1)),
        Stmt::If { cond: binary(BinaryOp::Eq, n(), int(1)), then: vec![first], otherwise: vec![] },
        Stmt::If { cond: binary(BinaryOp::Eq, n(), int(2)), then: vec![second], otherwise: vec![] },
    ];
    let mut program = program(vec![branching]);
    program.variables = vec![variable("n", Scope::Global, Ty::I64, None)];
    let mut loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    (0..3).for_each(|_| loaded.fire(0));
    let events = loaded.events();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].word(0), events[0].word(8)), (1, 1));
    assert_eq!((events[1].word(0), events[1].word(16)), (2, 2));
}
