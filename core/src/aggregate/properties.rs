//! Properties that every aggregating function has, on seeded random values.

use super::{AggFunc, Llquantize, Lquantize};

/// One of each function, the quantizers with several parameters.
pub(super) fn all_functions() -> Vec<AggFunc> {
    let lq = |base, limit, step| Lquantize::new(base, limit, step).map(AggFunc::Lquantize);
    let ll = |factor, low, high, nsteps| AggFunc::Llquantize(Llquantize { factor, low, high, nsteps });
    let mut all = vec![
        AggFunc::Count,
        AggFunc::Sum,
        AggFunc::Min,
        AggFunc::Max,
        AggFunc::Avg,
        AggFunc::Stddev,
        AggFunc::Quantize,
        ll(10, 0, 6, 20),
        ll(2, 3, 10, 4),
    ];
    all.extend([lq(0, 100, 10), lq(-50, 50, 1), lq(-1000, 1000, 7)].into_iter().flatten());
    all
}

/// xorshift64*: enough for tests, the same on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Values of every magnitude and both signs, the extremes among them.
    pub(crate) fn value(&mut self) -> i64 {
        match self.next() % 16 {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => 0,
            _ => (self.next() as i64) >> (self.next() % 64),
        }
    }
}

/// The words after a few random firings.
fn words(func: &AggFunc, random: &mut Random) -> Vec<i64> {
    let mut words = func.identity();
    for _ in 0..random.next() % 5 {
        let (value, increment) = (random.value(), random.value() % 100);
        func.update(&mut words, value, increment);
    }
    words
}

fn merged(func: &AggFunc, a: &[i64], b: &[i64]) -> Vec<i64> {
    let mut into = a.to_vec();
    func.merge(&mut into, b);
    into
}

#[test]
fn merging_is_a_commutative_monoid() {
    let mut random = Random(0x5eed);
    for func in all_functions() {
        for _ in 0..300 {
            let [a, b, c] = [0; 3].map(|_| words(&func, &mut random));
            assert_eq!(merged(&func, &a, &b), merged(&func, &b, &a), "{func:?}: commutative");
            assert_eq!(
                merged(&func, &merged(&func, &a, &b), &c),
                merged(&func, &a, &merged(&func, &b, &c)),
                "{func:?}: associative"
            );
            assert_eq!(merged(&func, &a, &func.identity()), a, "{func:?}: identity");
        }
    }
}

#[test]
fn splitting_the_firings_over_cpus_changes_nothing() {
    let mut random = Random(0xc0ffee);
    for func in all_functions() {
        for _ in 0..100 {
            let mut whole = func.identity();
            let mut cpus = [func.identity(), func.identity(), func.identity()];
            for _ in 0..20 {
                let value = random.value();
                func.update(&mut whole, value, 1);
                func.update(&mut cpus[(random.next() % 3) as usize], value, 1);
            }
            let total = cpus.iter().fold(func.identity(), |all, cpu| merged(&func, &all, cpu));
            assert_eq!(total, whole, "{func:?}");
        }
    }
}

#[test]
fn buckets_rise_with_values_and_stay_in_range() {
    let mut random = Random(0xb0c7);
    for func in all_functions().into_iter().filter(AggFunc::is_quantizing) {
        for _ in 0..1000 {
            let (a, b) = (random.value(), random.value());
            let (bucket_a, bucket_b) = (func.bucket_of(a).unwrap(), func.bucket_of(b).unwrap());
            assert!(bucket_a < func.words(), "{func:?} {a}");
            assert!(a > b || bucket_a <= bucket_b, "{func:?} {a} {b}");
        }
    }
}

#[test]
fn printing_numbers_never_panics() {
    let mut random = Random(0xdead);
    for func in all_functions() {
        for _ in 0..200 {
            let words: Vec<i64> = (0..func.words()).map(|_| random.value()).collect();
            let _ = func.scalar(&words, random.next());
            let _ = func.scalar(&words, 0);
            let _ = func.value_for_sort(&words);
            let _ = func.value_for_sort(&[]);
            let _ = func.scalar(&[], 1);
        }
    }
}
