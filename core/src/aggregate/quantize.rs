//! `quantize`: one bucket for each power of two, positive and negative, and one for zero.
//!
//! The layout is the public one of DTrace (`DTRACE_QUANTIZE_NBUCKETS`,
//! `DTRACE_QUANTIZE_ZEROBUCKET`, `DTRACE_QUANTIZE_BUCKETVAL`), so that buffers of
//! every backend mean the same.

/// Number of buckets: 63 negative, zero, 63 positive.
pub const NBUCKETS: usize = 63 + 1 + 63;

/// The bucket of the value 0.
pub const ZEROBUCKET: usize = 63;

/// The bucket of a value: the power of two at or next below its magnitude.
/// (`i64::MIN`, which has no bucket of its own, shares that of -2^62.)
pub fn bucket_of(value: i64) -> usize {
    let Some(log) = value.unsigned_abs().checked_ilog2() else { return ZEROBUCKET };
    let distance = (log as usize + 1).min(ZEROBUCKET);
    if value < 0 { ZEROBUCKET - distance } else { ZEROBUCKET + distance }
}

/// The value that a bucket is printed with: of those it counts, the one nearest to zero.
pub fn bucket_value(bucket: usize) -> i64 {
    match bucket {
        0..ZEROBUCKET => -(1i64 << (ZEROBUCKET - 1 - bucket)),
        ZEROBUCKET => 0,
        _ => 1i64 << (bucket - ZEROBUCKET - 1).min(62),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_start_at_powers_of_two() {
        assert_eq!(bucket_value(0), -(1 << 62));
        assert_eq!(bucket_value(62), -1);
        assert_eq!(bucket_value(64), 1);
        assert_eq!(bucket_value(126), 1 << 62);
        for bucket in 0..NBUCKETS {
            let edge = bucket_value(bucket);
            assert_eq!(bucket_of(edge), bucket);
            // The next value towards zero belongs to the neighbour (or is zero).
            if edge != 0 {
                assert_ne!(bucket_of(edge - edge.signum()), bucket, "{edge}");
            }
        }
        assert_eq!(bucket_of(3), bucket_of(2));
        assert_eq!(bucket_of(-3), bucket_of(-2));
        assert_eq!((bucket_of(i64::MIN), bucket_of(i64::MAX)), (0, NBUCKETS - 1));
    }
}
