//! The order in which elements are printed, and rows that join several aggregations.

use super::{AggFunc, Aggregation};
use crate::record::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How elements are sorted: the options `aggsortkey`, `aggsortkeypos`, `aggsortpos`, `aggsortrev`.
/// The default is by value, least first, equal ones by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortOrder {
    /// By key, not by value (`aggsortkey`).
    pub by_key: bool,
    /// The key part that is compared first, the others following in turn (`aggsortkeypos`).
    /// Beyond the key's length it counts as 0.
    pub key_position: usize,
    /// The aggregation of a joined printing whose value is compared first (`aggsortpos`).
    /// Beyond the number of aggregations it counts as 0.
    pub position: usize,
    /// Greatest first (`aggsortrev`).
    pub reverse: bool,
}

/// The value of one aggregation for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The function, which says what the words mean.
    pub func: AggFunc,
    /// The words; all zero where the aggregation has no value for the key.
    pub words: Cow<'a, [i64]>,
    /// The factor of `normalize()`, 1 without.
    pub normal: u64,
}

impl Cell<'_> {
    /// The number to print; `None` for a quantizer.
    pub fn scalar(&self) -> Option<i64> {
        self.func.scalar(&self.words, self.normal)
    }

    /// The order by value.
    pub fn cmp_value(&self, other: &Cell<'_>) -> Ordering {
        self.func.value_for_sort(&self.words).cmp(&other.func.value_for_sort(&other.words))
    }
}

/// One key and the values that the joined aggregations have for it, in the order they were named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The key tuple.
    pub key: &'a [Value],
    /// One value per aggregation; zeroes where one lacks the key.
    pub cells: Vec<Cell<'a>>,
}

/// The sorted rows of one or several aggregations. Those of one are made when they are looked at: a million of them
/// take no more than their order.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// Numbers of elements in order.
    One(&'a Aggregation, Vec<u32>),
    /// Rows in order.
    Joined(Vec<Row<'a>>),
}

impl<'a> Rows<'a> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Rows::One(_, order) => order.len(),
            Rows::Joined(rows) => rows.len(),
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at a place of the order, from 0.
    pub fn get(&self, at: usize) -> Option<Row<'a>> {
        match self {
            Rows::One(aggregation, order) => order.get(at).map(|element| {
                let (key, cell) = aggregation.nth(*element as usize);
                Row { key, cells: vec![cell] }
            }),
            Rows::Joined(rows) => rows.get(at).cloned(),
        }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'a>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

/// The rows of one or several aggregations of the same key signature, sorted: every key that any of them has.
/// An aggregation may be named twice.
pub fn joined<'a>(aggregations: &[&'a Aggregation], order: &SortOrder) -> Rows<'a> {
    if let [aggregation] = aggregations {
        return Rows::One(aggregation, ranked(aggregation, order));
    }
    let mut by_key: BTreeMap<&'a [Value], Vec<Option<Cell<'a>>>> = BTreeMap::new();
    for (position, aggregation) in aggregations.iter().enumerate() {
        for (key, cell) in aggregation.cells() {
            let cells = by_key.entry(key).or_insert_with(|| vec![None; aggregations.len()]);
            if let Some(slot) = cells.get_mut(position) {
                *slot = Some(cell);
            }
        }
    }
    let mut rows: Vec<Row<'a>> = by_key
        .into_iter()
        .map(|(key, cells)| Row {
            key,
            cells: cells
                .into_iter()
                .zip(aggregations)
                .map(|(cell, aggregation)| cell.unwrap_or_else(|| missing(*aggregation.func())))
                .collect(),
        })
        .collect();
    rows.sort_by_cached_key(|row| SortKey::new(row, order));
    if order.reverse {
        rows.reverse();
    }
    Rows::Joined(rows)
}

/// The numbers of an aggregation's elements in order. No two of them have the same key: none are equal.
fn ranked(aggregation: &Aggregation, order: &SortOrder) -> Vec<u32> {
    let sort = Sort { aggregation, position: order.key_position, keep: None, reverse: order.reverse };
    if order.by_key { sort.by(|_| ()) } else { sort.by_value() }
}

/// The `keep` elements with the largest or with the smallest values, in no order: what `trunc()` leaves. Sort options
/// have no say in it.
pub(super) fn outermost(aggregation: &Aggregation, keep: usize, largest: bool) -> Vec<u32> {
    Sort { aggregation, position: 0, keep: Some(keep), reverse: largest }.by_value()
}

/// What an element is compared by first. Of a million most are told apart by this, and the keys themselves are not
/// looked at: each would be a miss in the cache.
struct Rank<V> {
    value: V,
    /// The beginning of the key part that is compared first.
    first: u64,
    element: u32,
}

/// A sorting of elements: by value, then by key from `position` on.
struct Sort<'a> {
    aggregation: &'a Aggregation,
    position: usize,
    /// Only so many, and those not sorted.
    keep: Option<usize>,
    reverse: bool,
}

