//! The table of one aggregation: key tuples and their merged values.
//!
//! Scripts that count by address or by file make millions of elements, so an element has no memory of its own: keys and
//! words lie one behind the other in the order of first use, and a table of element numbers finds them ([`super::index`]).
//! One with an integer as its key takes 60 bytes.

use super::index::Index;
use super::sort::outermost;
use super::{AggFunc, Cell};
use crate::record::Value;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;

/// A key tuple; empty for an aggregation without keys.
pub type Key = Vec<Value>;

/// One aggregation of a program.
#[derive(Clone, Debug)]
pub struct Aggregation {
    id: u32,
    name: String,
    func: AggFunc,
    arity: usize,
    printed: bool,
    hasher: RandomState,
    /// Elements by their keys.
    index: Index,
    len: usize,
    /// `arity` values of each element.
    keys: Vec<Value>,
    /// [`AggFunc::words`] of each element.
    words: Vec<i64>,
    /// Factors of the first elements; the others have 1. `normalize()` acts on the elements that exist when it runs;
    /// later ones start at 1, as in dtrace.
    normals: Vec<u64>,
    /// Of the first elements: cleared and not touched since? Such a one prints as zeroes, whatever the function's
    /// identity is.
    cleared: Vec<bool>,
}

/// A partial value or a factor that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggError {
    /// The key tuple has another length than the aggregation's.
    Arity {
        /// Parts of the aggregation's key.
        expected: usize,
        /// Parts that came.
        found: usize,
    },
    /// The value has another number of words than the function's.
    Words {
        /// Words of the function.
        expected: usize,
        /// Words that came.
        found: usize,
    },
    /// A normalisation factor of 0.
    ZeroNormal,
    /// More than 4294967294 elements.
    Full,
}

impl fmt::Display for AggError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AggError::Arity { expected, found } => {
                write!(f, "aggregation key has {found} parts, not {expected}")
            }
            AggError::Words { expected, found } => {
                write!(f, "aggregation value has {found} words, not {expected}")
            }
            AggError::ZeroNormal => f.write_str("normalization factor is zero"),
            AggError::Full => f.write_str("aggregation has too many elements"),
        }
    }
}

impl std::error::Error for AggError {}

impl Aggregation {
    /// An empty aggregation. `id` orders aggregations that are printed together (order of first use in
    /// the program, from 1); `name` is without `@` and `_` for the anonymous one; `arity` is the
    /// number of key parts.
    pub fn new(id: u32, name: impl Into<String>, func: AggFunc, arity: usize) -> Aggregation {
        Aggregation {
            id,
            name: name.into(),
            func,
            arity,
            printed: false,
            hasher: RandomState::default(),
            index: Index::default(),
            len: 0,
            keys: Vec::new(),
            words: Vec::new(),
            normals: Vec::new(),
            cleared: Vec::new(),
        }
    }

    /// The aggregation's number, which orders aggregations.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name without `@`, `_` for the anonymous aggregation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The aggregating function.
    pub fn func(&self) -> &AggFunc {
        &self.func
    }

