//! `avg` and `stddev`: sums that are divided only when printed.
//!
//! The sum of squares is a 128-bit number in two words, low first, as in the
//! aggregation buffers of every DTrace.

use super::scalar::normalized;

pub(super) const AVG_WORDS: usize = 2;
pub(super) const STDDEV_WORDS: usize = 4;

/// The words of a single value.
pub(super) fn stddev_of(value: i64) -> [i64; STDDEV_WORDS] {
    let magnitude = u128::from(value.unsigned_abs());
    let square = magnitude.wrapping_mul(magnitude);
    [1, value, square as u64 as i64, (square >> 64) as u64 as i64]
}

/// Adds counts, sums, and the 128-bit sums of squares with carry.
pub(super) fn merge_stddev(into: &mut [i64], from: &[i64]) {
    let ([count, sum, low, high], &[other_count, other_sum, other_low, other_high]) = (into, from) else {
        return;
    };
    *count = count.wrapping_add(other_count);
    *sum = sum.wrapping_add(other_sum);
    let squares = wide(*low, *high).wrapping_add(wide(other_low, other_high));
    *low = squares as u64 as i64;
    *high = (squares >> 64) as u64 as i64;
}

/// Sum over factor over count, each division towards zero.
pub(super) fn average(words: &[i64], normal: u64) -> i64 {
    match *words {
        [count, sum, ..] if count != 0 => normalized(sum, normal).wrapping_div(count),
        _ => 0,
    }
}

/// The square root of (average of squares - square of average), in integers as dtrace computes it.
pub(super) fn stddev(words: &[i64], normal: u64) -> u64 {
    let &[count, _, low, high] = words else { return 0 };
    let normal = normal.max(1);
    if count == 0 {
        return 0;
    }
    // The squares scale with the square of the factor; one factor at a time keeps it in range.
    let squares =
        wide(low, high) / u128::from(normal) / u128::from(normal) / u128::from(count.unsigned_abs());
    let mean = u128::from(average(words, normal).unsigned_abs());
    squares.saturating_sub(mean * mean).isqrt() as u64
}

fn wide(low: i64, high: i64) -> u128 {
    u128::from(high as u64) << 64 | u128::from(low as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[i64]) -> [i64; STDDEV_WORDS] {
        let mut words = [0; STDDEV_WORDS];
        values.iter().for_each(|&v| merge_stddev(&mut words, &stddev_of(v)));
        words
    }

    #[test]
    fn the_approximation_is_in_integers() {
        assert_eq!(stddev(&of(&[]), 1), 0);
        assert_eq!(stddev(&of(&[5, 5, 5]), 1), 0);
        assert_eq!(stddev(&of(&[1, 3]), 1), 1);
        assert_eq!(stddev(&of(&[-100, 100]), 1), 100);
        assert_eq!(stddev(&of(&[0, 1000]), 10), 50);
        assert_eq!(stddev(&of(&[100, 200, 300]), 1), 81);
        assert_eq!(stddev(&of(&[0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]), 10), 31);
    }

    #[test]
    fn squares_of_the_largest_values_carry_into_the_high_word() {
        let words = of(&[i64::MIN, i64::MIN]);
        assert_eq!(words, [2, 0, 0, i64::MIN], "2 * 2^126 = 2^127");
        let words = of(&[i64::MAX, -i64::MAX]);
        assert_eq!(stddev(&words, 1), i64::MAX as u64);
    }
}
