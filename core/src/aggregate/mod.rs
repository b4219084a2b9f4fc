//! What an aggregation *is*: its function, its table, how partial values merge,
//! how elements are sorted, truncated, cleared and normalised.
//!
//! A backend hands over raw keys and words of one CPU (or host); nothing but this
//! room merges or sorts them. Every function is a commutative monoid over a fixed
//! number of 64-bit words ([`AggFunc::words`], [`AggFunc::identity`],
//! [`AggFunc::merge`]), so partials may come in any order and any grouping.
//!
//! To add a function: a file with its five operations, a variant of [`AggFunc`],
//! and the rows in the `match`es below that the compiler then asks for.

mod average;
mod index;
mod llquantize;
mod lquantize;
mod quantize;
mod scalar;
mod sort;
mod table;

#[cfg(test)]
pub(crate) mod properties;

#[cfg(test)]
pub(crate) use properties::Random;

pub use llquantize::Llquantize;
pub use lquantize::Lquantize;
pub use quantize::{NBUCKETS as QUANTIZE_NBUCKETS, ZEROBUCKET as QUANTIZE_ZEROBUCKET};
pub use quantize::{bucket_of as quantize_bucket_of, bucket_value as quantize_bucket_value};
pub use sort::{Cell, Row, Rows, SortOrder, joined};
pub use table::{AggError, Aggregation, Key};

/// An aggregating function with its constant parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggFunc {
    /// `count()`. Words: the count.
    Count,
    /// `sum(x)`. Words: the sum, wrapping.
    Sum,
    /// `min(x)`. Words: the least value; `i64::MAX` before the first.
    Min,
    /// `max(x)`. Words: the greatest value; `i64::MIN` before the first.
    Max,
    /// `avg(x)`. Words: count, sum.
    Avg,
    /// `stddev(x)`. Words: count, sum, sum of squares (low, then high 64 bits).
    Stddev,
    /// `quantize(x)`. Words: one count for each of [`QUANTIZE_NBUCKETS`] powers of two.
    Quantize,
    /// `lquantize(x, base, limit, step)`. Words: below base, each level, limit and above.
    Lquantize(Lquantize),
    /// `llquantize(x, factor, low, high, nsteps)`. Words: below, each step, above.
    Llquantize(Llquantize),
}

