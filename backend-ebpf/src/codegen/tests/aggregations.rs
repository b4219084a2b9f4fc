//! Aggregations from test runs and from threads of a real program.

use super::*;

/// Every function once, unkeyed and keyed, over chosen values, against `AggFunc::update`.
#[test]
fn functions_match_the_core() {
    if skipped("functions_match_the_core") {
        return;
    }
    use duotrace_core::aggregate::{Llquantize, Lquantize};
    let functions = [
        AggFunc::Count,
        AggFunc::Sum,
        AggFunc::Min,
        AggFunc::Max,
        AggFunc::Avg,
        AggFunc::Stddev,
        AggFunc::Quantize,
        AggFunc::Lquantize(Lquantize { base: -10, step: 7, levels: 20 }),
        AggFunc::Llquantize(Llquantize { factor: 10, low: 1, high: 6, nsteps: 20 }),
        AggFunc::Llquantize(Llquantize { factor: 2, low: 0, high: 10, nsteps: 4 }),
    ];
    let mut numbers =
        vec![0, 1, -1, 2, 3, 9, 10, 11, 99, 100, -10, -11, 129, 130, 131, 1_000_000, 9_999_999, 10_000_000];
    numbers.extend([
        i64::MAX,
        i64::MIN,
        i64::MIN + 1,
        1 << 62,
        (1 << 62) - 1,
        -(1 << 62),
        1 << 32,
        (1 << 32) - 1,
        -(1 << 40),
    ]);
    let mut program = program(Vec::new());
    program.variables.push(variable("x", Scope::Global, Ty::I64, None));
    let mut body = Vec::new();
    for (index, func) in functions.iter().enumerate() {
        program.aggregations.push(agg_def(*func, vec![]));
        program.aggregations.push(agg_def(*func, vec![Ty::I64, Ty::Str, Ty::I32, Ty::Str]));
        let value = || read(var(0, Ty::I64));
        let key = vec![int(5), text("first"), int(-3), text("second one")];
        body.push(aggregate(index as u32 * 2, vec![], Some(value())));
        body.push(aggregate(index as u32 * 2 + 1, key, Some(value())));
    }
    program.clauses.push(clause(None, body, RecordLayout::default()));
    let loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    let globals = loaded.maps[&layout::GLOBALS.0].mmap().unwrap();
    for number in &numbers {
        globals.store(0, *number as u64).unwrap();
        loaded.fire(0);
    }
    for (index, func) in functions.iter().enumerate() {
        let mut want = func.identity();
        numbers.iter().for_each(|number| func.update(&mut want, *number, 1));
        let bare = loaded.aggregation(index as u32 * 2);
        assert_eq!(bare[""], want, "{func:?}");
        let keyed = loaded.aggregation(index as u32 * 2 + 1);
        assert_eq!(keyed.len(), 1);
        assert_eq!(keyed["5,first,-3,second one"], want, "{func:?} keyed");
    }
}

#[test]
fn nothing_is_there_before_data() {
    if skipped("nothing_is_there_before_data") {
        return;
    }
    let mut program = program(vec![clause(
        Some(int(0)),
        vec![aggregate(0, vec![], Some(int(1))), aggregate(1, vec![int(1)], None)],
        RecordLayout::default(),
    )]);
    program.aggregations = vec![agg_def(AggFunc::Min, vec![]), agg_def(AggFunc::Count, vec![Ty::I64])];
    let loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    loaded.fire(0);
    assert!(loaded.aggregation(0).is_empty());
    assert!(loaded.aggregation(1).is_empty());
}

const SOURCE: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) long work(long n, const char *s) { __asm__ volatile(".byte 0x0f,0x1f,0x44,0x00,0x00" ::: "memory"); return n * 2; }
static long calls;
static void *run(void *p) {
    static const char *names[] = {"a", "second", "the third name", "a rather long name, longer than the others are"};
    volatile char touch = 0;
    for (int i = 0; i < 4; i++) touch += *(volatile const char *)names[i]; /* a page not yet read cannot be read by a probe */
    for (long i = 0; i < calls; i++) work(i % 1000, names[i % 4]);
    return p;
}
int main(int argc, char **argv) {
    pthread_t threads[8];
    int n = atoi(argv[1]);
    calls = atol(argv[2]);
    getchar();
    for (int i = 0; i < n; i++) pthread_create(&threads[i], 0, run, 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], 0);
    return 0;
}
"#;

