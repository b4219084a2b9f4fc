//! Frame tables of x86-64 objects: `.eh_frame` boiled down to what walking a stack in the kernel needs.
//!
//! For each address of the text: where the caller's frame begins (the CFA: rsp or rbp and a distance) and where the
//! caller's rbp was saved, if it was. Other registers do not matter, and the return address always lies below the CFA.
//! What does not fit (expressions, odd distances) becomes a row that ends the walk rather than one that is wrong.

use super::elf::{Elf, Machine};
use crate::codegen::layout::unwind;
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, LittleEndian, RegisterRule, UnwindContext, UnwindSection,
    X86_64,
};

/// Rows of one object: with more than these it is as if it had none, for there is no room for them.
const MOST: usize = 1 << 20;

/// One row, as the kernel side reads it: see [`unwind::ROWS`].
fn row(address: u32, kind: i32, cfa: u16, rbp: u8) -> u64 {
    u64::from(address) | u64::from(cfa) << 32 | u64::from(rbp) << 48 | u64::from(kind as u8) << 56
}

/// The address of a row.
fn address(row: u64) -> u32 {
    row as u32
}

/// Does the object save frame pointers in all of its functions, as far as a sample tells?
pub fn keeps_frame_pointers(rows: &[u64]) -> bool {
    let by_rbp = rows.iter().filter(|row| (**row >> 56) as i32 == unwind::RBP).count();
    // Each function with a frame pointer has rows by rsp for its first instructions and its last: about three for one.
    by_rbp * 6 > rows.len()
}

/// The rows of an object by address, empty where it has none. An address before the first row belongs to none.
pub fn rows(elf: &Elf) -> Vec<u64> {
    if elf.machine() != Machine::X86_64 {
        return Vec::new();
    }
    let Some(section) = elf.section(".eh_frame") else { return Vec::new() };
    let Some(data) = elf.section_data(section) else { return Vec::new() };
    let mut bases = BaseAddresses::default().set_eh_frame(section.vaddr);
    if let Some(text) = elf.section(".text") {
        bases = bases.set_text(text.vaddr);
    }
    let frames = EhFrame::new(&data, LittleEndian);
    let mut context = UnwindContext::new();
    let mut out: Vec<u64> = Vec::new();
    // Where a function's rows end: what follows has none, unless another begins there.
    let mut ends: Vec<u32> = Vec::new();
    let mut entries = frames.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else { continue };
        let signal = fde.is_signal_trampoline();
        let Ok(mut table) = fde.rows(&frames, &bases, &mut context) else { continue };
        let Ok(end) = u32::try_from(fde.initial_address().saturating_add(fde.len())) else { continue };
        ends.push(end);
        while let Ok(Some(found)) = table.next_row() {
            let Ok(start) = u32::try_from(found.start_address()) else { break };
            if out.len() > MOST {
                return out;
            }
            out.push(match signal {
                true => row(start, unwind::SIGNAL, 0, 0),
                false => simple(start, found),
            });
        }
    }
    finish(out, &ends)
}

/// A row of the section as one of ours.
fn simple(start: u32, found: &gimli::UnwindTableRow<usize>) -> u64 {
    let end = row(start, unwind::END, 0, 0);
    // The first function of a thread has no caller: that is said by an undefined return address.
    if found.register(X86_64::RA) == RegisterRule::Undefined {
        return end;
    }
    let words = |distance: i64| (distance % 8 == 0).then_some(distance / 8);
    let rbp = match found.register(X86_64::RBP) {
        RegisterRule::Offset(distance) => match words(-distance).map(u8::try_from) {
            Some(Ok(word)) => word,
            _ => return end,
        },
        RegisterRule::Undefined | RegisterRule::SameValue => 0,
        _ => return end,
    };
    match found.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            let Some(Ok(cfa)) = words(*offset).map(u16::try_from) else { return end };
            match *register {
                X86_64::RSP => row(start, unwind::RSP, cfa, rbp),
                X86_64::RBP => row(start, unwind::RBP, cfa, rbp),
                _ => end,
            }
        }
        // The linker writes one for .plt; no compiler writes others but for functions that realign their stack,
        // which keep a frame pointer but not at the CFA.
        CfaRule::Expression(_) if rbp == 0 => row(start, unwind::PLT, 0, 0),
        CfaRule::Expression(_) => end,
    }
}

/// Sorts, ends functions, and drops what says nothing new.
fn finish(mut rows: Vec<u64>, ends: &[u32]) -> Vec<u64> {
    rows.sort_by_key(|row| address(*row));
    rows.dedup_by_key(|row| address(*row));
    let starts: std::collections::HashSet<u32> = rows.iter().map(|row| address(*row)).collect();
    // Text without any: hand-written assembly, mostly with frame pointers or as leaves.
    let gaps = ends.iter().filter(|end| !starts.contains(end)).map(|end| row(*end, unwind::RBP, 2, 2));
    rows.extend(gaps);
    rows.sort_by_key(|row| address(*row));
    rows.dedup_by_key(|row| address(*row));
    rows.dedup_by(|next, before| *next >> 32 == *before >> 32);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn of_libc() {
        let Ok(elf) = Elf::open(Path::new("/lib/x86_64-linux-gnu/libc.so.6")) else {
            eprintln!("skipped: no libc there");
            return;
        };
        let rows = rows(&elf);
        assert!(rows.len() > 10_000, "{}", rows.len());
        assert!(rows.is_sorted_by_key(|row| address(*row)));
        assert!(!keeps_frame_pointers(&rows));
        // At a function's first instruction the return address is at the stack pointer.
        let f = elf.functions_named("qsort").remove(0);
        let at = rows.partition_point(|row| u64::from(address(*row)) <= f.vaddr) - 1;
        assert_eq!(rows[at] >> 32, row(0, unwind::RSP, 1, 0) >> 32);
    }

    #[test]
    fn garbage() {
        let Ok(bytes) = std::fs::read("/bin/true") else { return };
        let elf = Elf::from_bytes(bytes.clone(), Path::new("true")).unwrap();
        let Some(section) = elf.section(".eh_frame") else { return };
        let (from, len) = (section.offset as usize, section.size as usize);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2000 {
            let mut mutated = bytes.clone();
            for _ in 0..8 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                mutated[from + (random >> 16) as usize % len] = random as u8;
            }
            if let Ok(elf) = Elf::from_bytes(mutated, Path::new("garbage")) {
                assert!(rows(&elf).len() <= MOST * 2);
            }
        }
    }
}
