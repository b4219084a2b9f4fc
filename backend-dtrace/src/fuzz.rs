//! Mutations of what a worker sends, through decoder and consumer: nothing may panic, loop or grow without bounds.

use crate::abi::{RecDesc, act, libact};
use crate::decode::{Decoder, Probes};
use crate::layout::Dialect;
use crate::wire::tests::{Random, samples};
use crate::wire::{self, Message, RawElement, Rec};
use duotrace_core::aggregate::{Aggregation, Lquantize};
use duotrace_core::backend::{BackendError, Session, Sink};
use duotrace_core::consumer::{self, Control, Host, OutputClosed, Stop};
use duotrace_core::ir::{AggId, ClauseId, Program};
use duotrace_core::options::Options;
use duotrace_core::output::{Environment, Utc};
use duotrace_core::record::Symbols;
use std::time::{Duration, Instant};

const ORACLE: Dialect = Dialect { oracle: true, act_base: 48, strsize: 256 };
const SUN: Dialect = Dialect { oracle: false, act_base: 54, strsize: 256 };

/// Delivers messages, a few at each call, as a worker would.
struct Script {
    decoder: Decoder,
    messages: std::vec::IntoIter<Message>,
}

impl Session for Script {
    fn start(&mut self, _: &mut dyn Sink) -> Result<(), BackendError> {
        Ok(())
    }
    fn poll(&mut self, _: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        for message in self.messages.by_ref() {
            if self.decoder.deliver(message, sink) {
                return Ok(());
            }
        }
        Ok(())
    }
    fn snapshot(&mut self, _: AggId, _: &mut Aggregation) -> Result<(), BackendError> {
        Ok(())
    }
    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.messages.by_ref().for_each(|message| {
            self.decoder.deliver(message, sink);
        });
        Ok(())
    }
    fn enabled(&self, _: ClauseId) -> usize {
        0
    }
    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.decoder.names
    }
}

/// Counts what is printed.
#[derive(Default)]
struct Counter {
    bytes: usize,
    /// The beginning of it.
    text: Vec<u8>,
    warnings: usize,
}

impl Host for Counter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.bytes += bytes.len();
        if self.text.len() < 1 << 16 {
            self.text.extend_from_slice(bytes);
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<(), OutputClosed> {
        Ok(())
    }
    fn warn(&mut self, _: &str) {
        self.warnings += 1;
    }
    fn system(&mut self, _: &[u8]) {}
    fn freopen(&mut self, _: Option<&[u8]>) -> Result<(), String> {
        Ok(())
    }
    fn ftruncate(&mut self) {}
    fn environment(&self) -> &dyn Environment {
        &Utc
    }
}

/// Stops as soon as the consumer asks the second time.
struct Soon(u32);

impl Control for Soon {
    fn stop(&mut self) -> Stop {
        self.0 += 1;
        if self.0 > 3 { Stop::Gracefully } else { Stop::No }
    }
}

