//! Makes a recording to measure replays with: `recording FILE EVENTS` (`ci/bench --replay`). Events of one probe, with
//! numbers that do not repeat and sixty-four names of programs.

use duotrace_core::ir::Builtin;
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_replay::Event;
use duotrace_replay::file::{Field, Machine, Schema, Writer};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

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
    let mut args = std::env::args().skip(1);
    match (args.next(), args.next().map(|events| events.parse())) {
        (Some(path), Some(Ok(events))) => make(Path::new(&path), events),
        _ => Err("usage: recording FILE EVENTS".into()),
    }
}
