//! The library's aggregations to `core::aggregate`: function codes, parameters, keys.

use crate::abi::act;
use crate::layout::{Dialect, StackShape, integer, is_string};
use crate::wire::RawElement;
use duotrace_core::aggregate::{AggFunc, Aggregation, Key, Llquantize, Lquantize};
use duotrace_core::ir::Ty;
use duotrace_core::record::{SymKind, SymValue, UserStack, Value};

/// Words of the largest value: `llquantize` with its limits. More is not believed.
const MAX_WORDS: usize = 1 << 17;

/// Which function a code means, and how many words of parameters stand before the value's.
fn function(action: u16, signature: u64, words: &[i64], oracle: bool) -> Option<(AggFunc, usize)> {
    let code = action.checked_sub(act::AGGREGATION)?;
    let first = words.first().copied().unwrap_or(0) as u64;
    let (packed, skip) = if oracle { (signature, 0) } else { (first, 1) };
    // Oracle numbers the functions by the alphabet, from 0; Sun in order of their coming, from 1.
    let name = if oracle {
        const NAMES: [&str; 9] =
            ["avg", "count", "llquantize", "lquantize", "max", "min", "quantize", "stddev", "sum"];
        *NAMES.get(usize::from(code))?
    } else {
        const NAMES: [&str; 9] =
            ["count", "min", "max", "avg", "sum", "stddev", "quantize", "lquantize", "llquantize"];
        *NAMES.get(usize::from(code.checked_sub(1)?))?
    };
    Some(match name {
        "count" => (AggFunc::Count, 0),
        "sum" => (AggFunc::Sum, 0),
        "min" => (AggFunc::Min, 0),
        "max" => (AggFunc::Max, 0),
        "avg" => (AggFunc::Avg, 0),
        "stddev" => (AggFunc::Stddev, 0),
        "quantize" => (AggFunc::Quantize, 0),
        "lquantize" => (AggFunc::Lquantize(Lquantize::from_packed(packed)), skip),
        _ if oracle => (AggFunc::Llquantize(oracle_llquantize(packed)), 0),
        _ => (AggFunc::Llquantize(Llquantize::from_packed(packed)), skip),
    })
}

/// Oracle packs the parameters the other way round: steps, high, low, factor.
fn oracle_llquantize(packed: u64) -> Llquantize {
    let part = |shift: u32| (packed >> shift) & 0xffff;
    Llquantize::from_packed(part(0) << 48 | part(16) << 32 | part(32) << 16 | part(48))
}

/// Oracle's buckets of llquantize are symmetrical: those of negative values, one in the middle for what is nearer to
/// zero than the lowest order, those of positive values. illumos has all that lies below the lowest order in one, and
/// so has core.
fn fold_negative(words: &[i64]) -> Vec<i64> {
    let middle = words.len() / 2;
    let (low, high) = words.split_at((middle + 1).min(words.len()));
    let below = low.iter().fold(0i64, |sum, word| sum.wrapping_add(*word));
    std::iter::once(below).chain(high.iter().copied()).collect()
}

