//! Files that somebody made to break their reader: every reader of a file takes them, none panics, none runs for long.
//!
//! The same mutations at every run: bytes of the tables that say where things are, and files that end early.

use super::code;
use super::elf::Elf;
use super::frames;
use super::go::GoText;
use super::lookup;
use super::testing::{PROBES, Scratch};
use super::usdt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Files that are tried of each kind.
const FILES: u32 = 1500;

/// Values that sizes, counts and offsets do not expect.
const EDGES: [u64; 8] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, u64::MAX - 7, u64::MAX];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }
}

/// All that is read of a file when its probes are looked for and its addresses named.
fn read_all(bytes: Vec<u8>) {
    let Ok(elf) = Elf::from_bytes(bytes, Path::new("hostile")) else { return };
    let _ = (elf.build_id(), elf.interpreter(), elf.is_pie(), elf.searched());
    let _ = elf.load_bias(0x5555_5555_4000, 0x1000, true);
    if let Ok(sites) = usdt::sites(&elf) {
        for site in &sites {
            let _ = site.operands(&elf);
        }
    }
    for name in ["main", "one"] {
        let _ = lookup::function(&elf, name);
        let _ = elf.symbol_vaddr(name);
    }
    for function in elf.functions_where(|_| true).iter().take(64) {
        let _ = code::entry_site(&elf, function);
        let _ = code::disassemble(&elf, function);
        let _ = elf.function_at(function.vaddr.wrapping_add(1));
    }
    let _ = GoText::of(&elf);
    let _ = frames::rows(&elf);
}

/// Where a file says where things are: its header, the headers of segments and sections, and what follows these.
fn tables(bytes: &[u8]) -> Vec<(usize, usize)> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        u64::from_le_bytes(bytes) as usize
    };
    let (segments, sections) = (word(32), word(40));
    let mut out = vec![(0, 64), (segments, segments + 13 * 56), (sections, bytes.len())];
    // The symbols, strings, notes and frame tables that the section headers tell of.
    for header in (sections..bytes.len().saturating_sub(63)).step_by(64) {
        let kind = word(header + 4) as u32;
        let (from, size) = (word(header + 24), word(header + 32));
        if matches!(kind, 2 | 3 | 7 | 11) || size > 0 && size < 4096 {
            out.push((from, from.saturating_add(size)));
        }
    }
    out.retain(|(from, to)| from < to && *to <= bytes.len());
    out
}

#[test]
fn every_reader_takes_them() {
    let scratch = Scratch::new("hostile");
    let Some(program) = scratch.cc("probes", PROBES, &[]) else { return };
    let good = std::fs::read(program).unwrap();
    let places = tables(&good);
    assert!(places.len() > 8, "{places:?}");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for round in 0..FILES {
        let mut bytes = good.clone();
        for _ in 0..=random.below(6) {
            let (from, to) = places[random.below(places.len())];
            let at = from + random.below(to - from);
            if round % 3 == 0 {
                // A whole field at its place.
                let at = at & !7;
                let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
                bytes[at..(at + 8).min(good.len())].iter_mut().zip(edge).for_each(|(old, new)| *old = new);
            } else {
                bytes[at] = random.next() as u8;
            }
        }
        if round % 5 == 0 {
            bytes.truncate(random.below(good.len()));
        }
        let start = Instant::now();
        read_all(bytes);
        slowest = slowest.max(start.elapsed());
    }
    println!("{FILES} files in {:?}, the slowest {slowest:?}", began.elapsed());
    // One that asks for gigabytes or for ever would be far beyond this, on any machine.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}
