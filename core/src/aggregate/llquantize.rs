//! `llquantize`: logarithmic in orders of magnitude, linear within each.
//!
//! Order `k` covers `factor^k .. factor^(k+1)`. As many steps as fit in whole
//! numbers, at most `nsteps`, would divide `0 .. factor^(k+1)`; those below
//! `factor^k` belong to lower orders. illumos' layout: word 0 counts what lies
//! below `factor^low` (negative values too), the last one what lies at or above
//! `factor^(high+1)`.

/// Parameters of an `llquantize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Llquantize {
    /// Base of the orders of magnitude, at least 2.
    pub factor: u16,
    /// Lowest order of magnitude.
    pub low: u16,
    /// Highest order of magnitude, at least `low`.
    pub high: u16,
    /// Steps per order, a multiple of `factor` or a divisor of its power.
    pub nsteps: u16,
}

/// A bucket: values from `start` to before `start + width`.
struct Order {
    start: i64,
    next: i64,
    width: i64,
}

impl Llquantize {
    /// From DTrace's packed argument: factor << 48 | low << 32 | high << 16 | nsteps.
    pub fn from_packed(arg: u64) -> Llquantize {
        Llquantize {
            factor: (arg >> 48) as u16,
            low: (arg >> 32) as u16,
            high: (arg >> 16) as u16,
            nsteps: arg as u16,
        }
    }

    /// DTrace's packed argument.
    pub fn packed(&self) -> u64 {
        u64::from(self.factor) << 48
            | u64::from(self.low) << 32
            | u64::from(self.high) << 16
            | u64::from(self.nsteps)
    }

    /// The orders that fit in 64 bits. What would not fit (the checker refuses it) ends the list, so that
    /// its values count as above the range.
    fn orders(&self) -> impl Iterator<Item = Order> {
        let factor = i64::from(self.factor.max(2));
        let nsteps = i64::from(self.nsteps.max(1));
        (self.low..=self.high).map_while(move |order| {
            let start = factor.checked_pow(u32::from(order))?;
            let next = start.checked_mul(factor)?;
            Some(Order { start, next, width: if next > nsteps { next / nsteps } else { 1 } })
        })
    }

    /// Lower bounds of the inner buckets in rising order, and at the end the bound from which values lie
    /// above the range: the value of word `i` (from 1) starts at `bounds()[i - 1]`.
    pub fn bounds(&self) -> Vec<i64> {
        let mut bounds = Vec::new();
        let mut end = i64::from(self.factor.max(2)).checked_pow(u32::from(self.low)).unwrap_or(i64::MAX);
        for order in self.orders() {
            let mut start = order.start;
            while start < order.next {
                bounds.push(start);
                start = start.saturating_add(order.width);
            }
            end = order.next;
        }
        bounds.push(end);
        bounds
    }

    /// Below, each step, above.
    pub fn words(&self) -> usize {
        let inner: usize = self.orders().map(|o| steps(o.next - o.start, o.width)).sum();
        inner + 2
    }

    /// The word that counts a value.
    pub fn bucket_of(&self, value: i64) -> usize {
        let mut first = 1;
        for order in self.orders() {
            if value < order.start {
                // Only the lowest order can be missed from below.
                return 0;
            }
            if value < order.next {
                return first + ((value - order.start) / order.width) as usize;
            }
            first += steps(order.next - order.start, order.width);
        }
        if first == 1 && value < self.bounds().first().copied().unwrap_or(i64::MAX) {
            return 0;
        }
        first
    }

    /// The value each bucket is weighed with when elements are sorted: one off the ends for the outer two.
    pub(super) fn sort_values(&self) -> Vec<i128> {
        let bounds = self.bounds();
        let first = bounds.first().map_or(0, |&b| i128::from(b) - 1);
        let mut values = vec![first];
        values.extend(bounds.iter().map(|&b| i128::from(b)));
        if let Some(last) = values.last_mut() {
            *last += 1;
        }
        values
    }
}

/// How many buckets of a width a span takes, the last one perhaps cut short.
fn steps(span: i64, width: i64) -> usize {
    (span / width + i64::from(span % width != 0)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_within_orders() {
        let l = Llquantize { factor: 10, low: 0, high: 2, nsteps: 10 };
        assert_eq!(l.bounds()[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30]);
        assert_eq!(l.words(), 2 + 27);
        let buckets = [i64::MIN, 0, 1, 3, 9, 10, 19, 20, 999, 1000, i64::MAX].map(|v| l.bucket_of(v));
        assert_eq!(buckets, [0, 0, 1, 3, 9, 10, 10, 11, 27, 28, 28]);
    }

    #[test]
    fn orders_of_two_and_many_steps() {
        let l = Llquantize { factor: 2, low: 0, high: 4, nsteps: 8 };
        assert_eq!(l.bounds(), [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32]);
        let l = Llquantize { factor: 10, low: 3, high: 4, nsteps: 20 };
        assert_eq!(l.bounds()[..4], [1000, 1500, 2000, 2500]);
        assert_eq!(l.bucket_of(999), 0);
        assert_eq!(l.bucket_of(1499), 1);
        assert_eq!(l.bucket_of(100_000), l.words() - 1);
    }

    #[test]
    fn every_bound_starts_its_word() {
        for l in [
            Llquantize { factor: 10, low: 0, high: 18, nsteps: 100 },
            Llquantize { factor: 3, low: 2, high: 5, nsteps: 27 },
            Llquantize { factor: 10, low: 0, high: 30, nsteps: 10 },
            Llquantize { factor: 0, low: 0, high: 0, nsteps: 0 },
            Llquantize { factor: 10, low: 90, high: 91, nsteps: 10 },
        ] {
            let bounds = l.bounds();
            assert_eq!(bounds.len() + 1, l.words(), "{l:?}");
            for (i, &bound) in bounds.iter().enumerate() {
                assert_eq!(l.bucket_of(bound), i + 1, "{l:?} {bound}");
                assert_eq!(l.bucket_of(bound - 1), i, "{l:?} {bound}");
            }
        }
    }

    #[test]
    fn packing_round_trips() {
        let l = Llquantize { factor: 10, low: 1, high: 6, nsteps: 20 };
        assert_eq!(l.packed(), 0x000a_0001_0006_0014);
        assert_eq!(Llquantize::from_packed(l.packed()), l);
    }
}