    /// Number of key parts.
    pub fn arity(&self) -> usize {
        self.arity
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has it no element?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes that a `printa()` has shown it: at the end, dtrace prints only those that none has.
    pub fn set_printed(&mut self) {
        self.printed = true;
    }

    /// Has a `printa()` shown it?
    pub fn printed(&self) -> bool {
        self.printed
    }

    /// Merges the value that one CPU (host, backend) has for a key. The key appears with it, even if the
    /// value is the identity. The words must have been touched there since they were last handed over.
    pub fn merge_partial(&mut self, mut key: Key, words: &[i64]) -> Result<(), AggError> {
        let expected = self.func.words();
        if words.len() != expected {
            return Err(AggError::Words { expected, found: words.len() });
        }
        self.merge_hashed(self.hash(&key), &mut key, words)
    }

    /// [`Self::merge_partial`] for many: the parts of one key behind those of another, and so their words. Takes the
    /// parts out of `keys`, which keeps its memory.
    pub fn merge_many(&mut self, keys: &mut Key, words: &[i64]) -> Result<(), AggError> {
        let (arity, width) = (self.arity, self.func.words().max(1));
        let (count, rest) = (words.len() / width, words.len() % width);
        if rest != 0 {
            return Err(AggError::Words { expected: width, found: rest });
        }
        if keys.len() != count * arity {
            return Err(AggError::Arity { expected: count * arity, found: keys.len() });
        }
        let range = |n: usize| n * arity..(n + 1) * arity;
        let hashes: Vec<u32> =
            (0..count).map(|n| self.hash(keys.get(range(n)).unwrap_or_default())).collect();
        std::hint::black_box(hashes.iter().fold(0, |all, hash| all ^ self.index.touch(*hash)));
        for (n, (hash, words)) in hashes.into_iter().zip(words.chunks_exact(width)).enumerate() {
            self.merge_hashed(hash, keys.get_mut(range(n)).unwrap_or_default(), words)?;
        }
        keys.clear();
        Ok(())
    }

    fn merge_hashed(&mut self, hash: u32, key: &mut [Value], words: &[i64]) -> Result<(), AggError> {
        let at = self.element(hash, key)?;
        // After clear(), a slot that is handed over untouched must not revive the element.
        if let Some(cleared) = self.cleared.get_mut(at).filter(|cleared| **cleared) {
            *cleared = words.iter().all(|word| *word == self.func.nothing());
        }
        let func = self.func;
        func.merge(self.words_mut(at), words);
        Ok(())
    }

    /// What one firing does: see [`AggFunc::update`]. For executors that keep no partials.
    pub fn update(&mut self, mut key: Key, value: i64, increment: i64) -> Result<(), AggError> {
        let at = self.element(self.hash(&key), &mut key)?;
        if let Some(cleared) = self.cleared.get_mut(at) {
            *cleared = false;
        }
        let func = self.func;
        func.update(self.words_mut(at), value, increment);
        Ok(())
    }

    fn key_at(&self, element: usize) -> &[Value] {
        self.keys.get(element * self.arity..(element + 1) * self.arity).unwrap_or_default()
    }

    fn words_at(&self, element: usize) -> &[i64] {
        let words = self.func.words();
        self.words.get(element * words..(element + 1) * words).unwrap_or_default()
    }

    fn words_mut(&mut self, element: usize) -> &mut [i64] {
        let words = self.func.words();
        self.words.get_mut(element * words..(element + 1) * words).unwrap_or_default()
    }

    fn hash(&self, key: &[Value]) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    /// The number of a key's element.
    fn find(&self, hash: u32, key: &[Value]) -> Option<usize> {
        self.index.find(hash, |element| self.key_at(element) == key)
    }

    /// The number of a key's element, made if it is not there, of the parts, which are used up.
    fn element(&mut self, hash: u32, key: &mut [Value]) -> Result<usize, AggError> {
        if key.len() != self.arity {
            return Err(AggError::Arity { expected: self.arity, found: key.len() });
        }
        if let Some(at) = self.find(hash, key) {
            return Ok(at);
        }
        let element = self.len;
        if !self.index.insert(hash, element) {
            return Err(AggError::Full);
        }
        self.keys.extend(key.iter_mut().map(|part| std::mem::replace(part, Value::uint(0))));
        self.words.resize(self.words.len() + self.func.words(), self.func.nothing());
        self.len += 1;
        Ok(element)
    }

    /// `clear()`: keys (and factors) stay, values return to nothing.
    pub fn clear(&mut self) {
        self.words.fill(self.func.nothing());
        self.cleared = vec![true; self.len];
    }

    /// Takes over the elements of a newer snapshot of the same aggregation, from a backend that hands over
    /// totals and not what came since the last time. Keys that both have keep their factor;
    /// keys that only this one has are dropped.
    pub fn replace_from(&mut self, newer: Aggregation) {
        let newer =
            Aggregation { id: self.id, printed: self.printed, name: std::mem::take(&mut self.name), ..newer };
        let old = std::mem::replace(self, newer);
        for (at, normal) in old.normals.iter().enumerate().filter(|(_, normal)| **normal != 1) {
            if let Some(new) = self.find(self.hash(old.key_at(at)), old.key_at(at)) {
                if self.normals.len() <= new {
                    self.normals.resize(new + 1, 1);
                }
                if let Some(slot) = self.normals.get_mut(new) {
                    *slot = *normal;
                }
            }
        }
    }

    /// `trunc()`: with a count above 0 the elements with the largest values stay, below 0 those with the
    /// smallest, with 0 or none at all nothing stays. Sort options have no say in it.
    pub fn trunc(&mut self, count: Option<i64>) {
        let count = count.unwrap_or(0);
        let keep = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if keep >= self.len {
            return;
        }
        let mut stay = outermost(self, keep, count > 0);
        stay.sort_unstable();
        self.retain(&stay);
    }

    /// Keeps the elements of these numbers, which ascend.
    fn retain(&mut self, stay: &[u32]) {
        let whole = std::mem::replace(self, Aggregation::new(self.id, &*self.name, self.func, self.arity));
        self.printed = whole.printed;
        let mut key = Key::new();
        for at in stay.iter().map(|at| *at as usize) {
            key.clear();
            key.extend_from_slice(whole.key_at(at));
            // As it was found: the tuple has the right number of parts.
            let Ok(new) = self.element(self.hash(&key), &mut key) else { continue };
            self.words_mut(new).copy_from_slice(whole.words_at(at));
            self.normals.push(whole.normals.get(at).copied().unwrap_or(1));
            self.cleared.push(whole.cleared.get(at).copied().unwrap_or(false));
        }
    }

    /// `normalize()`: from now on, the elements that exist print divided by the factor.
    pub fn normalize(&mut self, factor: u64) -> Result<(), AggError> {
        if factor == 0 {
            return Err(AggError::ZeroNormal);
        }
        self.normals = vec![factor; self.len];
        Ok(())
    }

    /// `denormalize()`.
    pub fn denormalize(&mut self) {
        self.normals.clear();
    }

    /// The value of a key.
    pub fn get(&self, key: &[Value]) -> Option<Cell<'_>> {
        self.find(self.hash(key), key).map(|at| self.cell(at))
    }

