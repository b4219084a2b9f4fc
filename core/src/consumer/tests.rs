//! Records through the consumer with a scripted session.

use super::*;
use crate::aggregate::AggFunc;
use crate::backend::{DropKind, Event, FaultEvent, Sink};
use crate::diagnostic::Span;
use crate::ir::{ActionDef, ActionKind, AggregationDef, Clause, ClauseId, Field, RecordLayout, Ty};
use crate::output::{Format, LocalTime, Utc};
use crate::record::{NoSymbols, Symbols, Value};

/// One step of the script: what a start, a poll or a stop delivers.
type Step = Vec<Event<'static>>;

/// Delivers `start` at once, one of `polls` each time, `stop` at the end; the totals with the first snapshot.
#[derive(Default)]
struct Scripted {
    start: Step,
    polls: Vec<Step>,
    stop: Step,
    totals: Vec<(Vec<Value>, Vec<i64>)>,
    stopped: usize,
    symbols: NoSymbols,
}

impl Session for Scripted {
    fn start(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        std::mem::take(&mut self.start).into_iter().for_each(|event| sink.event(event));
        Ok(())
    }
    fn poll(&mut self, _: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        if self.polls.is_empty() {
            return Err(BackendError::new("the script has ended"));
        }
        self.polls.remove(0).into_iter().for_each(|event| sink.event(event));
        Ok(())
    }
    fn snapshot(&mut self, _: AggId, into: &mut Aggregation) -> Result<(), BackendError> {
        for (key, words) in self.totals.drain(..) {
            into.merge_partial(key, &words).map_err(|_| BackendError::new("merge"))?;
        }
        Ok(())
    }
    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.stopped += 1;
        std::mem::take(&mut self.stop).into_iter().for_each(|event| sink.event(event));
        Ok(())
    }
    fn enabled(&self, _: ClauseId) -> usize {
        1
    }
    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.symbols
    }
}

/// Output and warnings in one place; closes after `room` bytes.
struct Paper {
    out: Vec<u8>,
    warnings: Vec<String>,
    room: usize,
}

impl Host for Paper {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.out.extend_from_slice(bytes);
        if self.out.len() > self.room { Err(OutputClosed) } else { Ok(()) }
    }
    fn flush(&mut self) -> Result<(), OutputClosed> {
        Ok(())
    }
    fn warn(&mut self, line: &str) {
        self.warnings.push(line.to_string());
    }
    fn system(&mut self, command: &[u8]) {
        self.warnings.push(format!("system {}", String::from_utf8_lossy(command)));
    }
    fn freopen(&mut self, _: Option<&[u8]>) -> Result<(), String> {
        Err("no such place".into())
    }
    fn ftruncate(&mut self) {}
    fn environment(&self) -> &dyn Environment {
        &Here
    }
}

struct Here;

impl Environment for Here {
    fn local_time(&self, seconds: i64) -> LocalTime {
        Utc.local_time(seconds)
    }
}

struct Always(Stop);

impl Control for Always {
    fn stop(&mut self) -> Stop {
        self.0
    }
}

const I32: Ty = Ty::Int { bytes: 4, signed: true };

/// A clause with one action over at most one `int` at offset 0.
fn clause(kind: ActionKind, fields: u32) -> Clause {
    let layout = RecordLayout {
        actions: vec![ActionDef { kind, fields: 0..fields, span: Span::default() }],
        fields: vec![Field { offset: 0, ty: I32 }; fields as usize],
        size: 8,
        present: false,
    };
    Clause { probes: Vec::new(), predicate: None, body: Vec::new(), record: layout, span: Span::default() }
}

