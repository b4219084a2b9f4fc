//! How fast a recording is read and a program runs over it:
//! `cargo run --release -p duotrace-replay --example throughput -- FILE EVENTS` makes FILE if it is not
//! there, then counts its events by `execname`.

use duotrace_core::aggregate::Aggregation;
use duotrace_core::backend::{Backend, Event as Delivered, Sink};
use duotrace_core::ir::{AggId, Builtin};
use duotrace_core::options::Options;
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::sema::{self, CompileConfig, ProgramKind, ProgramText};
use duotrace_replay::file::{Field, Machine, Schema, Writer};
use duotrace_replay::{Event, Replay};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

struct Ended(bool);

impl Sink for Ended {
    fn event(&mut self, event: Delivered<'_>) {
        self.0 |= matches!(event, Delivered::TargetExited { .. });
    }
}

fn make(path: &Path, events: u64) -> Result<(), Box<dyn Error>> {
    let mut writer = Writer::new(BufWriter::new(File::create(path)?), Machine::here(0))?;
    let text = |text: &str| text.to_string();
    let (provider, function, name) = (text("syscall"), text("read"), text("entry"));
    let probe = Probe { id: ProbeId(1), provider, module: text("vmlinux"), function, name, args: None };
    let fields =
        vec![Field::Number(Builtin::Uid), Field::Text(Builtin::Execname), Field::Arg(0), Field::Arg(2)];
    writer.probes(&[Schema { probe, fields }])?;
    let mut event = Event::default();
    let mut state = 1u64;
    for n in 0..events {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        event.clear();
        (event.probe, event.time) = (ProbeId(1), n * 211 + state % 97);
        (event.cpu, event.pid, event.tid) = ((state >> 60) as u32, (state >> 40) as u32 % 5000, 7);
        event.set_number(Builtin::Uid, 1000);
        event.set_text(Builtin::Execname, format!("process{}", state >> 50 & 63).as_bytes());
        event.set_arg(0, state >> 48 & 15);
        event.set_arg(2, state >> 20 & 0xffff);
        writer.event(&event)?;
    }
    writer.finish()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let (Some(path), Some(events)) = (args.get(1), args.get(2).and_then(|n| n.parse::<u64>().ok())) else {
        return Err("usage: throughput FILE EVENTS [SCRIPT]".into());
    };
    let path = Path::new(path);
    if !path.exists() {
        make(path, events)?;
    }
    let script = args.get(3).map_or("syscall::read:entry { @[execname] = count(); }", String::as_str);
    let mut replay = Replay::open(path)?;
    let mut options = Options::new();
    let text = ProgramText { name: String::new(), text: script.into(), kind: ProgramKind::Name };
    let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, &mut replay);
    if let Some(error) = compiled.error() {
        return Err(error.message.clone().into());
    }
    let mut session = replay.load(&compiled.program, &options).map_err(|error| format!("{error:?}"))?;
    let start = Instant::now();
    let mut ended = Ended(false);
    session.start(&mut ended)?;
    while !ended.0 {
        session.poll(Instant::now() + Duration::from_millis(100), &mut ended)?;
    }
    session.stop(&mut ended)?;
    let seconds = start.elapsed().as_secs_f64();
    let def = compiled.program.aggregations.first().ok_or("no aggregation")?;
    let mut aggregation = Aggregation::new(1, "a", def.func, def.key.len());
    session.snapshot(AggId(0), &mut aggregation)?;
    let total: i64 = aggregation.cells().filter_map(|(_, cell)| cell.scalar()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory =
        status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("").trim_start_matches("VmHWM:");
    println!(
        "{} keys, {total} counted, {seconds:.2} s, {:.2} million/s, at most {} of memory, file {} MB",
        aggregation.len(),
        total as f64 / seconds / 1e6,
        memory.trim(),
        std::fs::metadata(path)?.len() >> 20
    );
    Ok(())
}