/// One part of a key.
fn key_part(element: &RawElement, index: usize, dialect: &Dialect) -> Option<(Value, Ty)> {
    let desc = element.keys.get(index)?;
    let start = (desc.offset as usize).min(element.key.len());
    let end = start.saturating_add(desc.size as usize).min(element.key.len());
    let bytes = element.key.get(start..end).unwrap_or(&[]);
    let at = |offset: usize| integer(bytes, offset, 8) as u64;
    let sym = |kind, pid, addr| (Value::Sym(SymValue { kind, pid, addr }), Ty::U64);
    Some(match desc.action {
        act::STACK | act::USTACK | act::JSTACK => {
            let stack = StackShape::of(desc, dialect).read(bytes);
            let value = if stack.user || desc.action != act::STACK {
                Value::UStack(Box::new(UserStack {
                    pid: stack.pid,
                    frames: stack.frames,
                    helper: Vec::new(),
                }))
            } else {
                Value::KStack(stack.frames)
            };
            (value, Ty::Bytes(desc.size))
        }
        act::SYM => sym(SymKind::Sym, 0, at(0)),
        act::MOD => sym(SymKind::Mod, 0, at(0)),
        act::USYM => sym(SymKind::Usym, at(0) as u32, at(8)),
        act::UMOD => sym(SymKind::Umod, at(0) as u32, at(8)),
        act::UADDR => sym(SymKind::Uaddr, at(0) as u32, at(8)),
        _ => match desc.size {
            1 | 2 | 4 | 8 => {
                let width = desc.size as u8;
                let ty = Ty::Int { bytes: width, signed: true };
                (Value::int_of(integer(bytes, 0, desc.size as usize) as u64, width, true), ty)
            }
            size if is_string(size, dialect.strsize) => (Value::string(bytes), Ty::Str),
            size => (Value::Bytes(bytes.to_vec()), Ty::Bytes(size)),
        },
    })
}

/// An element, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub func: AggFunc,
    pub key: Key,
    pub types: Vec<Ty>,
    pub words: Vec<i64>,
}

/// Decodes an element; the error says what is wrong with it.
pub fn decode(element: &RawElement, dialect: &Dialect) -> Result<Element, String> {
    let words: Vec<i64> =
        element.value.chunks_exact(8).take(MAX_WORDS).map(|word| integer(word, 0, 8)).collect();
    let (func, skip) =
        function(element.action, element.signature, &words, dialect.oracle).ok_or_else(|| {
            format!("aggregation @{} has a function that is not known ({:#x})", element.name, element.action)
        })?;
    let expected = func.words();
    if expected > MAX_WORDS {
        return Err(format!("aggregation @{} is too large", element.name));
    }
    let mut words = words.get(skip..).unwrap_or(&[]).to_vec();
    if dialect.oracle && matches!(func, AggFunc::Llquantize(_)) {
        words = fold_negative(&words);
    }
    if words.len() < expected {
        return Err(format!("aggregation @{} has {} words, not {expected}", element.name, words.len()));
    }
    words.truncate(expected);
    let parts = (0..element.keys.len()).filter_map(|index| key_part(element, index, dialect));
    let (key, types) = parts.unzip();
    Ok(Element { func, key, types, words })
}

/// The addresses in an element's key that have names.
pub fn addresses(element: &RawElement, dialect: &Dialect, mut found: impl FnMut(Option<u32>, u64)) {
    for (value, _) in (0..element.keys.len()).filter_map(|index| key_part(element, index, dialect)) {
        match value {
            Value::KStack(frames) => frames.iter().for_each(|pc| found(None, *pc)),
            Value::UStack(stack) => stack.frames.iter().for_each(|pc| found(Some(stack.pid), *pc)),
            Value::Sym(sym) => {
                let is_user = matches!(sym.kind, SymKind::Usym | SymKind::Umod | SymKind::Uaddr);
                found(is_user.then_some(sym.pid), sym.addr);
            }
            _ => {}
        }
    }
}

