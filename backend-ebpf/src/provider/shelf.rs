//! A list that only grows, so that references to its items stay while more are added.
//!
//! A running session finds probes in processes that start later, while the consumer holds the earlier ones.

use std::cell::{Cell, OnceCell};

/// Chunks of 1, 2, 4, ... items.
#[derive(Debug)]
pub struct Shelf<T> {
    chunks: [OnceCell<Box<[OnceCell<T>]>>; 32],
    len: Cell<usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf { chunks: [const { OnceCell::new() }; 32], len: Cell::new(0) }
    }
}

/// Chunk and place in it of an index.
fn place(index: usize) -> (usize, usize) {
    let chunk = (index + 1).ilog2() as usize;
    (chunk, index + 1 - (1 << chunk))
}

impl<T> Shelf<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Is it empty?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item at the end; `false` when there is no room for more (4,294,967,295 items).
    pub fn push(&self, item: T) -> bool {
        let (chunk, at) = place(self.len());
        let Some(chunk) = self.chunks.get(chunk).map(|cell| {
            cell.get_or_init(|| std::iter::repeat_with(OnceCell::new).take(1 << chunk).collect())
        }) else {
            return false;
        };
        let stored = chunk.get(at).is_some_and(|cell| cell.set(item).is_ok());
        self.len.set(self.len() + usize::from(stored));
        stored
    }

    /// All items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// An item by index.
    pub fn get(&self, index: usize) -> Option<&T> {
        let (chunk, at) = place(index);
        self.chunks.get(chunk)?.get()?.get(at)?.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        let shelf = Shelf::default();
        assert!(shelf.push(0));
        let first = shelf.get(0).unwrap();
        (1..1000).for_each(|n| assert!(shelf.push(n)));
        assert_eq!((*first, shelf.len()), (0, 1000));
        assert!((0..1000).all(|n| shelf.get(n) == Some(&n)));
        assert_eq!(shelf.get(1000), None);
    }
}