/// A C program whose `work(i % 1000, name)` is probed at its first instruction.
pub(super) struct Busy {
    pub path: std::path::PathBuf,
    dir: std::path::PathBuf,
}

impl Busy {
    fn new(name: &str) -> Busy {
        Busy::of(name, SOURCE)
    }

    pub fn of(name: &str, source: &str) -> Busy {
        let dir = std::env::temp_dir().join(format!("duotrace-codegen-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary directory");
        let (code, path) = (dir.join("busy.c"), dir.join("busy"));
        std::fs::write(&code, source).expect("write");
        let status = std::process::Command::new("cc")
            .args(["-O1", "-fno-inline", "-fcf-protection=none", "-pthread", "-no-pie", "-o"])
            .args([&path, &code])
            .status()
            .expect("cc");
        assert!(status.success(), "cc failed");
        Busy { path, dir }
    }

    /// File offset of `work`: text of a fixed address program, from `nm` and its program headers.
    pub fn offset(&self) -> u64 {
        crate::kernel::tests::offset_of(&self.path, "work")
    }

    pub fn run(&self, threads: u32, calls: u32) {
        use std::io::Write;
        let mut child = std::process::Command::new(&self.path)
            .args([threads.to_string(), calls.to_string()])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("spawn");
        child.stdin.take().expect("pipe").write_all(b"\n").expect("write");
        assert!(child.wait().expect("wait").success());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn attach(loaded: &Loaded, busy: &Busy) -> Vec<crate::kernel::link::Link> {
    let site = crate::kernel::link::Site::new(busy.offset(), 1);
    crate::kernel::link::attach_uprobes(&loaded.progs[0], &busy.path, &[site], false, None).expect("attach")
}

/// Threads on all CPUs lose nothing.
#[test]
fn threads_lose_nothing() {
    if skipped("threads_lose_nothing") {
        return;
    }
    const THREADS: i64 = 4;
    const CALLS: i64 = 500_000;
    let functions = [
        AggFunc::Count,
        AggFunc::Sum,
        AggFunc::Min,
        AggFunc::Max,
        AggFunc::Avg,
        AggFunc::Stddev,
        AggFunc::Quantize,
    ];
    let mut program = program(Vec::new());
    let mut body = Vec::new();
    for (index, func) in functions.iter().enumerate() {
        program.aggregations.push(agg_def(*func, vec![]));
        program.aggregations.push(agg_def(*func, vec![Ty::Str]));
        let value = || (*func != AggFunc::Count).then(|| arg(0));
        body.push(aggregate(index as u32 * 2, vec![], value()));
        body.push(aggregate(index as u32 * 2 + 1, vec![copyinstr(arg(1))], value()));
    }
    program.clauses.push(clause(None, body, RecordLayout::default()));
    let mut loaded = Loaded::new(&program, &[group(Hook::Uprobe, &[0])]);
    let busy = Busy::new("threads");
    let links = attach(&loaded, &busy);
    busy.run(THREADS as u32, CALLS as u32);
    drop(links);
    assert!(loaded.events().is_empty(), "faults");
    for kind in 0..layout::drops::AGGREGATIONS + 14 {
        assert_eq!(loaded.drops(kind), 0, "drop {kind}");
    }
    let names = ["a", "second", "the third name", "a rather long name, longer than the others are"];
    for (index, func) in functions.iter().enumerate() {
        let mut whole = func.identity();
        let mut by_name = vec![func.identity(); 4];
        // All values come equally often: one round, multiplied by merging it with itself.
        for i in 0..1000i64 {
            func.update(&mut whole, i, 1);
            func.update(&mut by_name[(i % 4) as usize], i, 1);
        }
        let times = THREADS * CALLS / 1000;
        let multiply = |words: &[i64]| {
            let mut sum = func.identity();
            (0..times).for_each(|_| func.merge(&mut sum, words));
            sum
        };
        assert_eq!(loaded.aggregation(index as u32 * 2)[""], multiply(&whole), "{func:?}");
        let keyed = loaded.aggregation(index as u32 * 2 + 1);
        assert_eq!(keyed.len(), 4);
        for (name, words) in names.iter().zip(&by_name) {
            assert_eq!(keyed[*name], multiply(words), "{func:?} {name}");
        }
    }
}

/// Many keys, then more than there is room for: what is lost is counted.
#[test]
fn many_keys_and_too_many() {
    if skipped("many_keys_and_too_many") {
        return;
    }
    let mut program = program(Vec::new());
    program.aggregations = vec![agg_def(AggFunc::Count, vec![Ty::I64])];
    program.variables = vec![variable("x", Scope::Global, Ty::I64, None)];
    let next = expr(
        ExprKind::Update {
            place: Box::new(var(0, Ty::I64)),
            op: BinaryOp::Add,
            value: Box::new(int(1)),
            compute: Ty::I64,
            old: true,
        },
        Ty::I64,
    );
    program.clauses.push(clause(None, vec![aggregate(0, vec![next], None)], RecordLayout::default()));
    let loaded = Loaded::new(&program, &[group(Hook::Uprobe, &[0])]);
    let busy = Busy::new("keys");
    let links = attach(&loaded, &busy);
    busy.run(1, 60_000);
    assert_eq!(loaded.drops(layout::drops::AGGREGATIONS), 0);
    assert_eq!(loaded.aggregation(0).len(), 60_000);
    busy.run(1, 400_000);
    drop(links);
    let kept = loaded.aggregation(0);
    assert!(kept.values().all(|count| count[0] == 1));
    assert_eq!(kept.len() as u64 + loaded.drops(layout::drops::AGGREGATIONS), 460_000);
}

/// Prints what a firing costs; about 37 ns of it is the measurement.
#[test]
fn price_of_a_firing() {
    if skipped("price_of_a_firing") {
        return;
    }
    use crate::kernel::stats;
    let busy = Busy::new("price");
    let execname = || builtin(Builtin::Execname, Ty::Str);
    let pid = || builtin(Builtin::Pid, Ty::I64);
    let cases: Vec<(&str, Vec<Expr>)> = vec![
        ("nothing", vec![]),
        ("count", vec![]),
        ("number key", vec![arg(0)]),
        ("string key", vec![copyinstr(arg(1))]),
        ("constant string key", vec![text("hello")]),
        ("execname key", vec![execname()]),
        ("pid key", vec![pid()]),
        ("tuple key", vec![pid(), execname(), arg(0)]),
    ];
    for (name, key) in cases {
        let mut program = program(Vec::new());
        program.aggregations = vec![agg_def(AggFunc::Count, key.iter().map(|part| part.ty).collect())];
        let body = if name == "nothing" { vec![] } else { vec![aggregate(0, key, None)] };
        program.clauses.push(clause(None, body, RecordLayout::default()));
        let loaded = Loaded::new(&program, &[group(Hook::Uprobe, &[0])]);
        let links = attach(&loaded, &busy);
        busy.run(1, 10_000);
        let enabled = stats::enable().expect("statistics");
        let before = stats::of(&loaded.progs[0]).expect("statistics");
        busy.run(1, 200_000);
        let after = stats::of(&loaded.progs[0]).expect("statistics");
        drop((enabled, links));
        let runs = after.count - before.count;
        let nanoseconds = (after.nanoseconds - before.nanoseconds) as f64 / runs.max(1) as f64;
        eprintln!(
            "PRICE {name}: {nanoseconds:.1} ns a firing, {} instructions, {} verified",
            loaded.instructions(),
            after.verified_insns
        );
        assert_eq!(runs, 200_000);
    }
}