impl Sort<'_> {
    /// By value: that of a distribution is dear to find, that of most others is a word.
    fn by_value(&self) -> Vec<u32> {
        match self.aggregation.func() {
            AggFunc::Count | AggFunc::Sum | AggFunc::Min | AggFunc::Max => {
                self.by(|cell| cell.words.first().copied().unwrap_or(0))
            }
            _ => self.by(|cell| cell.func.value_for_sort(&cell.words)),
        }
    }

    fn by<V: Ord>(&self, value: impl Fn(&Cell<'_>) -> V) -> Vec<u32> {
        let all = 0..u32::try_from(self.aggregation.len()).unwrap_or(u32::MAX);
        let rank = |element: u32| {
            let (key, cell) = self.aggregation.nth(element as usize);
            let first = rotated(key, self.position).next().map_or(0, Value::beginning);
            Rank { value: value(&cell), first, element }
        };
        let mut ranks: Vec<Rank<V>> = all.map(rank).collect();
        let order = |a: &Rank<V>, b: &Rank<V>| {
            let first = a.value.cmp(&b.value).then(a.first.cmp(&b.first));
            let order = first.then_with(|| self.key(a.element).cmp(self.key(b.element)));
            if self.reverse { order.reverse() } else { order }
        };
        match self.keep {
            None => ranks.sort_unstable_by(order),
            Some(keep) if keep < ranks.len() => {
                ranks.select_nth_unstable_by(keep, order);
                ranks.truncate(keep);
            }
            Some(_) => {}
        }
        ranks.into_iter().map(|rank| rank.element).collect()
    }

    fn key(&self, element: u32) -> impl Iterator<Item = &Value> {
        rotated(self.aggregation.nth(element as usize).0, self.position)
    }
}

fn missing<'a>(func: AggFunc) -> Cell<'a> {
    Cell { func, words: Cow::Owned(vec![0; func.words()]), normal: 1 }
}

/// What a row is compared by, computed once per row: a quantizer's weight is a sum over all buckets.
/// Keys of one table are unique, so the order is total and sorting gives the same rows every time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SortKey<'a> {
    key_first: Vec<&'a Value>,
    values: Vec<(i128, i64)>,
    key_last: Vec<&'a Value>,
}

impl<'a> SortKey<'a> {
    fn new(row: &Row<'a>, order: &SortOrder) -> SortKey<'a> {
        let key = rotated(row.key, order.key_position).collect();
        let cells = rotated(&row.cells, order.position);
        let values = cells.map(|cell| cell.func.value_for_sort(&cell.words)).collect();
        if order.by_key {
            SortKey { key_first: key, values, key_last: Vec::new() }
        } else {
            SortKey { key_first: Vec::new(), values, key_last: key }
        }
    }
}

/// The items from a position on, then those before it; a position out of range is 0.
fn rotated<T>(items: &[T], position: usize) -> impl Iterator<Item = &T> {
    let at = if position < items.len() { position } else { 0 };
    let (before, from) = items.split_at(at);
    from.iter().chain(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(id: u32, rows: &[(&str, i64, i64)]) -> Aggregation {
        let mut agg = Aggregation::new(id, "t", AggFunc::Sum, 2);
        for &(name, number, value) in rows {
            agg.merge_partial(vec![Value::string(name), Value::int(number)], &[value]).unwrap();
        }
        agg
    }

    fn shown(aggs: &[&Aggregation], order: SortOrder) -> Vec<String> {
        joined(aggs, &order)
            .iter()
            .map(|row| {
                let name = String::from_utf8_lossy(row.key[0].as_text().unwrap()).into_owned();
                let values: Vec<String> = row.cells.iter().map(|c| c.scalar().unwrap().to_string()).collect();
                format!("{name}{}={}", row.key[1].as_int().unwrap(), values.join(","))
            })
            .collect()
    }

    #[test]
    fn by_value_then_by_key() {
        let t = table(1, &[("b", 1, 2), ("a", 9, 2), ("a", -9, 2), ("z", 0, -1)]);
        let rows = ["z0=-1", "a9=2", "a-9=2", "b1=2"];
        assert_eq!(shown(&[&t], SortOrder::default()), rows);
        let mut reversed = rows;
        reversed.reverse();
        assert_eq!(shown(&[&t], SortOrder { reverse: true, ..Default::default() }), reversed);
    }

    #[test]
    fn by_key_from_a_position() {
        let t = table(1, &[("b", 1, 5), ("a", 3, 6), ("c", -2, 7), ("d", 1, 0)]);
        let by_key = SortOrder { by_key: true, ..Default::default() };
        assert_eq!(shown(&[&t], by_key), ["a3=6", "b1=5", "c-2=7", "d1=0"]);
        let second = SortOrder { key_position: 1, ..by_key };
        // Negative keys come last: keys compare as unsigned numbers.
        assert_eq!(shown(&[&t], second), ["b1=5", "d1=0", "a3=6", "c-2=7"]);
        assert_eq!(shown(&[&t], SortOrder { key_position: 7, ..by_key }), shown(&[&t], by_key));
    }

    #[test]
    fn joined_rows_fill_what_is_missing() {
        let a = table(1, &[("x", 0, 1), ("y", 0, 2)]);
        let b = table(2, &[("y", 0, 3), ("x", 0, 9), ("only", 0, 4)]);
        assert_eq!(shown(&[&a, &b], SortOrder::default()), ["only0=0,4", "x0=1,9", "y0=2,3"]);
        let second = SortOrder { position: 1, ..Default::default() };
        assert_eq!(shown(&[&a, &b], second), ["y0=2,3", "only0=0,4", "x0=1,9"]);
        assert_eq!(shown(&[&a, &a], SortOrder { position: 5, ..Default::default() }), ["x0=1,1", "y0=2,2"]);
    }
}
