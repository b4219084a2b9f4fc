//! Hand-made programs run through the seam on the real kernel. Without privileges each test says so and passes.

use super::{Ebpf, EbpfConfig};
use crate::kernel::privilege::Privileges;
use crate::process::child::{Child, EvalTime};
use crate::symbols::testing::Scratch;
use duotrace_core::aggregate::{AggFunc, Aggregation};
use duotrace_core::backend::{Backend, DropKind, Event, Session, Sink};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::*;
use duotrace_core::options::Options;
use duotrace_core::probe::{ProbeDesc, ProbeId};
use duotrace_core::record::Value;
use std::time::{Duration, Instant};

/// Prints why a test cannot run here.
fn skipped(test: &str) -> bool {
    let privileges = Privileges::read();
    if !privileges.can_trace() {
        eprintln!("SKIP {test}: {}", privileges.explain());
    }
    !privileges.can_trace()
}

/// Everything that a session delivered.
#[derive(Debug, Default)]
struct Seen {
    /// Clause, probe, the record's first word.
    records: Vec<(u32, ProbeId, i64)>,
    drops: Vec<(DropKind, u64)>,
    faults: usize,
    exits: Vec<Option<i32>>,
    warnings: Vec<String>,
}

impl Sink for Seen {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Record { probe, clause, data, .. } => {
                let word = data.get(..8).map_or(0, |word| i64::from_ne_bytes(word.try_into().unwrap()));
                self.records.push((clause.0, probe, word));
            }
            Event::Drop { kind, count, .. } => self.drops.push((kind, count)),
            Event::Fault(_) => self.faults += 1,
            Event::TargetExited { status, .. } => self.exits.push(status),
            Event::Warning(text) => self.warnings.push(text),
            Event::Program(_) | Event::Totals { .. } => {}
        }
    }
}

fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn int(value: i64) -> Expr {
    expr(ExprKind::Const(value), Ty::I64)
}

fn builtin(which: Builtin, ty: Ty) -> Expr {
    expr(ExprKind::Builtin(which), ty)
}

fn arg(n: u32) -> Expr {
    expr(ExprKind::Arg(n), Ty::I64)
}

fn pid_is(pid: i32) -> Expr {
    let pid = Box::new(int(i64::from(pid)));
    expr(ExprKind::Binary(BinaryOp::Eq, Box::new(builtin(Builtin::Pid, Ty::I64)), pid), Ty::I64)
}

/// A program under construction, with the backend that finds its probes.
struct Script {
    backend: Ebpf,
    program: Program,
}

impl Script {
    fn new(children: Vec<Child>) -> Script {
        let backend = Ebpf::new(EbpfConfig { children, ..EbpfConfig::default() });
        Script { backend, program: Program { strsize: 256, ..Program::default() } }
    }

    fn find(&mut self, text: &str) -> Vec<ProbeId> {
        self.backend.match_probes(&desc(text)).unwrap().probes
    }

    fn clause(&mut self, probe: &str, predicate: Option<Expr>, body: Vec<Stmt>, record: RecordLayout) {
        let probes = self.find(probe);
        let enabling = Enabling { desc: desc(probe), probes, span: Span::default() };
        self.program.clauses.push(Clause {
            probes: vec![enabling],
            predicate,
            body,
            record,
            span: Span::default(),
        });
    }

    /// A clause that records one number.
    fn traces(&mut self, probe: &str, predicate: Option<Expr>, value: Expr) {
        let (body, record) = recording(ActionKind::Trace, value);
        self.clause(probe, predicate, body, record);
    }

    /// A clause that ends it all.
    fn exits(&mut self, probe: &str, status: i64) {
        let (mut body, record) = recording(ActionKind::Exit, int(status));
        body.push(Stmt::Effect { effect: Effect::ExitFlag, args: Vec::new(), span: Span::default() });
        self.clause(probe, None, body, record);
    }

    /// A clause that counts by a key.
    fn counts(&mut self, probe: &str, predicate: Option<Expr>, key: Vec<Expr>) -> AggId {
        let id = AggId(self.program.aggregations.len() as u32);
        self.program.aggregations.push(AggregationDef {
            name: format!("a{}", id.0),
            func: AggFunc::Count,
            key: key.iter().map(|expr| expr.ty).collect(),
            signed: true,
            span: Span::default(),
        });
        let count = Stmt::Aggregate { agg: id, key, value: None, increment: None, span: Span::default() };
        self.clause(probe, predicate, vec![count], RecordLayout::default());
        id
    }

