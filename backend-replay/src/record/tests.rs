//! A recording made of a replay: the rewritten program reads the same and says so.

use super::*;
use crate::Replay;
use crate::event::Event;
use crate::file::{Item, Machine, Reader};
use crate::interp::{self, Config};
use duotrace_core::backend::{Backend, Event as Delivered, Sink};
use duotrace_core::ir::{ClauseId, verify};
use duotrace_core::options::Options;
use duotrace_core::probe::ProbeId;
use duotrace_core::sema::{self, CompileConfig, ProgramKind, ProgramText};

const EVENTS: &str = "
1s   syscall::open:entry  pid=5 execname=cat arg0=0x1000 uid=7 mem:0x1000=\"/etc/passwd\"
+1us syscall::open:return pid=5 execname=cat arg0=3 errno=0 mem:0x1000=\"/etc/passwd\"
+1us syscall::open:entry  pid=5 execname=cat arg0=8
";

#[derive(Default)]
struct Delivery(Vec<String>);

impl Sink for Delivery {
    fn event(&mut self, event: Delivered<'_>) {
        match event {
            Delivered::Record { probe, clause, data, .. } => {
                self.0.push(format!("{} {} {data:?}", probe.0, clause.0));
            }
            Delivered::Fault(fault) => {
                self.0.push(format!("{} {} fault {}", fault.probe.0, fault.clause.0, fault.address))
            }
            _ => {}
        }
    }
}

/// What a program delivers for events.
fn run(
    program: &duotrace_core::ir::Program,
    events: &mut [Event],
    replay: &Replay,
) -> Result<Vec<String>, String> {
    let mut machine = interp::Machine::new(program, Config::default());
    let mut delivery = Delivery::default();
    for event in events {
        let enabled = |clause: &&usize| {
            let clause = &program.clauses[**clause];
            clause.probes.iter().any(|enabling| enabling.probes.contains(&event.probe))
        };
        let all: Vec<usize> = (0..program.clauses.len()).collect();
        let clauses: Vec<ClauseId> = all.iter().filter(enabled).map(|id| ClauseId(*id as u32)).collect();
        let names = |id: ProbeId| replay.probe(id).cloned();
        machine.fire(program, &clauses, event, &names, &mut delivery)?;
    }
    Ok(delivery.0)
}

#[test]
fn a_recording_gives_the_same_run() {
    let script = "syscall::open:entry { self->path = arg0; @[execname, copyinstr(arg0, 5)] = count(); }
        syscall::open:return /self->path && copyinstr(self->path) != \"\"/
        { printf(\"%s %d %d %d\", copyinstr(self->path), arg0, timestamp, *(int *)copyin(self->path, 4)); exit(0); }
        syscall::open:return { trace(errno); trace(rand()); }
        syscall::open:entry { trace(uid); ustack(); usym(arg0); }";
    let mut replay = Replay::from_text(EVENTS).expect("events");
    let mut options = Options::new();
    let text = ProgramText { name: "t.d".into(), text: script.into(), kind: ProgramKind::Script };
    let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, &mut replay);
    assert!(compiled.error().is_none(), "{:?}", compiled.diags);
    let mut program = compiled.program;
    // Answers of hand-made events are a generator's; those of a recording are what came.
    let plan = plan(&program, &|id| replay.probe(id).cloned());
    verify::verify(&plan.program).expect("well-typed");
    assert_eq!(plan.notes, Vec::<String>::new());
    let (_, mut events) = crate::synthetic::parse(EVENTS).expect("events");

    // The rewritten program delivers what the script's does, and its own records besides.
    let live = run(&plan.program, &mut events.clone(), &replay).expect("runs");
    let (own, recorded): (Vec<String>, Vec<String>) = live.into_iter().partition(|line| {
        let clause: u32 = line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("clause");
        clause < plan.first
    });
    assert_eq!(recorded.len(), 3);
    assert!(own.iter().any(|line| line.ends_with("fault 8")), "{own:?}");

    // Through a file and back: the script over the recording delivers the same.
    struct Keep<'a>(&'a Plan, crate::file::Writer<Vec<u8>>);
    impl Sink for Keep<'_> {
        fn event(&mut self, event: Delivered<'_>) {
            let Delivered::Record { probe, clause, data, provider_pid, cpu, .. } = event else { return };
            let mut into = Event::default();
            (into.probe, into.pid, into.cpu) = (probe, provider_pid, cpu);
            if self.0.event(clause, data, &mut into, &mut |_, _| {}).is_some() {
                self.1.event(&into).expect("written");
            }
        }
    }
    let mut writer = crate::file::Writer::new(Vec::new(), Machine::here(0)).expect("header");
    writer.probes(&plan.schemas).expect("probes");
    let mut keep = Keep(&plan, writer);
    let mut machine = interp::Machine::new(&plan.program, Config::default());
    for event in &mut events {
        let enabled = |index: &usize| {
            plan.program.clauses[*index].probes.iter().any(|enabling| enabling.probes.contains(&event.probe))
        };
        let clauses: Vec<ClauseId> =
            (0..plan.program.clauses.len()).filter(enabled).map(|id| ClauseId(id as u32)).collect();
        let names = |id: ProbeId| replay.probe(id).cloned();
        machine.fire(&plan.program, &clauses, event, &names, &mut keep).expect("fires");
    }
    let bytes = keep.1.finish().expect("finished");
    let mut reader = Reader::new(&bytes[..]).expect("header");
    let mut again = Vec::new();
    loop {
        let mut event = Event::default();
        match reader.next(&mut event).expect("reads") {
            Item::Event => again.push(event),
            Item::End { whole } => break assert!(whole),
            _ => {}
        }
    }
    assert_eq!(again.len(), 3);
    program.strsize = plan.program.strsize;
    assert_eq!(run(&program, &mut again, &replay), Ok(own));
}

