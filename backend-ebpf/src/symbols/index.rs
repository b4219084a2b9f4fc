//! Functions by address: built once per file, when an address first needs a name.
//!
//! A name is only looked at when its address is asked for: of ten thousand functions that is wanted of a few.

use super::elf::{RawSymbol, Table};

/// One symbol: its address, and which it is of which table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    table: u32,
    number: u32,
}

/// Symbols of functions, sorted by address; several may be at one.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

/// Inner symbols (labels with a size inside another function) that may end before an address within that function.
const INNER: usize = 8;

impl Index {
    pub(super) fn build(tables: &[Table]) -> Index {
        let mut entries: Vec<Entry> = Vec::new();
        for (table, symbols) in (0..).zip(tables) {
            entries.extend(symbols.code().map(|(number, start)| Entry { start, table, number }));
        }
        entries.sort_unstable_by_key(|entry| (entry.start, entry.table, entry.number));
        Index { entries }
    }

    /// Name, start and size of the function holding `vaddr`. A function without a size reaches to the next one.
    pub(super) fn find(&self, tables: &[Table], vaddr: u64) -> Option<(String, u64, u64)> {
        let after = self.entries.partition_point(|entry| entry.start <= vaddr);
        let next = self.entries.get(after).map(|entry| entry.start);
        let before = self.entries.get(..after)?;
        before.chunk_by(|a, b| a.start == b.start).rev().take(INNER).find_map(|same| {
            let symbol = best(tables, same)?;
            let inside = match symbol.size {
                0 => next.is_none_or(|n| vaddr < n) && vaddr - symbol.vaddr < 0x10000,
                size => vaddr - symbol.vaddr < size,
            };
            inside.then(|| (String::from_utf8_lossy(symbol.name).into_owned(), symbol.vaddr, symbol.size))
        })
    }
}

/// Of several names of one address the one that a programmer would use: with a size, fewest leading underscores,
/// shortest, then alphabetical.
fn best<'a>(tables: &'a [Table], same: &[Entry]) -> Option<RawSymbol<'a>> {
    let symbols = same.iter().filter_map(|entry| tables.get(entry.table as usize)?.nth(entry.number));
    symbols.filter(RawSymbol::is_function).min_by_key(|symbol| {
        let underscores = symbol.name.iter().take_while(|&&c| c == b'_').count();
        (symbol.size == 0, underscores, symbol.name.len(), symbol.name)
    })
}
