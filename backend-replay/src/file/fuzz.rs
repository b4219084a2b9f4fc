//! Mutations of recordings through everything that reads one: nothing may panic, loop or grow without bounds.
//!
//! Half of the rounds change bytes of the file, which checksums notice; the other half change payloads and make the
//! checksums right again, as somebody with bad intentions would. `DUOTRACE_FUZZ` is the number of rounds, and
//! `DUOTRACE_FUZZ_SECONDS` a time instead.

use super::chunk::{self, Chunk, FILE_HEADER, kind};
use super::tests::recording;
use super::{FileError, Item, Machine, Reader, skim};
use crate::{Event, Replay, synthetic};
use duotrace_core::backend::{Backend, Event as Delivered, Sink};
use duotrace_core::options::Options;
use duotrace_core::sema::{self, CompileConfig, ProgramKind, ProgramText};
use std::collections::HashMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

/// xorshift64: the same mutations in every run of a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Recordings to begin with: one of every field, and those that ship.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/recordings");
    let shipped = ["qps", "query_speed", "r3"].map(|name| format!("{folder}/{name}.dtr"));
    let shipped = shipped.iter().map(|path| std::fs::read(path).expect("a recording that ships"));
    [recording(0), recording(3), recording(40)].into_iter().chain(shipped).collect()
}

/// The file's machine and chunks: kind and payload.
fn dissect(bytes: &[u8]) -> (Machine, Vec<(u8, Vec<u8>)>) {
    let mut input = bytes;
    let machine = chunk::read_header(&mut input).expect("a header");
    let (mut chunks, mut unpacker, mut payload) = (Vec::new(), chunk::Unpacker::new(), Vec::new());
    while let (Chunk::Whole(kind), _) =
        chunk::read(&mut input, 0, &mut unpacker, &mut payload).expect("a chunk")
    {
        chunks.push((kind, payload.clone()));
    }
    (machine, chunks)
}

/// A file of these chunks, with checksums that are right.
fn assemble(machine: Machine, chunks: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    chunk::write_header(&mut bytes, machine).expect("written");
    for (kind, payload) in chunks {
        chunk::write(&mut bytes, *kind, payload).expect("written");
    }
    bytes
}

/// One or a few changes: a byte, a bit, a number at its limit, something cut out, put in, doubled or cut off.
fn mutate(bytes: &mut Vec<u8>, from: usize, random: &mut Random) {
    const EXTREMES: [&[u8]; 7] = [
        &[0],
        &[0x7f],
        &[0x80, 0x80, 0x04],
        &[0xff, 0xff, 0xff, 0x07],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x80; 12],
    ];
    for _ in 0..1 + random.below(4) {
        if bytes.len() <= from {
            return bytes.push(random.next() as u8);
        }
        let at = from + random.below(bytes.len() - from);
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => {
                let extreme = EXTREMES[random.below(EXTREMES.len())];
                bytes.splice(at..end.min(at + extreme.len()), extreme.iter().copied());
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = from + random.below(bytes.len() - from);
                bytes.splice(to..to, piece);
            }
            5 if random.below(8) == 0 => bytes.truncate(at),
            _ => {
                let noise: Vec<u8> = (at..end).map(|_| random.next() as u8).collect();
                bytes[at..end].copy_from_slice(&noise);
            }
        }
    }
}

/// Counts what a script delivers, and says when the recording is over.
#[derive(Default)]
struct Ended(bool);

impl Sink for Ended {
    fn event(&mut self, event: Delivered<'_>) {
        self.0 |= matches!(event, Delivered::TargetExited { .. });
    }
}