    fn load(&mut self) -> Box<dyn Session> {
        self.backend.load(&self.program, &Options::default()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn aggregation(&self, id: AggId) -> Aggregation {
        let def = &self.program.aggregations[id.0 as usize];
        Aggregation::new(id.0 + 1, &def.name, def.func, def.key.len())
    }
}

fn desc(text: &str) -> ProbeDesc {
    let mut parts: Vec<String> = text.split(':').map(str::to_owned).collect();
    while parts.len() < 4 {
        parts.insert(0, String::new());
    }
    let [provider, module, function, name] = <[String; 4]>::try_from(parts).unwrap();
    ProbeDesc { provider, module, function, name, id: None }
}

fn recording(kind: ActionKind, value: Expr) -> (Vec<Stmt>, RecordLayout) {
    let record = RecordLayout {
        actions: vec![ActionDef { kind, fields: 0..1, span: Span::default() }],
        fields: vec![Field { offset: 0, ty: Ty::I64 }],
        size: 8,
        present: false,
    };
    (vec![Stmt::Record { action: 0, values: vec![value], span: Span::default() }], record)
}

fn soon(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

/// `$DUOTRACE_PATIENCE` times a limit: for a machine that is emulated, and slow.
fn patient(ms: u64) -> Duration {
    let times = std::env::var("DUOTRACE_PATIENCE").ok().and_then(|times| times.parse().ok());
    Duration::from_millis(ms) * times.unwrap_or(1)
}

/// Polls until the target has ended or ten seconds are over.
fn run(session: &mut dyn Session, seen: &mut Seen) {
    session.start(seen).unwrap();
    let end = Instant::now() + patient(10_000);
    while seen.exits.is_empty() && Instant::now() < end {
        session.poll(soon(100), seen).unwrap();
    }
    session.stop(seen).unwrap();
    assert_eq!(seen.drops, []);
}

fn total(aggregation: &Aggregation) -> i64 {
    aggregation.cells().map(|(_, cell)| cell.words[0]).sum()
}

#[test]
fn begin_tick_exit_end() {
    if skipped("begin_tick_exit_end") {
        return;
    }
    let mut script = Script::new(Vec::new());
    script.traces("BEGIN", None, int(1));
    script.traces("tick-20ms", None, int(2));
    script.exits("tick-110ms", 7);
    script.traces("dtrace:::END", None, int(3));
    let mut session = script.load();
    let mut seen = Seen::default();
    session.start(&mut seen).unwrap();
    // The first tick may have come by now.
    assert_eq!(seen.records.first(), Some(&(0, ProbeId(1), 1)));
    let (began, end) = (Instant::now(), Instant::now() + patient(5000));
    while !seen.records.iter().any(|record| record.0 == 2) && Instant::now() < end {
        session.poll(soon(3000), &mut seen).unwrap();
    }
    assert!(began.elapsed() < patient(1000), "exit() comes at once: {:?}", began.elapsed());
    session.stop(&mut seen).unwrap();
    session.stop(&mut seen).unwrap();
    let ticks = seen.records.iter().filter(|record| record.0 == 1).count();
    assert!((3..=6).contains(&ticks), "{seen:?}");
    assert_eq!(seen.records.last(), Some(&(3, ProbeId(2), 3)));
    assert!(seen.records.iter().any(|record| (record.0, record.2) == (2, 7)));
}

fn while_busy(time: std::time::Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(start);
    }
}

#[test]
fn profile_fires_on_every_cpu() {
    if skipped("profile_fires_on_every_cpu") {
        return;
    }
    let mut script = Script::new(Vec::new());
    let id = script.counts("profile-100", None, vec![builtin(Builtin::Cpu, Ty::I32)]);
    let mut session = script.load();
    let mut seen = Seen::default();
    session.start(&mut seen).unwrap();
    // Some virtual machines let an idle CPU's timer sleep: keep them all busy.
    let busy: Vec<_> = (0..crate::kernel::cpus::online().unwrap().len())
        .map(|_| std::thread::spawn(|| while_busy(std::time::Duration::from_millis(350))))
        .collect();
    session.poll(soon(300), &mut seen).unwrap();
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    session.stop(&mut seen).unwrap();
    let mut counts = script.aggregation(id);
    session.snapshot(id, &mut counts).unwrap();
    assert_eq!(counts.len(), crate::kernel::cpus::online().unwrap().len());
    assert!(total(&counts) >= 20 * counts.len() as i64, "{counts:?}");
}

/// 30 writes of 1 byte, 20 of them fail; then a sum over a function called 1000 times.
const CALLS: &str = r#"
#include <unistd.h>
__attribute__((noinline)) int add(int a, int b) { __asm__ volatile(""); return a + b; }
__attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, long g) { __asm__ volatile(""); return g; }
int main(void) {
    long sum = 0;
    for (int i = 0; i < 30; i++) sum += write(i < 10 ? 1 : 999, "", 1);
    for (int i = 0; i < 1000; i++) sum += add(i, 1);
    sum += many(0, 1, 2, 3, 4, 5, 66);
    return sum == 1 ? 1 : 3;
}
"#;

fn hold(path: &std::path::Path, args: &[&str]) -> Child {
    let mut words = vec![path.to_str().unwrap().to_owned()];
    words.extend(args.iter().map(|arg| (*arg).to_owned()));
    Child::launch_words(&words, &[], EvalTime::PostInit).unwrap()
}

#[test]
fn system_calls_of_a_command() {
    if skipped("system_calls_of_a_command") {
        return;
    }
    let dir = Scratch::new("session-syscalls");
    let Some(path) = dir.cc("calls", CALLS, &[]) else { return };
    let child = hold(&path, &[]);
    let pid = child.pid();
    let mut script = Script::new(vec![child]);
    let entries = script.counts("syscall::write:entry", Some(pid_is(pid)), vec![arg(0)]);
    let returns = script.counts(
        "syscall:::return",
        Some(pid_is(pid)),
        vec![builtin(Builtin::Probefunc, Ty::Str), arg(1)],
    );
    let mut session = script.load();
    let mut seen = Seen::default();
    run(&mut *session, &mut seen);
    assert_eq!(seen.exits, [Some(3 << 8)]);
    let (mut by_fd, mut by_value) = (script.aggregation(entries), script.aggregation(returns));
    session.snapshot(entries, &mut by_fd).unwrap();
    session.snapshot(returns, &mut by_value).unwrap();
    assert_eq!(by_fd.get(&[Value::int(999)]).unwrap().words[..], [20]);
    assert_eq!(by_fd.get(&[Value::int(1)]).unwrap().words[..], [10]);
    assert_eq!(by_value.get(&[Value::string("write"), Value::int(-9)]).unwrap().words[..], [20]);
}

#[test]
fn functions_of_a_command() {
    if skipped("functions_of_a_command") {
        return;
    }
    let dir = Scratch::new("session-pid");
    let Some(path) = dir.cc("calls", CALLS, &["-O1"]) else { return };
    let child = hold(&path, &[]);
    let provider = format!("pid{}", child.pid());
    let mut script = Script::new(vec![child]);
    let all = script.counts(&format!("{provider}:a.out:add:entry"), None, Vec::new());
    let key = vec![builtin(Builtin::Probefunc, Ty::Str), builtin(Builtin::Probename, Ty::Str)];
    let named = script.counts(&format!("{provider}:a.out:[am]*n*:"), None, key);
    script.traces(&format!("{provider}:a.out:many:entry"), None, arg(6));
    script.traces(&format!("{provider}:a.out:many:return"), None, arg(1));
    script.traces(&format!("{provider}:a.out:many:return"), None, arg(0));
    let _ = all;
    let mut session = script.load();
    let mut seen = Seen::default();
    run(&mut *session, &mut seen);
    let mut counts = script.aggregation(all);
    session.snapshot(all, &mut counts).unwrap();
    assert_eq!(total(&counts), 1000);
    let mut by_name = script.aggregation(named);
    session.snapshot(named, &mut by_name).unwrap();
    let of = |function: &str, name: &str| {
        by_name.get(&[Value::string(function), Value::string(name)]).map_or(0, |cell| cell.words[0])
    };
    assert_eq!((of("many", "entry"), of("many", "0"), of("main", "entry")), (1, 1, 1));
    let words: Vec<i64> = seen.records.iter().map(|record| record.2).collect();
    assert_eq!(words[..2], [66, 66]);
    assert!(words[2] > 0 && words[2] < 200);
}

#[test]
fn missing_things_are_explained() {
    let mut script = Script::new(Vec::new());
    let mut notes = |text: &str| {
        let found = script.backend.match_probes(&desc(text)).unwrap();
        assert!(found.probes.is_empty(), "{text}: {found:?}");
        found.notes.join("; ")
    };
    assert!(notes("pid4194300:a.out:main:entry").contains("4194300: No such process"));
    assert!(notes("syscall::writ:entry").contains("write"));
    assert!(notes("tick-1x").contains("nsec"));
    assert!(notes("syscal:::entry").contains("syscall"));
    assert_eq!(notes("nosuch:::probe"), "");
    assert!(notes("nosuch*:::probe").contains("USDT"));
    assert!(notes("demo4194300:::probe").contains("no process 4194300"));
    for (text, want) in
        [("BEGIN", 1), ("dtrace:::", 3), ("d*e:::*N", 1), ("syscall::write:", 2), ("BEG\\*", 0)]
    {
        assert_eq!(script.find(text).len(), want, "{text}");
    }
    let first = script.find("syscall::read:entry");
    assert_eq!(script.find("syscall::rea[d]:e*"), first, "ids stay");
    assert_eq!(script.backend.probe(first[0]).unwrap().function, "read");
}

/// The tests' own program, built with or without semaphores.
fn hits(dir: &Scratch, name: &str, flags: &[&str]) -> Option<std::path::PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/programs/hits.c");
    let source = std::fs::read_to_string(source).unwrap();
    dir.cc(name, &source, &[flags, &["-lpthread"]].concat())
}