/// A timer that fires within another probe's firing is delivered before it, but saw what that had done already.
#[test]
fn an_interrupting_probe_sees_what_it_saw() {
    let events = "1s a:::set pid=5 arg0=7\n+1us profile:::profile-997 pid=5\n";
    let script = "a:::set { self->x = arg0; self->name = \"seven\"; }
        profile:::profile-997 /self->x/ { @[self->name, self->x] = count(); }";
    let mut replay = Replay::from_text(events).expect("events");
    let mut options = Options::new();
    let text = ProgramText { name: "t.d".into(), text: script.into(), kind: ProgramKind::Script };
    let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, &mut replay);
    assert!(compiled.error().is_none(), "{:?}", compiled.diags);
    let plan = plan(&compiled.program, &|id| replay.probe(id).cloned());
    verify::verify(&plan.program).expect("well-typed");
    let (_, mut events) = crate::synthetic::parse(events).expect("events");

    /// Events as they are recorded.
    struct Keep<'a>(&'a Plan, Vec<Event>);
    impl Sink for Keep<'_> {
        fn event(&mut self, event: Delivered<'_>) {
            let Delivered::Record { probe, clause, data, provider_pid, .. } = event else { return };
            let mut into = Event::default();
            (into.probe, into.pid) = (probe, provider_pid);
            if self.0.event(clause, data, &mut into, &mut |_, _| {}).is_some() {
                self.1.push(into);
            }
        }
    }
    let mut keep = Keep(&plan, Vec::new());
    let mut machine = interp::Machine::new(&plan.program, Config::default());
    let fire = |program: &duotrace_core::ir::Program,
                machine: &mut interp::Machine,
                event: &mut Event,
                sink: &mut dyn Sink| {
        let enabled = |index: &usize| {
            program.clauses[*index].probes.iter().any(|enabling| enabling.probes.contains(&event.probe))
        };
        let clauses = (0..program.clauses.len()).filter(enabled).map(|id| ClauseId(id as u32));
        let clauses: Vec<ClauseId> = clauses.collect();
        machine.fire(program, &clauses, event, &|id| replay.probe(id).cloned(), sink).expect("fires");
    };
    for event in &mut events {
        fire(&plan.program, &mut machine, event, &mut keep);
    }
    let mut recorded = keep.1;
    recorded.reverse();
    for (own, want) in [(true, 1), (false, 0)] {
        let config = Config { own, ..Config::default() };
        let mut machine = interp::Machine::new(&compiled.program, config);
        for event in &mut recorded.clone() {
            fire(&compiled.program, &mut machine, event, &mut Delivery::default());
        }
        let def = &compiled.program.aggregations[0];
        let mut total = duotrace_core::aggregate::Aggregation::new(1, "a", def.func, def.key.len());
        machine.snapshot(&compiled.program, duotrace_core::ir::AggId(0), &mut total).expect("counts");
        assert_eq!(total.len(), want, "own program: {own}");
    }
}