impl AggFunc {
    /// The function's name in D.
    pub fn name(&self) -> &'static str {
        match self {
            AggFunc::Count => "count",
            AggFunc::Sum => "sum",
            AggFunc::Min => "min",
            AggFunc::Max => "max",
            AggFunc::Avg => "avg",
            AggFunc::Stddev => "stddev",
            AggFunc::Quantize => "quantize",
            AggFunc::Lquantize(_) => "lquantize",
            AggFunc::Llquantize(_) => "llquantize",
        }
    }

    /// How many 64-bit words a value occupies.
    pub fn words(&self) -> usize {
        match self {
            AggFunc::Count | AggFunc::Sum | AggFunc::Min | AggFunc::Max => 1,
            AggFunc::Avg => average::AVG_WORDS,
            AggFunc::Stddev => average::STDDEV_WORDS,
            AggFunc::Quantize => quantize::NBUCKETS,
            AggFunc::Lquantize(l) => l.words(),
            AggFunc::Llquantize(l) => l.words(),
        }
    }

    /// The words that change nothing when merged.
    pub fn identity(&self) -> Vec<i64> {
        vec![self.nothing(); self.words()]
    }

    /// Each word of the identity.
    fn nothing(&self) -> i64 {
        match self {
            AggFunc::Min => i64::MAX,
            AggFunc::Max => i64::MIN,
            _ => 0,
        }
    }

    /// Does the function count into buckets (and print a distribution)?
    pub fn is_quantizing(&self) -> bool {
        matches!(self, AggFunc::Quantize | AggFunc::Lquantize(_) | AggFunc::Llquantize(_))
    }

    /// Merges the words of a partial value into another. Words that either side lacks count as absent.
    pub fn merge(&self, into: &mut [i64], from: &[i64]) {
        match self {
            AggFunc::Min => scalar::merge(into, from, i64::min),
            AggFunc::Max => scalar::merge(into, from, i64::max),
            AggFunc::Stddev => average::merge_stddev(into, from),
            AggFunc::Count
            | AggFunc::Sum
            | AggFunc::Avg
            | AggFunc::Quantize
            | AggFunc::Lquantize(_)
            | AggFunc::Llquantize(_) => scalar::merge(into, from, i64::wrapping_add),
        }
    }

    /// What one firing does to the words: `value` is the function's first argument (ignored by `count`),
    /// `increment` the optional last one of the quantizers (1 where there is none).
    pub fn update(&self, words: &mut [i64], value: i64, increment: i64) {
        let one = match self {
            AggFunc::Count => vec![1],
            AggFunc::Sum | AggFunc::Min | AggFunc::Max => vec![value],
            AggFunc::Avg => vec![1, value],
            AggFunc::Stddev => average::stddev_of(value).to_vec(),
            AggFunc::Quantize | AggFunc::Lquantize(_) | AggFunc::Llquantize(_) => {
                if let Some(word) = self.bucket_of(value).and_then(|b| words.get_mut(b)) {
                    *word = word.wrapping_add(increment);
                }
                return;
            }
        };
        self.merge(words, &one);
    }

    /// The word that a value is counted in, for the quantizers; always below [`AggFunc::words`].
    pub fn bucket_of(&self, value: i64) -> Option<usize> {
        match self {
            AggFunc::Quantize => Some(quantize::bucket_of(value)),
            AggFunc::Lquantize(l) => Some(l.bucket_of(value)),
            AggFunc::Llquantize(l) => Some(l.bucket_of(value)),
            _ => None,
        }
    }

    /// What elements are sorted by: the value (for a quantizer the sum of bucket values weighted with
    /// their counts, then the count at zero), without normalisation, as dtrace sorts.
    pub fn value_for_sort(&self, words: &[i64]) -> (i128, i64) {
        match self {
            AggFunc::Count | AggFunc::Sum | AggFunc::Min | AggFunc::Max => {
                (i128::from(words.first().copied().unwrap_or(0)), 0)
            }
            AggFunc::Avg => (i128::from(average::average(words, 1)), 0),
            AggFunc::Stddev => (i128::from(average::stddev(words, 1)), 0),
            AggFunc::Quantize => weigh(words, (0..).map(|bucket| i128::from(quantize::bucket_value(bucket)))),
            AggFunc::Lquantize(l) => weigh(words, l.sort_values()),
            AggFunc::Llquantize(l) => weigh(words, l.sort_values().into_iter()),
        }
    }

    /// The number that a value prints as, for the functions that print one; `None` for the quantizers.
    /// `normal` is the factor set by `normalize()`, 1 without.
    pub fn scalar(&self, words: &[i64], normal: u64) -> Option<i64> {
        match self {
            AggFunc::Count | AggFunc::Sum | AggFunc::Min | AggFunc::Max => {
                Some(scalar::normalized(words.first().copied().unwrap_or(0), normal))
            }
            AggFunc::Avg => Some(average::average(words, normal)),
            AggFunc::Stddev => Some(average::stddev(words, normal) as i64),
            _ => None,
        }
    }
}

/// `value / normal` as printing does it: towards zero, sign kept.
pub fn normalized(value: i64, normal: u64) -> i64 {
    scalar::normalized(value, normal)
}

/// Sum of bucket values weighted with their counts, and the count of the bucket at zero.
fn weigh(words: &[i64], values: impl Iterator<Item = i128>) -> (i128, i64) {
    let mut total = 0i128;
    let mut zero = 0;
    for (&count, value) in words.iter().zip(values) {
        total = total.saturating_add(value.saturating_mul(i128::from(count)));
        if value == 0 {
            zero = count;
        }
    }
    (total, zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_starts_at_its_identity() {
        for func in properties::all_functions() {
            assert_eq!(func.identity().len(), func.words(), "{}", func.name());
        }
    }

    #[test]
    fn averages_truncate_and_normalise_first() {
        let mut words = AggFunc::Avg.identity();
        for value in [1, 2, 4] {
            AggFunc::Avg.update(&mut words, value, 1);
        }
        assert_eq!(AggFunc::Avg.scalar(&words, 1), Some(2));
        assert_eq!(AggFunc::Avg.scalar(&[0, 0], 1), Some(0));
        assert_eq!(AggFunc::Avg.scalar(&[2, -9], 1), Some(-4));
    }

    #[test]
    fn quantizers_sort_by_weight_then_by_zeroes() {
        let words = |values: &[i64]| {
            let mut words = AggFunc::Quantize.identity();
            values.iter().for_each(|&v| AggFunc::Quantize.update(&mut words, v, 1));
            AggFunc::Quantize.value_for_sort(&words)
        };
        assert!(words(&[4]) > words(&[1, 2]));
        assert!(words(&[0, 0]) > words(&[0]));
        assert!(words(&[-8]) < words(&[0]));
    }
}