/// Four threads, 50,000 firings each; snapshots every 10 ms must add up, whatever the semaphore says.
#[test]
fn usdt_probes_of_threads_are_exact() {
    if skipped("usdt_probes_of_threads_are_exact") {
        return;
    }
    let dir = Scratch::new("session-usdt");
    for (name, flags, glob) in [
        ("hits", &[][..], false),
        ("hits-sem", &["-DSEMAPHORES"][..], false),
        ("hits-all", &["-DSEMAPHORES"][..], true),
    ] {
        let Some(path) = hits(&dir, name, flags) else { return };
        let child = hold(&path, &["4", "50000"]);
        let pid = child.pid();
        let provider = if glob { "hits*".to_owned() } else { format!("hits{pid}") };
        let mut script = Script::new(vec![child]);
        let by_thread = script.counts(&format!("{provider}:{name}::tick"), Some(pid_is(pid)), vec![arg(0)]);
        let key =
            vec![expr(ExprKind::LoadStr { addr: Box::new(arg(2)), space: Space::User, max: None }, Ty::Str)];
        let by_name = script.counts(&format!("{provider}:{name}::tick"), None, key);
        let alone = script.counts(&format!("pid{pid}:a.out:work:entry"), None, Vec::new());
        let mut session = script.load();
        let mut seen = Seen::default();
        session.start(&mut seen).unwrap();
        let (mut threads, mut names) = (script.aggregation(by_thread), script.aggregation(by_name));
        let mut works = script.aggregation(alone);
        let (end, mut snapshots) = (Instant::now() + patient(20_000), 0);
        while seen.exits.is_empty() && Instant::now() < end {
            session.poll(soon(10), &mut seen).unwrap();
            session.snapshot(by_thread, &mut threads).unwrap();
            session.snapshot(by_name, &mut names).unwrap();
            session.snapshot(alone, &mut works).unwrap();
            snapshots += 1;
        }
        session.stop(&mut seen).unwrap();
        session.snapshot(by_thread, &mut threads).unwrap();
        session.snapshot(by_name, &mut names).unwrap();
        session.snapshot(alone, &mut works).unwrap();
        assert_eq!(
            (seen.exits.len(), seen.faults, &seen.drops[..], &seen.warnings[..]),
            (1, 0, &[][..], &[][..])
        );
        for thread in 0..4 {
            assert_eq!(threads.get(&[Value::int(thread)]).unwrap().words[..], [50_000], "{name} {thread}");
            let key = [Value::string(format!("thread-{thread}"))];
            assert_eq!(names.get(&key).unwrap().words[..], [50_000], "{name} {thread}");
        }
        assert_eq!(
            (total(&works), threads.len(), names.len()),
            (200_000, 4, 4),
            "{name}: {snapshots} snapshots"
        );
    }
}

