//! `lquantize`: equal steps from a base to a limit, and one bucket on either side.

/// Parameters of an `lquantize`, in the ranges that D's packed argument leaves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lquantize {
    /// Where the first level starts.
    pub base: i32,
    /// Width of a level, at least 1.
    pub step: u16,
    /// Number of levels.
    pub levels: u16,
}

impl Lquantize {
    /// From the arguments of a script. `None` where no level fits between base and limit,
    /// or more than 65535 would; the checker has said so before.
    pub fn new(base: i32, limit: i32, step: u16) -> Option<Lquantize> {
        let span = i64::from(limit) - i64::from(base);
        if step == 0 || span <= 0 {
            return None;
        }
        let levels = u16::try_from(span / i64::from(step)).ok().filter(|&l| l > 0)?;
        Some(Lquantize { base, step, levels })
    }

    /// From DTrace's packed argument: step << 48 | levels << 32 | base.
    pub fn from_packed(arg: u64) -> Lquantize {
        Lquantize { base: arg as u32 as i32, step: ((arg >> 48) as u16).max(1), levels: (arg >> 32) as u16 }
    }

    /// DTrace's packed argument.
    pub fn packed(&self) -> u64 {
        u64::from(self.step) << 48 | u64::from(self.levels) << 32 | u64::from(self.base as u32)
    }

    /// Below the base, each level, the limit and above.
    pub fn words(&self) -> usize {
        usize::from(self.levels) + 2
    }

    /// Where a level (counted from 0) starts; that of `levels` is the limit.
    pub fn level_start(&self, level: usize) -> i64 {
        i64::from(self.base) + level as i64 * i64::from(self.step)
    }

    /// 0 below the base, then 1 for the first level, and the last word from the limit on.
    pub fn bucket_of(&self, value: i64) -> usize {
        let base = i64::from(self.base);
        if value < base {
            return 0;
        }
        // The difference of two i64 in order fits in 64 unsigned bits.
        let level = (value.wrapping_sub(base) as u64) / u64::from(self.step.max(1));
        level.min(u64::from(self.levels)) as usize + 1
    }

    /// The value each bucket is weighed with when elements are sorted: one off the ends for the outer two.
    pub(super) fn sort_values(&self) -> impl Iterator<Item = i128> {
        let levels = usize::from(self.levels);
        let Lquantize { base, .. } = *self;
        let starts = *self;
        std::iter::once(i128::from(base) - 1)
            .chain((0..levels).map(move |level| i128::from(starts.level_start(level))))
            .chain(std::iter::once(i128::from(self.level_start(levels)) + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_the_levels() {
        let l = Lquantize::new(-10, 20, 10).unwrap();
        let buckets: Vec<_> =
            [i64::MIN, -11, -10, -1, 0, 9, 10, 19, 20, i64::MAX].map(|v| l.bucket_of(v)).to_vec();
        assert_eq!(buckets, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(l.words(), 5);
        assert_eq!(l.level_start(3), 20);
    }

    #[test]
    fn an_uneven_step_drops_the_rest() {
        let l = Lquantize::new(0, 25, 10).unwrap();
        assert_eq!((l.levels, l.bucket_of(20), l.bucket_of(24)), (2, 3, 3));
    }

    #[test]
    fn packing_round_trips() {
        for l in [Lquantize::new(-5, 5, 1), Lquantize::new(i32::MIN, i32::MAX, u16::MAX)] {
            // The whole range of int gives 65537 levels of 65535: too many.
            let Some(l) = l else { continue };
            assert_eq!(Lquantize::from_packed(l.packed()), l);
        }
        assert_eq!(Lquantize::new(0, 10, 0), None);
        assert_eq!(Lquantize::new(10, 0, 1), None);
        assert_eq!(Lquantize::new(0, 100_000, 1), None);
        assert_eq!(Lquantize::new(0, 5, 10), None);
    }
}