    /// Keys and values in the order of first use; [`super::joined`] sorts.
    pub fn cells(&self) -> impl Iterator<Item = (&[Value], Cell<'_>)> {
        (0..self.len).map(|at| (self.key_at(at), self.cell(at)))
    }

    /// The element of a number, as [`Self::cells`] counts them.
    pub(super) fn nth(&self, element: usize) -> (&[Value], Cell<'_>) {
        (self.key_at(element), self.cell(element))
    }

    fn cell(&self, element: usize) -> Cell<'_> {
        let words = match self.cleared.get(element) {
            Some(true) => Cow::Owned(vec![0; self.func.words()]),
            _ => Cow::Borrowed(self.words_at(element)),
        };
        Cell { func: self.func, words, normal: self.normals.get(element).copied().unwrap_or(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        vec![Value::string(name)]
    }

    fn sums(values: &[(&str, i64)]) -> Aggregation {
        let mut agg = Aggregation::new(1, "s", AggFunc::Sum, 1);
        for (name, value) in values {
            agg.merge_partial(key(name), &[*value]).unwrap();
        }
        agg
    }

    fn left(agg: &Aggregation) -> Vec<String> {
        let mut names: Vec<_> = agg
            .cells()
            .map(|(key, _)| String::from_utf8_lossy(key[0].as_text().unwrap()).into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn partials_of_a_key_add_up() {
        let agg = sums(&[("a", 1), ("b", 5), ("a", 2)]);
        assert_eq!(agg.get(&key("a")).unwrap().words[..], [3]);
        assert_eq!(agg.len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut agg = sums(&[]);
        assert_eq!(agg.merge_partial(key("a"), &[]), Err(AggError::Words { expected: 1, found: 0 }));
        assert_eq!(agg.merge_partial(vec![], &[1]), Err(AggError::Arity { expected: 1, found: 0 }));
        assert_eq!(agg.normalize(0), Err(AggError::ZeroNormal));
        assert!(agg.is_empty());
    }

    #[test]
    fn trunc_keeps_the_largest_or_the_smallest() {
        let all = [("a", 1), ("b", 3), ("c", 2), ("d", 3)];
        let after = |count| {
            let mut agg = sums(&all);
            agg.trunc(count);
            left(&agg)
        };
        assert_eq!(after(Some(1)), ["d"], "equal values: the greater key counts as larger");
        assert_eq!(after(Some(3)), ["b", "c", "d"]);
        assert_eq!(after(Some(-2)), ["a", "c"]);
        assert_eq!(after(Some(-3)), ["a", "b", "c"]);
        assert_eq!(after(Some(9)).len(), 4);
        assert!(after(None).is_empty());
        assert!(after(Some(0)).is_empty());
        assert_eq!(after(Some(i64::MIN)).len(), 4);
    }

    #[test]
    fn cleared_elements_are_nothing_until_they_are_touched() {
        for (func, identity) in [(AggFunc::Min, i64::MAX), (AggFunc::Max, i64::MIN)] {
            let mut agg = Aggregation::new(1, "m", func, 0);
            agg.merge_partial(vec![], &[-7]).unwrap();
            agg.clear();
            assert_eq!(agg.get(&[]).unwrap().scalar(), Some(0));
            agg.merge_partial(vec![], &[identity]).unwrap();
            assert_eq!(agg.get(&[]).unwrap().scalar(), Some(0));
            agg.merge_partial(vec![], &[-9]).unwrap();
            assert_eq!(agg.get(&[]).unwrap().scalar(), Some(-9));
        }
    }

    #[test]
    fn a_factor_outlives_clear_but_not_trunc() {
        let mut agg = sums(&[("a", 100)]);
        agg.normalize(10).unwrap();
        agg.clear();
        agg.merge_partial(key("a"), &[70]).unwrap();
        agg.merge_partial(key("b"), &[70]).unwrap();
        assert_eq!(agg.get(&key("a")).unwrap().scalar(), Some(7));
        assert_eq!(agg.get(&key("b")).unwrap().scalar(), Some(70), "new keys start without a factor");
        agg.trunc(None);
        agg.merge_partial(key("a"), &[70]).unwrap();
        assert_eq!(agg.get(&key("a")).unwrap().scalar(), Some(70));
    }

    #[test]
    fn a_newer_snapshot_keeps_factors() {
        let mut agg = sums(&[("a", 100), ("gone", 1)]);
        agg.normalize(10).unwrap();
        agg.replace_from(sums(&[("a", 200), ("new", 5)]));
        assert_eq!(left(&agg), ["a", "new"]);
        assert_eq!(agg.get(&key("a")).unwrap().scalar(), Some(20));
        assert_eq!(agg.get(&key("new")).unwrap().scalar(), Some(5));
    }
}