/// A provider glob catches programs that start while it is enabled, also without any at the start.
#[test]
fn programs_that_start_later_are_traced() {
    if skipped("programs_that_start_later_are_traced") {
        return;
    }
    let dir = Scratch::new("session-later");
    let Some(path) = hits(&dir, "hits", &["-DSEMAPHORES"]) else { return };
    let mut script = Script::new(Vec::new());
    let counts = script.counts("hits*:::tick", None, vec![builtin(Builtin::Probeprov, Ty::Str), arg(0)]);
    let mut session = script.load();
    let mut seen = Seen::default();
    session.start(&mut seen).unwrap();
    let mut first = std::process::Command::new(&path)
        .args(["2", "1000", "wait"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = first.id();
    session.poll(soon(300), &mut seen).unwrap();
    drop(first.stdin.take());
    first.wait().unwrap();
    // The second of the same file needs no time: the file is attached.
    let mut second = std::process::Command::new(&path)
        .args(["1", "7"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    second.wait().unwrap();
    session.stop(&mut seen).unwrap();
    let mut found = script.aggregation(counts);
    session.snapshot(counts, &mut found).unwrap();
    // Other tests run programs of this name, which may be too early.
    seen.warnings.retain(|warning| !warning.contains("ran for a moment"));
    assert_eq!(seen.warnings, [""; 0]);
    for (pid, count) in [(pid, 1000), (second.id(), 7)] {
        let key = [Value::string(format!("hits{pid}")), Value::int(0)];
        assert_eq!(found.get(&key).map(|cell| cell.words[0]), Some(count), "{found:?}");
    }
    // At least: other tests run programs of this name, too.
    assert!(session.enabled(ClauseId(0)) >= 1);
}
