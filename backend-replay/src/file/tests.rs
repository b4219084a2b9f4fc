//! Recordings that are whole, cut off, damaged and made up.

use super::*;
use crate::event::Event;
use duotrace_core::ir::{Builtin, Space};
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::record::Symbol;

fn schema(id: u32) -> Schema {
    let name = |text: &str| text.to_string();
    Schema {
        probe: Probe {
            id: ProbeId(id),
            provider: name("pid"),
            module: name("a.out"),
            function: format!("f{id}"),
            name: name("entry"),
            args: None,
        },
        fields: vec![
            Field::Number(Builtin::Uid),
            Field::Text(Builtin::Execname),
            Field::Arg(0),
            Field::Stack(true),
            Field::Memory,
            Field::Answers,
            Field::TextAnswers,
        ],
    }
}

fn event(n: u64) -> Event {
    let mut event = Event::default();
    (event.probe, event.time) = (ProbeId(1 + (n % 2) as u32), 1000 + n * 7);
    (event.cpu, event.pid, event.tid) = (1, 42, 43);
    event.set_number(Builtin::Uid, 1000);
    event.set_text(Builtin::Execname, format!("name{}", n % 5).as_bytes());
    event.set_arg(0, n.wrapping_neg());
    event.set_stack(true, &[0x40_0000 + n, 0x40_1000]);
    event.add_memory(Space::User, 0x1000, Some(b"text\0"));
    event.add_memory(Space::User, 0x2000, None);
    event.push_answer(n);
    event.push_text_answer(Some(b"/etc/passwd"));
    event.push_text_answer(None);
    event
}

pub(super) fn recording(events: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Machine::here(5)).unwrap();
    writer.meta(&[("script", "BEGIN { }")]).unwrap();
    writer.probes(&[schema(1), schema(2)]).unwrap();
    for n in 0..events {
        writer.event(&event(n)).unwrap();
        if n % 100 == 99 {
            writer.flush().unwrap();
        }
    }
    writer.losses(&[Loss { what: "drops".into(), count: 3 }]).unwrap();
    let symbol = Symbol { module: "a.out".into(), name: Some("f".into()), offset: 4, module_base: 0x40_0000 };
    writer.symbols(&[(Some(42), 0x40_0004, symbol)]).unwrap();
    writer.finish().unwrap()
}

/// Events read, damages, whether it was whole; or the error.
fn read(bytes: &[u8]) -> Result<(u64, Vec<String>, bool), FileError> {
    let mut reader = Reader::new(bytes)?;
    let mut into = Event::default();
    let (mut count, mut damages) = (0, Vec::new());
    loop {
        match reader.next(&mut into)? {
            Item::Event => count += 1,
            Item::Damage(what) => damages.push(what),
            Item::End { whole } => return Ok((count, damages, whole)),
            _ => {}
        }
    }
}

