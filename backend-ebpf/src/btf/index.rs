//! Where types begin and which types have a name: one walk over a blob, made when first needed.
//!
//! The names hang in chains by hash, without a copy of them: two words per type. Building it takes a few
//! milliseconds for the 130,000 types of a kernel, finding a name then a few dozen nanoseconds.

use super::{Btf, word};

/// The index of one blob; positions count its own types from 0.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Where each type begins in the type section.
    pub(super) starts: Vec<u32>,
    /// First position of each chain, plus 1; 0 ends a chain.
    heads: Vec<u32>,
    /// The next position of the same chain, plus 1, by position.
    next: Vec<u32>,
}

/// FNV-1a over the bytes up to the first NUL.
fn hash(name: &[u8]) -> u32 {
    name.iter()
        .take_while(|byte| **byte != 0)
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

impl Index {
    pub(super) fn build(btf: &Btf) -> Index {
        let types = btf.types();
        let mut starts = Vec::with_capacity(types.len() / 24);
        let mut at = 0;
        while let Some(entry) = btf.at(at, 0) {
            starts.push(at as u32);
            at += 12 + entry.tail.len();
        }
        let mut heads = vec![0u32; starts.len().next_power_of_two()];
        let mut next = vec![0u32; starts.len()];
        // Backwards, so that the chains run forwards: the first of a name is found first.
        for (position, at) in starts.iter().enumerate().rev() {
            let Some(name) = word(types, *at as usize).filter(|name| *name != 0) else { continue };
            let slot = hash(btf.raw_string(name)) as usize & (heads.len() - 1);
            if let (Some(head), Some(next)) = (heads.get_mut(slot), next.get_mut(position)) {
                *next = std::mem::replace(head, position as u32 + 1);
            }
        }
        Index { starts, heads, next }
    }

    /// Positions of types whose name may be this one, in ascending order.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = usize> {
        let slot = hash(name.as_bytes()) as usize & self.heads.len().saturating_sub(1);
        let mut link = self.heads.get(slot).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let position = link.checked_sub(1)? as usize;
            link = self.next.get(position).copied().unwrap_or(0);
            Some(position)
        })
    }
}