/// Clause 0 traces, 1 exits, 2 prints `n=%d`, 3 is empty, 4 runs freopen().
fn program() -> Program {
    Program {
        clauses: vec![
            clause(ActionKind::Trace, 1),
            clause(ActionKind::Exit, 1),
            clause(ActionKind::Printf { format: 0 }, 1),
            clause(ActionKind::Default, 0),
            clause(ActionKind::Freopen { format: 1 }, 0),
        ],
        formats: vec![Format::parse("n=%d\n").unwrap(), Format::parse("/x/y").unwrap()],
        strsize: 256,
        ..Program::default()
    }
}

const VALUES: [[u8; 8]; 10] = {
    let mut values = [[0; 8]; 10];
    let mut i = 0;
    while i < 10 {
        values[i] = (i as u64).to_ne_bytes();
        i += 1;
    }
    values
};

/// Probe 1 is `f:entry`, 2 is `f:return`, 3 is BEGIN; `value` is below 10.
fn record(probe: u32, clause: u32, value: usize) -> Event<'static> {
    Event::Record {
        probe: ProbeId(probe),
        provider_pid: 0,
        clause: ClauseId(clause),
        cpu: 0,
        timestamp: 0,
        data: &VALUES[value],
    }
}

fn probe(id: ProbeId) -> Option<Probe> {
    let (provider, function, name) = match id.0 {
        1 => ("pid1", "f", "entry"),
        2 => ("pid1", "f", "return"),
        3 => ("dtrace", "", "BEGIN"),
        _ => return None,
    };
    let [provider, function, name] = [provider, function, name].map(str::to_string);
    Some(Probe { id, provider, module: String::new(), function, name, args: None })
}

struct Outcome {
    finished: Finished,
    out: String,
    warnings: Vec<String>,
    stopped: usize,
}

fn run_with(
    options: &[&str],
    program: &Program,
    mut session: Scripted,
    targets: &[u32],
    stop: Stop,
    room: usize,
) -> Outcome {
    let mut set = Options::new();
    for option in options {
        let (name, value) = option.split_once('=').map_or((*option, None), |(n, v)| (n, Some(v)));
        set.set(name, value).unwrap();
    }
    let mut paper = Paper { out: Vec::new(), warnings: Vec::new(), room };
    let finished = run(program, &mut session, &probe, &set, targets, &mut paper, &mut Always(stop)).unwrap();
    Outcome {
        finished,
        out: String::from_utf8(paper.out).unwrap(),
        warnings: paper.warnings,
        stopped: session.stopped,
    }
}

fn quiet(session: Scripted) -> Outcome {
    run_with(&["quiet"], &program(), session, &[], Stop::No, usize::MAX)
}

#[test]
fn records_print_in_order_and_exit_gives_the_status() {
    let got = quiet(Scripted {
        start: vec![record(3, 2, 1)],
        polls: vec![vec![], vec![record(1, 2, 2), record(3, 1, 7)]],
        stop: vec![record(3, 2, 3)],
        ..Scripted::default()
    });
    assert_eq!(got.out, "n=1\nn=2\nn=3\n\n", "what END prints comes after exit()");
    assert_eq!(got.finished, Finished { status: 7, target_status: None });
    assert_eq!(got.stopped, 1);
}

#[test]
fn the_last_exit_counts() {
    let got = quiet(Scripted {
        start: vec![record(3, 1, 4), record(3, 1, 5)],
        stop: vec![record(3, 1, 6)],
        ..Scripted::default()
    });
    assert_eq!(got.finished.status, 6, "END has the last word");
}

#[test]
fn columns_have_one_heading() {
    let session =
        Scripted { start: vec![record(3, 3, 0), record(1, 0, 5), record(3, 1, 0)], ..Scripted::default() };
    let got = run_with(&[], &program(), session, &[], Stop::No, usize::MAX);
    let lines: Vec<&str> = got.out.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "CPU     ID                    FUNCTION:NAME");
    assert_eq!(lines[1], "  0      3                           :BEGIN");
    assert!(lines[2].starts_with("  0      1                          f:entry"), "{}", lines[2]);
    assert!(lines[2].ends_with('5'), "{}", lines[2]);
    assert_eq!(got.out.matches("FUNCTION:NAME").count(), 1);
}