/// Answers of the system come from the recording, also that there was none.
#[test]
fn answers_come_from_the_recording() {
    let events = "1s a:::b pid=5 arg0=0x1000\n";
    let script = "a:::b { trace(d_path((void *)arg0)); trace(mutex_type_adaptive((void *)arg0)); }
        a:::b { trace(mutex_owned((void *)8)); }
        a:::b { trace(link_ntop(1, (void *)arg0)); }";
    let mut replay = Replay::from_text(events).expect("events");
    let mut options = Options::new();
    let text = ProgramText { name: "t.d".into(), text: script.into(), kind: ProgramKind::Script };
    let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, &mut replay);
    assert!(compiled.error().is_none(), "{:?}", compiled.diags);
    let mut program = compiled.program;
    program.strsize = 16;
    let plan = plan(&program, &|id| replay.probe(id).cloned());
    verify::verify(&plan.program).expect("well-typed");
    assert_eq!(plan.notes, Vec::<String>::new());
    let fields = &plan.schemas[0].fields;
    for field in [crate::file::Field::Memory, crate::file::Field::Answers, crate::file::Field::TextAnswers] {
        assert!(fields.contains(&field), "{field:?}");
    }

    let mut event = Event::default();
    (event.probe, event.pid) = (ProbeId(1), 5);
    let lacking = run(&program, &mut [event.clone()], &replay);
    assert_eq!(lacking.err().map(|what| what.contains("d_path()")), Some(false));
    event.set_arg(0, 0x1000);
    let lacking = run(&program, &mut [event.clone()], &replay);
    assert_eq!(lacking.err().map(|what| what.contains("d_path()")), Some(true));
    event.push_text_answer(Some(b"/etc/x"));
    event.push_answer(1);
    event.add_memory(duotrace_core::ir::Space::Any, 8, None);
    event.add_memory(duotrace_core::ir::Space::Any, 0x1000, Some(&[0x52, 0x54, 0, 0xab, 0xc, 1]));
    let delivered = run(&program, &mut [event], &replay).expect("all is there");
    let [first, second, third] = delivered.as_slice() else { panic!("{delivered:?}") };
    let bytes = |text: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<String>>().join(", ");
    assert!(first.contains(&bytes("/etc/x")), "{first}");
    assert!(second.ends_with("fault 8"), "{second}");
    assert!(third.contains(&bytes("52:54:00:ab:0c")), "{third}");
}

/// Each subroutine of the language is computed again, or its answer is recorded.
#[test]
fn every_subroutine_is_computed_or_recorded() {
    use crate::file::Field;
    use duotrace_core::builtins::functions::{FUNCTIONS, FunctionKind};
    let mut recorded = Vec::new();
    let subroutines = FUNCTIONS.iter().filter(|f| matches!(f.kind, FunctionKind::Subroutine(_)));
    for function in subroutines {
        let argument = |ty: &&str| match ty.trim_start_matches('?') {
            "@str" => "\"/a/b\"",
            "void *" => "this->memory",
            "uintptr_t" => "(uintptr_t)this->memory",
            // A number base, a family and kind of addresses, a size, a position.
            _ => {
                if function.name == "link_ntop" {
                    "1"
                } else {
                    "2"
                }
            }
        };
        let arguments: Vec<&str> = function.args.iter().map(argument).collect();
        let call = format!("{}({})", function.name, arguments.join(", "));
        let call = if function.ret == "void" { call } else { format!("trace({call})") };
        let script =
            format!("#pragma D option destructive\na:::b {{ this->memory = (void *)alloca(64); {call}; }}");
        let mut replay = Replay::from_text("1s a:::b pid=5\n").expect("events");
        let mut options = Options::new();
        let text = ProgramText { name: "t.d".into(), text: script.clone(), kind: ProgramKind::Script };
        let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, &mut replay);
        assert!(compiled.error().is_none(), "{script}: {:?}", compiled.diags);
        let plan = plan(&compiled.program, &|id| replay.probe(id).cloned());
        assert_eq!(plan.notes, Vec::<String>::new(), "{call}");
        if plan.schemas[0].fields.iter().any(|field| matches!(field, Field::Answers | Field::TextAnswers)) {
            recorded.push(function.name);
            continue;
        }
        let mut event = Event::default();
        (event.probe, event.pid) = (ProbeId(1), 5);
        // What is asked for may be memory that this event lacks, never the subroutine.
        if let Err(lacks) = run(&compiled.program, &mut [event], &replay) {
            assert!(lacks.contains("memory"), "{call}: {lacks}");
        }
    }
    let wanted = [
        "d_path",
        "mutex_owned",
        "mutex_owner",
        "mutex_type_adaptive",
        "mutex_type_spin",
        "progenyof",
        "rand",
    ];
    assert_eq!(recorded.get(..wanted.len()), Some(&wanted[..]));
    assert!(recorded.iter().skip(wanted.len()).all(|name| name.starts_with("rw_")), "{recorded:?}");
}