/// Everything that the program does with a file. `run`: the scripts in it too.
fn devour(bytes: &[u8], run: bool) -> Result<u64, FileError> {
    let mut reader = Reader::new(bytes)?;
    let (mut event, mut schemas, mut count) = (Event::default(), HashMap::new(), 0);
    loop {
        match reader.next(&mut event)? {
            Item::Event => {
                count += 1;
                if let Some(schema) = schemas.get(&event.probe) {
                    // A line that is shown can be read again.
                    let line = synthetic::line(schema, &event);
                    assert!(!line.contains('\n'), "{line:?}");
                }
            }
            Item::Probes(probes) => {
                schemas.extend(probes.into_iter().map(|schema| (schema.probe.id, schema)))
            }
            Item::End { .. } => break,
            _ => {}
        }
    }
    let overview = skim(Cursor::new(bytes))?;
    if run {
        let texts = overview.meta.iter().filter(|(key, _)| key == "text");
        let texts = texts.map(|(_, text)| ProgramText {
            name: "recorded".into(),
            text: text.clone(),
            kind: ProgramKind::Script,
        });
        replay(bytes, texts.collect());
        let all = "*:::, *:::* { @[probefunc, execname, ustack(), stack()] = quantize(arg0); @b = count(); } tick-10ms { @c = count(); }";
        replay(bytes, vec![ProgramText { name: "all".into(), text: all.into(), kind: ProgramKind::Script }]);
    }
    Ok(count)
}

fn replay(bytes: &[u8], texts: Vec<ProgramText>) {
    let Ok(mut replay) = Replay::from_bytes(bytes.to_vec()) else { return };
    let mut options = Options::new();
    let compiled = sema::compile(&texts, &CompileConfig::default(), &mut options, &mut replay);
    if compiled.error().is_some() {
        return;
    }
    let Ok(mut session) = replay.load(&compiled.program, &options) else { return };
    let mut ended = Ended::default();
    let mut result = session.start(&mut ended);
    while result.is_ok() && !ended.0 {
        let more = session.poll(Instant::now() + Duration::from_secs(1), &mut ended);
        if more.is_err() {
            result = more;
        }
    }
    let _ = session.stop(&mut ended);
}

/// The most memory that this process has had, where the system tells.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok().map(|kb: u64| kb << 10)
}

#[test]
fn mutated_recordings_never_panic() {
    let given = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let rounds = given("DUOTRACE_FUZZ").unwrap_or(if cfg!(debug_assertions) { 80 } else { 400 });
    let until = given("DUOTRACE_FUZZ_SECONDS").map(|s| Instant::now() + Duration::from_secs(s));
    let mut random = Random(0x5eed_0006 ^ given("DUOTRACE_FUZZ_SEED").unwrap_or(0) << 32);
    let seeds = seeds();
    let chunks: Vec<_> = seeds.iter().map(|seed| dissect(seed)).collect();
    let (mut round, mut events, mut refused) = (0, 0, 0u64);
    while until.map_or(round < rounds, |until| Instant::now() < until) {
        // Small ones are quick.
        let which = if round % 16 < 12 { random.below(3) } else { random.below(seeds.len()) };
        let bytes = if round % 2 == 0 {
            let mut bytes = seeds[which].clone();
            mutate(&mut bytes, random.below(2) * FILE_HEADER, &mut random);
            bytes
        } else {
            let (mut machine, mut all) = chunks[which].clone();
            machine.big_endian ^= random.below(8) == 0;
            machine.pointer = [8, 4][random.below(2)];
            match random.below(8) {
                0 => {
                    let (a, b) = (random.below(all.len()), random.below(all.len()));
                    all.swap(a, b);
                }
                1 => {
                    let other = &chunks[random.below(chunks.len())].1;
                    all.insert(random.below(all.len()), other[random.below(other.len())].clone());
                }
                _ => {}
            }
            let at = random.below(all.len());
            let from = if all[at].0 == kind::EVENTS { random.below(all[at].1.len()) } else { 0 };
            mutate(&mut all[at].1, from, &mut random);
            assemble(machine, &all)
        };
        match devour(&bytes, round % 4 == 1) {
            Ok(count) => events += count,
            Err(FileError::Bad(what)) => {
                assert!(!what.is_empty() && !what.contains('\n'), "{what:?}");
                refused += 1;
            }
            Err(FileError::Io(error)) => panic!("round {round}: {error}"),
        }
        round += 1;
    }
    let memory = most_memory();
    println!("{round} recordings, {events} events read, {refused} files refused, {memory:?} bytes of memory");
    assert!(events > 0 && refused > 0);
    assert!(memory.is_none_or(|bytes| bytes < 1 << 30), "{memory:?}");
}