#[test]
fn flowindent_goes_in_and_out() {
    let session = Scripted {
        start: vec![record(1, 3, 0), record(1, 3, 0), record(2, 3, 0), record(2, 3, 0), record(3, 1, 0)],
        ..Scripted::default()
    };
    let got = run_with(&["flowindent"], &program(), session, &[], Stop::No, usize::MAX);
    let lines: Vec<&str> = got.out.lines().map(str::trim_end).collect();
    assert_eq!(lines[..5], ["CPU FUNCTION", "  0  -> f", "  0    -> f", "  0    <- f", "  0  <- f"]);
}

#[test]
fn losses_and_faults_are_told_in_order() {
    let fault = FaultEvent {
        probe: ProbeId(1),
        clause: ClauseId(0),
        cpu: 0,
        action: 1,
        offset: 0,
        fault: 1,
        address: 0,
    };
    let got = quiet(Scripted {
        start: vec![
            Event::Drop { kind: DropKind::Principal, cpu: 1, count: 3 },
            Event::Drop { kind: DropKind::Dynamic, cpu: 1, count: 1 },
            Event::Fault(fault),
            Event::Warning("look".into()),
            record(3, 1, 0),
        ],
        ..Scripted::default()
    });
    assert_eq!(got.warnings.len(), 4, "{:?}", got.warnings);
    assert_eq!(got.warnings[0], "3 drops on CPU 1");
    assert!(got.warnings[1].starts_with("1 dynamic variable drop"), "{}", got.warnings[1]);
    assert!(got.warnings[2].contains("pid1::f:entry"), "{}", got.warnings[2]);
    assert_eq!(got.warnings[3], "look");
}

#[test]
fn a_target_that_ends_ends_the_run() {
    let session = Scripted {
        polls: vec![vec![Event::TargetExited { pid: 42, status: Some(3 << 8) }]],
        ..Scripted::default()
    };
    let got = run_with(&[], &program(), session, &[42], Stop::No, usize::MAX);
    assert_eq!(got.warnings, ["pid 42 exited with status 3"]);
    assert_eq!(got.finished, Finished { status: 0, target_status: Some(3 << 8) });
    assert_eq!(got.stopped, 1);
}

#[test]
fn a_killed_target_names_the_signal_and_quiet_says_nothing() {
    let session =
        || Scripted { start: vec![Event::TargetExited { pid: 42, status: Some(9) }], ..Scripted::default() };
    let got = run_with(&[], &program(), session(), &[42], Stop::No, usize::MAX);
    assert_eq!(got.warnings, ["pid 42 terminated by signal 9"]);
    let got = run_with(&["quiet"], &program(), session(), &[42], Stop::No, usize::MAX);
    assert!(got.warnings.is_empty());
}

#[test]
fn signals_stop_gracefully_or_at_once() {
    let session = || Scripted { stop: vec![record(3, 2, 9)], ..Scripted::default() };
    let got = run_with(&["quiet"], &program(), session(), &[], Stop::Gracefully, usize::MAX);
    assert_eq!((got.out.as_str(), got.stopped), ("\nn=9\n\n", 1), "END runs");
    let got = run_with(&["quiet"], &program(), session(), &[], Stop::AtOnce, usize::MAX);
    assert_eq!((got.out.as_str(), got.stopped), ("", 0));
}

#[test]
fn a_closed_output_ends_the_run() {
    let session = Scripted {
        start: vec![record(1, 2, 1)],
        polls: vec![vec![record(1, 2, 2)]],
        stop: vec![record(1, 2, 3)],
        ..Scripted::default()
    };
    let got = run_with(&["quiet"], &program(), session, &[], Stop::No, 3);
    assert_eq!(got.out, "n=1\n", "nothing is written after the reader has gone");
    assert_eq!(got.stopped, 1, "but the probes are detached");
}