#[test]
fn events_come_back() {
    let bytes = recording(1000);
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut into = Event::default();
    let mut n = 0;
    loop {
        match reader.next(&mut into).unwrap() {
            Item::Event => {
                assert_eq!(format!("{into:?}"), format!("{:?}", event(n)));
                n += 1;
            }
            Item::End { whole } => break assert!(whole),
            Item::Damage(what) => panic!("{what}"),
            _ => {}
        }
    }
    assert_eq!(n, 1000);
    assert!(bytes.len() < 20_000, "{}", bytes.len());
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_chunks() {
    let bytes = recording(200);
    let mut before = 0;
    for end in 0..bytes.len() {
        match read(&bytes[..end]) {
            Ok((count, damages, whole)) => {
                assert!(!whole && !damages.is_empty(), "{end}");
                assert!(count >= before && count % 100 == 0, "{end}: {count}");
                before = count;
            }
            Err(FileError::Bad(what)) => assert!(end < 32 && !what.is_empty(), "{end}: {what}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(before, 200);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = recording(300);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        if let Ok((count, damages, whole)) = read(&damaged) {
            assert!(!damages.is_empty() || !whole, "byte {at}");
            assert!(count <= 300);
        }
    }
}

#[test]
fn what_is_no_recording_is_said() {
    let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(message(b""), "the file is empty");
    assert_eq!(message(b"#!/usr/sbin/dtrace -s"), "not a recording");
    let mut future = recording(0);
    future[8] = 9;
    assert_eq!(message(&future), "the recording has format 9.0; this program reads 1.x");
}

/// Payloads with right checksums and wrong contents.
#[test]
fn hostile_payloads_are_bounded() {
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let rounds = if cfg!(debug_assertions) { 3000 } else { 100_000 };
    for _ in 0..rounds {
        let mut bytes = Vec::new();
        chunk::write_header(&mut bytes, Machine::here(0)).unwrap();
        let mut probes = Vec::new();
        schema(1).write(&mut probes);
        chunk::write(&mut bytes, chunk::kind::PROBES, &probes).unwrap();
        let kind = 1 + (random() % 8) as u8;
        let mut payload: Vec<u8> = (0..random() % 60).map(|_| random() as u8 & 0x9f).collect();
        if random() % 2 == 0 {
            // A real chunk with some bytes changed.
            payload = match kind {
                chunk::kind::PROBES => probes.clone(),
                _ => vec![0, 1, 2, 1, 42, 43, 5, 0, 1, b'x', 3, 1, 8, 1, 3, 16, 1, 1, b'y', 1, 9],
            };
            for _ in 0..1 + random() % 4 {
                let at = random() as usize % payload.len();
                payload[at] = random() as u8;
            }
        }
        chunk::write(&mut bytes, kind, &payload).unwrap();
        let _ = read(&bytes);
    }
}

/// Thousands of chunks without an event, a string named again and again, probes without end.
#[test]
fn small_files_do_not_become_large() {
    let mut bytes = Vec::new();
    chunk::write_header(&mut bytes, Machine::here(0)).unwrap();
    for _ in 0..50_000 {
        chunk::write(&mut bytes, chunk::kind::EVENTS, &[1]).unwrap();
    }
    assert!(matches!(read(&bytes), Ok((0, damages, false)) if damages.len() == 1));

    let mut bytes = Vec::new();
    chunk::write_header(&mut bytes, Machine::here(0)).unwrap();
    let mut probes = Vec::new();
    let mut memory = schema(1);
    memory.fields = vec![Field::Memory];
    memory.write(&mut probes);
    chunk::write(&mut bytes, chunk::kind::PROBES, &probes).unwrap();
    let mut payload = vec![0, 1, 2, 1, 42, 43, 0xff, 0xff, 3];
    for n in 0..65_535u32 {
        payload.extend([2, 1, 0]);
        if n == 0 {
            wire::put_bytes(&mut payload, &vec![7; 8 << 20]);
        }
    }
    chunk::write(&mut bytes, chunk::kind::EVENTS, &payload).unwrap();
    let (count, damages, _) = read(&bytes).unwrap();
    assert_eq!((count, damages.len()), (0, 2), "{damages:?}");
    assert!(damages[0].contains("an event is too large"), "{damages:?}");

    let mut bytes = Vec::new();
    chunk::write_header(&mut bytes, Machine::here(0)).unwrap();
    chunk::write(&mut bytes, chunk::kind::PROBES, &vec![0; 8 << 20]).unwrap();
    let (_, damages, _) = read(&bytes).unwrap();
    assert!(damages[0].contains("too many probes"), "{damages:?}");
}

#[test]
fn a_window_is_found_by_the_index() {
    let bytes = recording(1000);
    let overview = skim(std::io::Cursor::new(&bytes)).unwrap();
    assert_eq!((overview.first, overview.index.len()), (Some(1000), 10));
    assert_eq!(overview.index[3].earliest, 1000 + 300 * 7);
    let mut reader = Reader::new(std::io::Cursor::new(&bytes)).unwrap();
    reader.enter(&overview, Window { from: 355 * 7, until: 410 * 7 }).unwrap();
    assert_eq!(reader.position, overview.index[3].place);
    let (mut into, mut times) = (Event::default(), Vec::new());
    loop {
        match reader.next(&mut into).unwrap() {
            Item::Event => times.push((into.time - 1000) / 7),
            Item::Damage(what) => panic!("{what}"),
            Item::End { whole } => break assert!(whole),
            _ => {}
        }
    }
    assert_eq!(times, (355..=410).collect::<Vec<u64>>());
}

/// Neighbours become one: the index of a long recording stays small, and finds.
#[test]
fn a_long_index_is_made_shorter() {
    let mut writer = Writer::new(std::io::sink(), Machine::here(0)).unwrap();
    writer.probes(&[schema(1), schema(2)]).unwrap();
    for n in 0..1000 {
        writer.event(&event(n)).unwrap();
        writer.flush().unwrap();
        assert!(writer.entries().len() <= 64);
    }
    let index = writer.entries();
    assert_eq!(index.iter().map(|entry| entry.events).sum::<u64>(), 1000);
    assert!(index.windows(2).all(|two| two[0].latest < two[1].earliest && two[0].place < two[1].place));
}

#[test]
fn types_come_back() {
    let member = |name: &str, ty, offset, bits| NodeMember { name: name.into(), ty, offset, bits };
    let nodes = vec![
        Node::Composite {
            union: false,
            tag: "task".into(),
            size: 16,
            align: 8,
            members: Some(vec![member("next", 1, 0, None), member("flag", 3, 8, Some((3, 2)))]),
        },
        Node::Pointer(2),
        Node::Composite { union: false, tag: "task".into(), size: 0, align: 1, members: None },
        Node::Typedef("u32".into(), 4),
        Node::Basic("unsigned int".into()),
        Node::Array(3, 7),
        Node::Qualified(1, 4),
        Node::Function { ret: 4, params: vec![1, 3], varargs: true },
        Node::Enum { tag: "e".into(), bytes: 4, signed: true, names: Some(vec![("A".into(), -1)]) },
    ];
    let task = Answer { name: "struct task".into(), address: None, root: Some(0), nodes };
    let symbol = Answer { name: "jiffies".into(), address: Some(1 << 63), root: None, nodes: Vec::new() };
    let mut writer = Writer::new(Vec::new(), Machine::here(0)).unwrap();
    writer.types(&[task.clone(), symbol.clone()]).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(skim(std::io::Cursor::new(bytes)).unwrap().types, [task, symbol]);
}
