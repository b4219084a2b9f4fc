//! `count`, `sum`, `min`, `max`: one word, and word-wise merging for the others.

/// Merges word by word; words that either side lacks are left alone.
pub(super) fn merge(into: &mut [i64], from: &[i64], op: impl Fn(i64, i64) -> i64) {
    for (a, &b) in into.iter_mut().zip(from) {
        *a = op(*a, b);
    }
}

/// `value / normal`, towards zero. The factor is unsigned, the quotient keeps the value's sign.
pub(super) fn normalized(value: i64, normal: u64) -> i64 {
    match normal {
        0 | 1 => value,
        _ => (i128::from(value) / i128::from(normal)) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_keeps_the_sign() {
        assert_eq!(normalized(-1000, 100), -10);
        assert_eq!(normalized(-1, 2), 0);
        assert_eq!(normalized(i64::MIN, 1), i64::MIN);
        assert_eq!(normalized(i64::MAX, u64::MAX), 0);
        assert_eq!(normalized(7, 0), 7, "no factor at all");
    }
}
