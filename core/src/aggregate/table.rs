//! The table of one aggregation: key tuples and their merged values.

use super::sort::trunc_order;
use super::{AggFunc, Cell};
use crate::record::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// A key tuple; empty for an aggregation without keys.
pub type Key = Vec<Value>;

/// One aggregation of a program.
#[derive(Clone, Debug)]
pub struct Aggregation {
    id: u32,
    name: String,
    func: AggFunc,
    arity: usize,
    elements: HashMap<Key, Element>,
    printed: bool,
}

/// What is kept for one key.
#[derive(Clone, Debug)]
struct Element {
    words: Vec<i64>,
    /// `normalize()` acts on the elements that exist when it runs; later ones start at 1, as in dtrace.
    normal: u64,
    /// Cleared and not touched since: prints as zeroes, whatever the function's identity is.
    empty: bool,
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
        }
    }
}

impl std::error::Error for AggError {}

impl Aggregation {
    /// An empty aggregation. `id` orders aggregations that are printed together (order of first use in
    /// the program, from 1); `name` is without `@` and `_` for the anonymous one; `arity` is the
    /// number of key parts.
    pub fn new(id: u32, name: impl Into<String>, func: AggFunc, arity: usize) -> Aggregation {
        Aggregation { id, name: name.into(), func, arity, elements: HashMap::new(), printed: false }
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
        self.elements.len()
    }

    /// Has it no element?
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
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
    pub fn merge_partial(&mut self, key: Key, words: &[i64]) -> Result<(), AggError> {
        let expected = self.func.words();
        if words.len() != expected {
            return Err(AggError::Words { expected, found: words.len() });
        }
        let func = self.func;
        let element = self.element(key)?;
        // After clear(), a slot that is handed over untouched must not revive the element.
        if element.empty && words != func.identity() {
            element.empty = false;
        }
        func.merge(&mut element.words, words);
        Ok(())
    }

    /// What one firing does: see [`AggFunc::update`]. For executors that keep no partials.
    pub fn update(&mut self, key: Key, value: i64, increment: i64) -> Result<(), AggError> {
        let func = self.func;
        let element = self.element(key)?;
        element.empty = false;
        func.update(&mut element.words, value, increment);
        Ok(())
    }

    /// The element of a key, made if it is not there.
    fn element(&mut self, key: Key) -> Result<&mut Element, AggError> {
        if key.len() != self.arity {
            return Err(AggError::Arity { expected: self.arity, found: key.len() });
        }
        let func = self.func;
        Ok(self.elements.entry(key).or_insert_with(|| Element {
            words: func.identity(),
            normal: 1,
            empty: false,
        }))
    }

    /// `clear()`: keys (and factors) stay, values return to nothing.
    pub fn clear(&mut self) {
        let identity = self.func.identity();
        for element in self.elements.values_mut() {
            element.words.clone_from(&identity);
            element.empty = true;
        }
    }

    /// Takes over the elements of a newer snapshot of the same aggregation, from a backend that hands over
    /// totals and not what came since the last time. Keys that both have keep their factor;
    /// keys that only this one has are dropped.
    pub fn replace_from(&mut self, newer: Aggregation) {
        let old = std::mem::replace(&mut self.elements, newer.elements);
        for (key, element) in old {
            if let Some(new) = self.elements.get_mut(&key) {
                new.normal = element.normal;
            }
        }
    }

    /// `trunc()`: with a count above 0 the elements with the largest values stay, below 0 those with the
    /// smallest, with 0 or none at all nothing stays. Sort options have no say in it.
    pub fn trunc(&mut self, count: Option<i64>) {
        let count = count.unwrap_or(0);
        let keep = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if keep == 0 {
            self.elements.clear();
            return;
        }
        if keep >= self.elements.len() {
            return;
        }
        let doomed: Vec<Key> = {
            let mut rows: Vec<(&Key, Cell<'_>)> = self.cells().collect();
            rows.sort_by(|a, b| trunc_order((a.0, &a.1), (b.0, &b.1)));
            if count > 0 {
                rows.reverse();
            }
            rows.into_iter().skip(keep).map(|(key, _)| key.clone()).collect()
        };
        for key in doomed {
            self.elements.remove(&key);
        }
    }

    /// `normalize()`: from now on, the elements that exist print divided by the factor.
    pub fn normalize(&mut self, factor: u64) -> Result<(), AggError> {
        if factor == 0 {
            return Err(AggError::ZeroNormal);
        }
        self.elements.values_mut().for_each(|element| element.normal = factor);
        Ok(())
    }

    /// `denormalize()`.
    pub fn denormalize(&mut self) {
        self.elements.values_mut().for_each(|element| element.normal = 1);
    }

    /// The value of a key.
    pub fn get(&self, key: &[Value]) -> Option<Cell<'_>> {
        self.elements.get(key).map(|element| self.cell(element))
    }

    /// Keys and values in no order; [`super::joined`] sorts.
    pub fn cells(&self) -> impl Iterator<Item = (&Key, Cell<'_>)> {
        self.elements.iter().map(|(key, element)| (key, self.cell(element)))
    }

    fn cell<'a>(&'a self, element: &'a Element) -> Cell<'a> {
        let words = if element.empty {
            Cow::Owned(vec![0; element.words.len()])
        } else {
            Cow::Borrowed(element.words.as_slice())
        };
        Cell { func: self.func, words, normal: element.normal }
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
