//! Finds the elements of an aggregation: a table of their numbers, by the hash of the key.
//!
//! A million elements are looked up one after the other at each snapshot, and each look is a miss in the cache. So a
//! slot is all that there is to miss, and [`Index::touch`] asks for many of them at once: they are on their way together.

/// An element and the upper half of its key's hash.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    /// Its number and one; 0 is nobody.
    element: u32,
}

/// Open addressing with linear steps; the place is the hash as a fraction, so that a table that grows is read and
/// written in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Vec<Slot>,
    len: usize,
}

impl Index {
    /// Where the way of a hash begins.
    fn place(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// Reads what a look for this hash needs first, and returns something that depends on it.
    pub fn touch(&self, hash: u32) -> u32 {
        self.slots.get(self.place(hash)).map_or(0, |slot| slot.hash)
    }

    /// The element with this hash that `same` accepts.
    pub fn find(&self, hash: u32, mut same: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut at = self.place(hash);
        // There is always an empty slot; a table without any has no place.
        while let Some(slot) = self.slots.get(at) {
            let element = slot.element.checked_sub(1)? as usize;
            if slot.hash == hash && same(element) {
                return Some(element);
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        None
    }

    /// Adds an element that is not there yet. Numbers go up to `u32::MAX - 1`; says whether this one does.
    pub fn insert(&mut self, hash: u32, element: usize) -> bool {
        let Some(number) = u32::try_from(element).ok().and_then(|number| number.checked_add(1)) else {
            return false;
        };
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.put(Slot { hash, element: number });
        self.len += 1;
        true
    }

    fn put(&mut self, new: Slot) {
        let mut at = self.place(new.hash);
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.element == 0 {
                *slot = new;
                return;
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }

    fn grow(&mut self) {
        let twice = vec![Slot::default(); (self.slots.len() * 2).max(16)];
        for slot in std::mem::replace(&mut self.slots, twice) {
            if slot.element != 0 {
                self.put(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_whatever_its_hash() {
        // All at one place, all at the last one, all over.
        for spread in [0u32, u32::MAX, 0x9e37_79b9] {
            let hash = |n: u32| if spread == u32::MAX { spread } else { n.wrapping_mul(spread) };
            let mut index = Index::default();
            assert_eq!(index.find(hash(0), |_| true), None);
            for n in 0..1000u32 {
                assert!(index.insert(hash(n), n as usize));
            }
            for n in 0..1000u32 {
                assert_eq!(index.find(hash(n), |element| element == n as usize), Some(n as usize));
            }
            assert_eq!(index.find(hash(7), |_| false), None);
        }
    }

    #[test]
    fn a_number_too_large_is_refused() {
        assert!(!Index::default().insert(0, u32::MAX as usize));
    }
}
