//! Reads back what the routines left in maps: the other half of `runtime::aggtable` and `agg`.
//!
//! Everything works on words, so that a mapped region can be read without copying it.

use super::layout::{AggLayout, KeyPart, Layout};
use super::runtime::{ENTRY, SLOTS};
use duotrace_core::aggregate::AggFunc;
use duotrace_core::ir::Ty;

/// An entry of a table: whose it is, its key and its value, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub agg: u32,
    pub key: &'a [u64],
    /// Without the presence word, minima and maxima as they are.
    pub value: &'a [i64],
}

/// One part of a decoded key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue<'a> {
    /// A scalar, the words of a symbol, of a stack, of an object.
    Words(&'a [u64]),
    Str(Vec<u8>),
}

/// Walks a table. `word(n)` gives the n-th 8-byte word of it. Entries come in order of insertion.
pub fn entries(layout: &Layout, word: impl Fn(usize) -> Option<u64>, mut each: impl FnMut(Entry<'_>)) {
    // Of all entries: there may be a million.
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let data = (SLOTS + layout.table_slots * 4) as usize;
    let Some(taken) = word(0) else { return };
    let end =
        (layout.table_bytes as usize).min(data.saturating_add(usize::try_from(taken).unwrap_or(usize::MAX)));
    let mut at = data;
    while at + ENTRY as usize <= end {
        let Some(tag) = word(at / 8) else { return };
        let (agg, words) = ((tag >> 16) as u32 & 0xffff, (tag & 0xffff) as usize);
        // A tag of nothing: room was taken that did not suffice, at the table's end.
        let Some(def) = layout.aggs.get(agg as usize).filter(|_| words != 0) else { return };
        let key_at = at / 8 + ENTRY as usize / 8;
        let value_at = key_at + words;
        let next = value_at + (def.words + u32::from(def.present)) as usize;
        if next * 8 > end {
            return;
        }
        key.clear();
        key.extend((key_at..value_at).map_while(&word));
        value.clear();
        if decode_value(def, |n| word(value_at + n), &mut value).is_some() {
            each(Entry { agg, key: &key, value: &value });
        }
        at = next * 8;
    }
}

/// How many bytes of a table must be zeroed to empty it.
pub fn used_bytes(layout: &Layout, taken: u64) -> u32 {
    let data = SLOTS + layout.table_slots * 4;
    let taken = u32::try_from(taken).unwrap_or(u32::MAX);
    data.saturating_add(taken).min(layout.table_bytes)
}

/// Appends the value words of an aggregation; `None` when no data came. `word(n)` counts from the value's start.
pub fn decode_value(def: &AggLayout, word: impl Fn(usize) -> Option<u64>, into: &mut Vec<i64>) -> Option<()> {
    let first = usize::from(def.present);
    if word(0)? == 0 && (def.present || super::agg::counts_itself(&def.func)) {
        return None;
    }
    let decode = match def.func {
        AggFunc::Min => super::agg::min_encode,
        AggFunc::Max => super::agg::max_encode,
        _ => |word| word,
    };
    let words = (first..first + def.words as usize).map_while(word);
    into.extend(words.map(|word| decode(word).cast_signed()));
    Some(())
}

/// Takes a key apart: each part's place in the D tuple and what is there. `None` when the words do not fit the layout.
pub fn decode_key<'a>(
    def: &AggLayout,
    words: &'a [u64],
    mut each: impl FnMut(usize, KeyValue<'a>),
) -> Option<()> {
    let mut rest = words;
    for KeyPart { part, ty, bytes } in &def.key {
        let value = match bytes {
            Some(bytes) => {
                let (head, tail) = rest.split_at_checked(*bytes as usize / 8)?;
                rest = tail;
                KeyValue::Words(head)
            }
            None => {
                debug_assert_eq!(*ty, Ty::Str);
                let (length, tail) = rest.split_first()?;
                let length = usize::try_from(*length).ok()?;
                let (head, tail) = tail.split_at_checked(length / 8 + 1)?;
                rest = tail;
                let mut text: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
                text.truncate(length);
                KeyValue::Str(text)
            }
        };
        each(*part as usize, value);
    }
    Some(())
}

/// The parts of a key in the order of the D tuple.
pub fn key_in_order<'a>(def: &AggLayout, words: &'a [u64]) -> Option<Vec<KeyValue<'a>>> {
    let mut parts: Vec<Option<KeyValue<'a>>> = vec![None; def.key.len()];
    decode_key(def, words, |part, value| {
        if let Some(slot) = parts.get_mut(part) {
            *slot = Some(value);
        }
    })?;
    parts.into_iter().collect()
}

/// Reads words of a byte slice.
pub fn words_of(bytes: &[u8]) -> impl Fn(usize) -> Option<u64> + '_ {
    move |n| {
        let at = n.checked_mul(8)?;
        let chunk = bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(chunk.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> AggLayout {
        let part = |part, ty, bytes| KeyPart { part, ty, bytes };
        AggLayout {
            func: AggFunc::Max,
            words: 1,
            present: true,
            slot: None,
            key: vec![part(1, Ty::I64, Some(8)), part(0, Ty::Str, None), part(2, Ty::Str, None)],
            key_fixed: 8,
        }
    }

    fn word(text: &[u8; 8]) -> u64 {
        u64::from_ne_bytes(*text)
    }

    #[test]
    fn keys_come_back_in_the_order_of_the_tuple() {
        let words = [7, 9, word(b"long tex"), word(b"t\0\0\0\0\0\0\0"), 0, 0];
        let key = key_in_order(&layout(), &words).expect("fits");
        assert_eq!(
            key,
            [KeyValue::Str(b"long text".to_vec()), KeyValue::Words(&[7]), KeyValue::Str(Vec::new())]
        );
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        for words in [&[][..], &[7], &[7, 9, 0], &[7, u64::MAX, 0], &[7, 0, 0], &[7, 1 << 40, 0, 0, 0]] {
            assert_eq!(key_in_order(&layout(), words), None, "{words:?}");
        }
    }

    #[test]
    fn values_say_whether_data_came() {
        let value = |words: &[u64]| {
            let mut value = Vec::new();
            decode_value(&layout(), |n| words.get(n).copied(), &mut value).map(|()| value)
        };
        assert_eq!(value(&[0, 5]), None);
        assert_eq!(value(&[1, super::super::agg::max_encode(5)]), Some(vec![5]));
        assert_eq!(value(&[1, super::super::agg::max_encode(-5i64 as u64)]), Some(vec![-5]));
        assert_eq!(value(&[]), None);
    }
}