/// A clause with a record for each action, and its data.
fn clause(dialect: Dialect) -> (Vec<Rec>, Vec<u8>) {
    let (mut recs, mut data) = (Vec::new(), Vec::new());
    let mut add = |action, size: usize, arg, group, format: Option<&str>, bytes: &[u8]| {
        let offset = data.len() as u32;
        let desc = RecDesc { action, size: size as u32, offset, arg, uarg: group, format: 0 };
        recs.push(Rec { desc, format: format.map(str::to_string) });
        data.extend_from_slice(bytes);
        data.resize(offset as usize + size.next_multiple_of(8), 0);
    };
    let stack: Vec<u8> = match dialect.oracle {
        true => [2u64, 7 << 32 | 1, 0x10, 0x20].iter().flat_map(|n| n.to_ne_bytes()).collect(),
        false => [7u64, 0x10, 0x20, 0].iter().flat_map(|n| n.to_ne_bytes()).collect(),
    };
    let word = 5u64.to_ne_bytes();
    for size in [1, 2, 4, 8] {
        add(act::DIFEXPR, size, 1, 0, None, &word);
    }
    add(act::DIFEXPR, 257, 0, 0, None, b"a string");
    add(act::DIFEXPR, 24, 4, 0, None, b"a structure");
    add(act::PRINTF, 8, 0, 0, Some("%d %-*.*s|%k|%a %A %Y %c %x\n"), &word);
    add(act::PRINTF, 4, 0, 0, None, &word);
    add(act::PRINTF, 4, 0, 0, None, &word);
    add(act::PRINTF, 257, 0, 0, None, b"hello");
    add(act::PRINTF, 32, 0, 0, None, &stack);
    add(act::PRINTF, 8, 0, 0, None, &word);
    add(act::PRINTF, 16, 0, 0, None, &stack);
    add(act::PRINTF, 8, 0, 0, None, &word);
    add(act::PRINTF, 1, 0, 0, None, &word);
    add(act::PRINTF, 8, 0, 0, None, &word);
    for action in [act::STACK, act::USTACK, act::JSTACK] {
        add(action, 32, 3, 0, None, &stack);
    }
    for action in [act::SYM, act::MOD, act::USYM, act::UMOD, act::UADDR] {
        add(action, 16, 0, 0, None, &stack);
    }
    add(act::TRACEMEM, 16, 2, 0, None, &stack);
    add(act::TRACEMEM_DYNSIZE, 4, 0, 0, None, &word);
    add(99, 8, 0, 0, None, &word);
    for (id, format) in
        (1u64..=9).zip([Some("%s %d %k %@d\n"), None, Some("%@u %@20d\n")].into_iter().cycle())
    {
        add(act::PRINTA, 8, id, id, format, &id.to_ne_bytes());
    }
    add(act::PRINTA, 8, 20, 20, Some("%s %@d %@d\n"), &1u64.to_ne_bytes());
    add(act::PRINTA, 8, 20, 20, None, &5u64.to_ne_bytes());
    for (number, two) in [
        (libact::NORMALIZE, true),
        (libact::DENORMALIZE, false),
        (libact::TRUNC, true),
        (libact::CLEAR, false),
        (libact::FTRUNCATE, false),
    ] {
        add(act::LIBACT, 8, dialect.act_base + number, 0, None, &3u64.to_ne_bytes());
        if two {
            add(act::LIBACT, 8, dialect.act_base + number, 0, None, &2u64.to_ne_bytes());
        }
    }
    add(act::LIBACT, 256, dialect.act_base + libact::SETOPT, 0, None, b"aggsortrev");
    add(act::LIBACT, 4, dialect.act_base + libact::SETOPT, 0, None, &word);
    add(act::SYSTEM, 4, 0, 0, Some("echo %d"), &word);
    add(act::FREOPEN, 4, 0, 0, Some("/tmp/%d"), &word);
    add(act::EXIT, 4, 0, 0, None, &[0; 4]);
    (recs, data)
}

/// An element of each function, with a key of a string, a number and a stack.
fn elements(dialect: Dialect) -> Vec<Message> {
    let linear = Lquantize::new(0, 10, 2).map_or(0, |l| l.packed());
    // factor, low, high, steps; Oracle the other way round.
    let log = if dialect.oracle { 10 << 48 | 1 << 32 | 10 } else { 10 << 48 | 1 << 16 | 10 };
    let desc = |action, size, offset| RecDesc { action, size, offset, arg: 2, ..RecDesc::default() };
    let keys = vec![desc(1, 257, 0), desc(1, 4, 264), desc(act::USTACK, 32, 272)];
    let mut key = b"key".to_vec();
    key.resize(304, 1);
    key[3] = 0;
    let mut found = Vec::new();
    for code in 0..10u16 {
        let (signature, first) = match (dialect.oracle, code) {
            (true, 2) | (false, 9) => (log, log),
            (true, 3) | (false, 8) => (linear, linear),
            _ => (0, 4),
        };
        let mut words = vec![first as i64];
        words.extend((0..150).map(|n| n % 7));
        found.push(Message::Element(RawElement {
            name: format!("a{code}"),
            variable: i64::from(code) + 1,
            action: act::AGGREGATION + code,
            signature,
            keys: keys.clone(),
            key: key.clone(),
            value: words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
        }));
    }
    found.push(Message::Totals);
    found
}