#[test]
fn aggregations_print_at_the_end() {
    let mut program = program();
    program.aggregations.push(AggregationDef {
        name: "a".into(),
        func: AggFunc::Count,
        key: vec![Ty::Str],
        signed: false,
        span: Span::default(),
    });
    let session = Scripted {
        start: vec![record(3, 1, 0)],
        totals: vec![(vec![Value::string("read")], vec![5]), (vec![Value::string("open")], vec![2])],
        ..Scripted::default()
    };
    let got = run_with(&["quiet"], &program, session, &[], Stop::No, usize::MAX);
    let rows: Vec<Vec<&str>> = got.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [vec![], vec!["open", "2"], vec!["read", "5"]]);
}

#[test]
fn a_failed_freopen_is_told_and_the_run_goes_on() {
    let got = quiet(Scripted {
        start: vec![record(3, 4, 0), record(3, 2, 1), record(3, 1, 0)],
        ..Scripted::default()
    });
    assert!(
        got.warnings[0].contains("couldn't freopen() output to /x/y: no such place"),
        "{:?}",
        got.warnings
    );
    assert_eq!(got.out, "n=1\n\n");
}

#[test]
fn an_unknown_clause_or_probe_is_no_panic() {
    let got = quiet(Scripted {
        start: vec![record(99, 99, 0), record(99, 2, 1), record(3, 1, 0)],
        ..Scripted::default()
    });
    assert_eq!(got.out, "n=1\n\n");
}

#[test]
fn json_lines_are_objects_of_every_kind() {
    let mut program = program();
    program.aggregations.push(AggregationDef {
        name: "a".into(),
        func: AggFunc::Count,
        key: vec![I32],
        signed: false,
        span: Span::default(),
    });
    let session = Scripted {
        start: vec![
            record(3, 2, 1),
            Event::Drop { kind: DropKind::Principal, cpu: 1, count: 3 },
            Event::Warning("look".into()),
            Event::TargetExited { pid: 42, status: Some(9) },
            record(3, 4, 0),
            record(99, 1, 7),
        ],
        totals: vec![(vec![Value::int(-1)], vec![5])],
        ..Scripted::default()
    };
    let got = run_with(&["oformat=json"], &program, session, &[], Stop::No, usize::MAX);
    assert!(got.warnings.is_empty(), "{:?}", got.warnings);
    let lines: Vec<&str> = got.out.lines().collect();
    let begin = r#""probe":{"id":3,"provider":"dtrace","module":"","function":"","name":"BEGIN"}"#;
    assert_eq!(
        lines[0],
        format!(
            r#"{{"schema":1,"type":"record",{begin},"cpu":0,"clause":3,"actions":[{{"action":"printf","text":"n=1\n","values":[1]}}]}}"#
        )
    );
    assert_eq!(
        lines[1],
        r#"{"schema":1,"type":"drop","kind":"principal","cpu":1,"count":3,"message":"3 drops on CPU 1"}"#
    );
    assert_eq!(lines[2], r#"{"schema":1,"type":"warning","message":"look"}"#);
    assert_eq!(lines[3], r#"{"schema":1,"type":"target-exit","pid":42,"signal":9}"#);
    assert!(lines[4].starts_with(&format!(r#"{{"schema":1,"type":"error",{begin},"clause":5,"message":"#)));
    assert!(lines[5].contains(r#""action":"freopen""#), "{}", lines[5]);
    assert!(lines[6].contains(r#""probe":{"id":99},"cpu":0"#), "{}", lines[6]);
    assert_eq!(
        lines[7],
        r#"{"schema":1,"type":"aggregation","name":"a","function":"count","entries":[{"key":[-1],"value":5}]}"#
    );
    assert_eq!(lines[8..], [r#"{"schema":1,"type":"exit","status":7}"#]);
}
