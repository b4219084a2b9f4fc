//! Plans of records that are right, and of random ones.

use super::stack::Stack;
use super::*;
use crate::abi::{RecDesc, act, libact};
use crate::wire::tests::Random;
use duotrace_core::ir::{ActionKind, AggId};

const ORACLE: Dialect = Dialect { oracle: true, act_base: 48, strsize: 256 };
const SUN: Dialect = Dialect { oracle: false, act_base: 54, strsize: 256 };

fn rec(action: u16, offset: u32, size: u32, arg: u64, format: Option<&str>) -> Rec {
    Rec {
        desc: RecDesc { action, size, offset, arg, ..RecDesc::default() },
        format: format.map(str::to_string),
    }
}

#[test]
fn calls_take_their_records() {
    let recs = [
        rec(act::PRINTF, 0, 4, 0, Some("%d %s\n")),
        rec(act::PRINTF, 8, 256, 0, None),
        rec(act::PRINTF, 264, 0, 0, Some("hello")),
        rec(act::LIBACT, 264, 4, 48 + libact::TRUNC, None),
        rec(act::LIBACT, 268, 4, 48 + libact::TRUNC, None),
        rec(act::EXIT, 272, 4, 0, None),
    ];
    let mut data = vec![0; 276];
    data[..4].copy_from_slice(&7i32.to_ne_bytes());
    data[8..10].copy_from_slice(b"hi");
    data[264..268].copy_from_slice(&3i32.to_ne_bytes());
    let plan = Plan::new(&recs, &data, ORACLE);
    let kinds: Vec<_> = plan.layout.actions.iter().map(|a| a.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            ActionKind::Printf { format: 0 },
            ActionKind::Printf { format: 1 },
            ActionKind::Trunc { agg: AggId(2) },
            ActionKind::Exit,
        ]
    );
    assert!(plan.uses_aggregations);
    let mut out = Vec::new();
    plan.encode(&data, &[], &mut out);
    let text = plan.layout.fields[1].offset as usize;
    assert_eq!(word(&out, text), 2);
    assert_eq!(&out[text + 8..text + 10], b"hi");
}

#[test]
fn stacks_of_both_families() {
    let mut oracle = Vec::new();
    for n in [2u32, 0, 1, 99] {
        oracle.extend_from_slice(&n.to_ne_bytes());
    }
    for pc in [0x10u64, 0x20, 0x30] {
        oracle.extend_from_slice(&pc.to_ne_bytes());
    }
    let stack = StackShape::Oracle.read(&oracle);
    assert_eq!(stack, Stack { user: true, pid: 99, frames: vec![0x10, 0x20] });
    let sun: Vec<u8> = [99u64, 0x10, 0, 0x30].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let stack = StackShape::SunUser { frames: 3 }.read(&sun);
    assert_eq!(stack, Stack { user: true, pid: 99, frames: vec![0x10] });
    assert_eq!(StackShape::SunKernel.read(&sun[..16]).frames, [99, 0x10]);
    assert!(StackShape::Oracle.read(&[1, 2]).frames.is_empty());
}

#[test]
fn printa_of_several_is_one_action() {
    let mut recs = vec![
        rec(act::PRINTA, 0, 8, 0, Some("%@d %@d\n")),
        rec(act::PRINTA, 8, 8, 0, None),
        rec(act::PRINTA, 16, 8, 0, None),
    ];
    recs[2].desc.uarg = 9;
    let data: Vec<u8> = [1u64, 2, 1].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let plan = Plan::new(&recs, &data, SUN);
    assert_eq!(plan.layout.actions.len(), 2);
    assert_eq!(
        plan.layout.actions[0].kind,
        ActionKind::Printa { format: Some(0), aggs: vec![AggId(0), AggId(1)] }
    );
}

#[test]
fn random_descriptions_and_data_never_panic() {
    let mut random = Random(0x5eed_0002);
    let actions =
        [1u16, 2, 3, 4, 5, 6, 7, 8, 0x101, 0x102, 0x103, 0x104, 0x105, 0x203, 0x204, 0x401, 0x402, 0x403];
    let formats = ["%d", "%s %k", "%*.*d", "%a %A", "%@d", "%", "%Y%%", ""];
    for round in 0..3000 {
        let dialect = if round % 2 == 0 { ORACLE } else { SUN };
        let recs: Vec<Rec> = (0..random.below(8))
            .map(|_| {
                let huge = random.below(20) == 0;
                let mut r = rec(
                    actions[random.below(actions.len() as u64) as usize],
                    if huge { random.next() as u32 } else { random.below(64) as u32 },
                    if random.below(200) == 0 { random.next() as u32 } else { random.below(80) as u32 },
                    dialect.act_base + random.below(40),
                    (random.below(2) == 0).then(|| formats[random.below(8) as usize]),
                );
                r.desc.uarg = random.below(2);
                r
            })
            .collect();
        let n = random.below(200) as usize;
        let data = random.bytes(n);
        let plan = Plan::new(&recs, &data, dialect);
        let mut out = Vec::new();
        plan.encode(&data, &[(0, vec![1; 20])], &mut out);
        plan.addresses(&data, |_, _| {});
        for field in &plan.layout.fields {
            assert!(field.offset <= plan.layout.size);
        }
    }
}

#[test]
fn short_strings_are_no_numbers() {
    // `-x strsize=7`: eight bytes, and so is a `%s` of a `char[4]`.
    let recs = [rec(act::PRINTF, 0, 8, 0, Some("[%s] [%S]")), rec(act::PRINTF, 8, 4, 0, None)];
    let plan = Plan::new(&recs, b"abcdefg\0wxyz", Dialect { strsize: 7, ..ORACLE });
    let types: Vec<Ty> = plan.layout.fields.iter().map(|field| field.ty).collect();
    assert_eq!(types, [Ty::Str, Ty::Str]);
    let mut out = Vec::new();
    plan.encode(b"abcdefg\0wxyz", &[], &mut out);
    let second = plan.layout.fields[1].offset as usize;
    assert_eq!((word(&out, 0), word(&out, second)), (7, 4));
    assert_eq!(&out[second + 8..second + 12], b"wxyz");
}