/// What a worker sends in a run that does everything.
fn messages(dialect: Dialect) -> Vec<Message> {
    let (recs, data) = clause(dialect);
    let mut all = samples();
    all.retain(|message| {
        !matches!(message, Message::Ready { .. } | Message::Failed { .. } | Message::Stopped)
    });
    all.extend(elements(dialect));
    all.push(Message::Clause { clause: 0, recs });
    all.extend(elements(dialect));
    let texts = vec![(27, b"by the library\n".to_vec())];
    all.push(Message::Record { probe: 7, clause: 0, cpu: 1, data, texts });
    all.extend(elements(dialect));
    all
}

fn run(dialect: Dialect, messages: Vec<Message>) -> Counter {
    let probes = Probes::default();
    let mut session =
        Script { decoder: Decoder::new(dialect, probes.clone()), messages: messages.into_iter() };
    let mut counter = Counter::default();
    let probe = |id: duotrace_core::probe::ProbeId| probes.borrow().get(&id.0).cloned();
    let (program, options) = (Program::default(), Options::new());
    let done = consumer::run(&program, &mut session, &probe, &options, &[], &mut counter, &mut Soon(0));
    assert!(done.is_ok());
    counter
}

/// One or a few bytes of a frame changed: at random, to an extreme, or cut out.
fn mutate(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        // The length stays right, so that the fields are reached.
        let at = 4 + random.below((frame.len() as u64).saturating_sub(4)) as usize;
        let rest = frame.len().saturating_sub(at);
        match random.below(4) {
            0 => frame[at.min(rest + at - 1)] = random.next() as u8,
            1 if rest >= 4 => {
                let extremes = [0u32, 1, 8, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff, 4096];
                let value = extremes[random.below(8) as usize];
                frame[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
            2 => frame[at] ^= 1 << random.below(8),
            _ => frame.truncate(at.max(5)),
        }
    }
    let len = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&len.to_ne_bytes());
}

#[test]
fn a_run_that_does_everything_prints() {
    for dialect in [ORACLE, SUN] {
        let counter = run(dialect, messages(dialect));
        let text = String::from_utf8_lossy(&counter.text);
        assert!(counter.bytes > 2000, "{dialect:?}: {text}");
    }
}

#[test]
fn mutated_messages_never_panic() {
    let rounds = std::env::var("DUOTRACE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let mut random = Random(0x5eed_0004);
    let (mut delivered, mut refused) = (0, 0);
    for round in 0..rounds {
        let dialect = if round % 2 == 0 { ORACLE } else { SUN };
        let mut mutated = Vec::new();
        for message in messages(dialect) {
            let mut frame = Vec::new();
            wire::write(&mut frame, &message);
            match random.below(6) {
                0 | 1 => mutate(&mut frame, &mut random),
                // Lost, or twice.
                2 if random.below(4) == 0 => continue,
                3 if random.below(4) == 0 => mutated.push(message),
                _ => {}
            }
            match wire::read(&frame) {
                Ok(Some((message, _))) => mutated.push(message),
                _ => refused += 1,
            }
        }
        delivered += mutated.len();
        let started = Instant::now();
        let counter = run(dialect, mutated);
        // Some print 256 MB, in a debug build, on a machine that has other work: what hangs takes longer still.
        assert!(started.elapsed() < Duration::from_secs(60), "round {round}: {:?}", started.elapsed());
        assert!(counter.bytes < 256 << 20, "round {round}: {} bytes", counter.bytes);
    }
    assert!(delivered > 3 * refused, "{delivered} delivered, {refused} refused");
}