/// Puts an element into its aggregation, which is made anew when its shape differs.
pub fn merge(into: &mut Aggregation, element: Element) -> Result<(), String> {
    let Element { func, key, words, .. } = element;
    if into.func() != &func || into.arity() != key.len() {
        *into = Aggregation::new(into.id(), into.name().to_string(), func, key.len());
    }
    into.merge_partial(key, &words).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::RecDesc;
    use crate::wire::tests::Random;

    const ORACLE: Dialect = Dialect { oracle: true, act_base: 48, strsize: 256 };
    const SUN: Dialect = Dialect { oracle: false, act_base: 54, strsize: 256 };

    fn element(action: u16, words: &[i64]) -> RawElement {
        RawElement {
            name: "a".into(),
            variable: 1,
            action,
            value: words.iter().flat_map(|w| w.to_ne_bytes()).collect(),
            ..RawElement::default()
        }
    }

    #[test]
    fn every_function_of_both_families() {
        let oracle = [
            (0x700, AggFunc::Avg),
            (0x701, AggFunc::Count),
            (0x704, AggFunc::Max),
            (0x705, AggFunc::Min),
            (0x706, AggFunc::Quantize),
            (0x707, AggFunc::Stddev),
            (0x708, AggFunc::Sum),
        ];
        let sun = [
            (0x701, AggFunc::Count),
            (0x702, AggFunc::Min),
            (0x703, AggFunc::Max),
            (0x704, AggFunc::Avg),
            (0x705, AggFunc::Sum),
            (0x706, AggFunc::Stddev),
            (0x707, AggFunc::Quantize),
        ];
        for (table, dialect) in [(oracle, ORACLE), (sun, SUN)] {
            for (action, func) in table {
                let decoded = decode(&element(action, &vec![1; func.words()]), &dialect).unwrap();
                assert_eq!(decoded.func, func);
                assert_eq!(decoded.words.len(), func.words());
            }
        }
    }

    #[test]
    fn parameters_stand_in_the_signature_or_in_the_value() {
        let l = Lquantize::new(0, 10, 1).unwrap();
        let mut buckets = vec![0; l.words()];
        buckets[4] = 7;
        let mut oracle = element(0x703, &buckets);
        oracle.signature = l.packed();
        let decoded = decode(&oracle, &ORACLE).unwrap();
        assert_eq!((decoded.func, decoded.words[4]), (AggFunc::Lquantize(l), 7));
        let sun = [&[l.packed() as i64], &buckets[..]].concat();
        let decoded = decode(&element(0x708, &sun), &SUN).unwrap();
        assert_eq!((decoded.func, decoded.words[4]), (AggFunc::Lquantize(l), 7));
        assert!(decode(&element(0x708, &sun[..3]), &SUN).is_err());
    }

    #[test]
    fn oracles_llquantize_is_symmetrical() {
        // Measured: llquantize(x, 10, 0, 3, 10) of 3, 300, 0, -2, 99999, -99999.
        let mut words = vec![0i64; 75];
        for at in [0, 35, 37, 40, 58, 74] {
            words[at] = 1;
        }
        let mut raw = element(0x702, &words);
        raw.signature = 0x000a_0003_0000_000a;
        let decoded = decode(&raw, &ORACLE).unwrap();
        let AggFunc::Llquantize(l) = decoded.func else { panic!("{:?}", decoded.func) };
        let mut expected = vec![0; l.words()];
        for value in [3, 300, 0, -2, 99999, -99999] {
            expected[l.bucket_of(value)] += 1;
        }
        assert_eq!(decoded.words, expected);
    }

    #[test]
    fn random_elements_never_panic() {
        let mut random = Random(0x5eed_0003);
        let actions = [1u16, 0x101, 0x102, 0x103, 0x104, 0x105, 0x401, 0x402, 0x403, 3];
        for round in 0..4000 {
            let dialect = if round % 2 == 0 { ORACLE } else { SUN };
            let n = random.below(1100) as usize;
            let m = random.below(400) as usize;
            let raw = RawElement {
                name: "x".into(),
                variable: random.next() as i64,
                action: 0x6fe + random.below(14) as u16,
                signature: random.next(),
                keys: (0..random.below(5))
                    .map(|_| RecDesc {
                        action: actions[random.below(10) as usize],
                        size: if random.below(9) == 0 {
                            random.next() as u32
                        } else {
                            random.below(300) as u32
                        },
                        offset: if random.below(9) == 0 {
                            random.next() as u32
                        } else {
                            random.below(300) as u32
                        },
                        arg: random.next(),
                        ..RecDesc::default()
                    })
                    .collect(),
                key: random.bytes(m),
                value: random.bytes(n),
            };
            addresses(&raw, &dialect, |_, _| {});
            if let Ok(decoded) = decode(&raw, &dialect) {
                let mut into = Aggregation::new(1, "x", AggFunc::Count, 0);
                merge(&mut into, decoded).unwrap();
            }
        }
    }
}
