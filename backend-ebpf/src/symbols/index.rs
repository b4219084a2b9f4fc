//! Functions by address: built once per file, when an address first needs a name.

use super::elf::{RawSymbol, Table};

/// One function: its address range and where its name is.
#[derive(Debug)]
struct Entry {
    start: u64,
    size: u64,
    name: Box<[u8]>,
}

/// Functions sorted by address, one per address.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

impl Index {
    pub(super) fn build(tables: &[Table]) -> Index {
        let mut entries: Vec<Entry> = tables
            .iter()
            .flat_map(Table::iter)
            .filter(RawSymbol::is_function)
            .map(|s| Entry { start: s.vaddr, size: s.size, name: s.name.into() })
            .collect();
        // Of several names of one address keep the one that a programmer would use: with a size,
        // fewest leading underscores, shortest, then alphabetical.
        let rank = |e: &Entry| {
            let underscores = e.name.iter().take_while(|&&c| c == b'_').count();
            (e.size == 0, underscores, e.name.len())
        };
        entries.sort_by(|a, b| (a.start, rank(a), &a.name).cmp(&(b.start, rank(b), &b.name)));
        entries.dedup_by_key(|e| e.start);
        entries.shrink_to_fit();
        Index { entries }
    }

    /// Name, start and size of the function holding `vaddr`. A function without a size reaches to the next one.
    pub(super) fn find(&self, vaddr: u64) -> Option<(String, u64, u64)> {
        let after = self.entries.partition_point(|e| e.start <= vaddr);
        let next = self.entries.get(after).map(|e| e.start);
        // An inner symbol (a label with a size inside another function) may end before vaddr: look at a few more.
        self.entries.get(after.saturating_sub(8)..after)?.iter().rev().find_map(|e| {
            let inside = match e.size {
                0 => next.is_none_or(|n| vaddr < n) && vaddr - e.start < 0x10000,
                size => vaddr - e.start < size,
            };
            inside.then(|| (String::from_utf8_lossy(&e.name).into_owned(), e.start, e.size))
        })
    }
}
