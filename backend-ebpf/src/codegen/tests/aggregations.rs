//! Aggregations from test runs and from threads of a real program.

use super::*;

/// Every function once, unkeyed and keyed, over chosen values, against `AggFunc::update`.
#[test]
fn functions_match_the_core() {
    if skipped("functions_match_the_core") {
        return;
    }
    use duotrace_core::aggregate::{Llquantize, Lquantize};
    let functions = [
        AggFunc::Count,
        AggFunc::Sum,
        AggFunc::Min,
        AggFunc::Max,
        AggFunc::Avg,
        AggFunc::Stddev,
        AggFunc::Quantize,
        AggFunc::Lquantize(Lquantize { base: -10, step: 7, levels: 20 }),
        AggFunc::Llquantize(Llquantize { factor: 10, low: 1, high: 6, nsteps: 20 }),
        AggFunc::Llquantize(Llquantize { factor: 2, low: 0, high: 10, nsteps: 4 }),
    ];
    let mut numbers = vec![0, 1, -1, 2, 3, 9, 10, 11, 99, 100, -10, -11, 129, 130, 131, 1_000_000, 9_999_999, 10_000_000];
    numbers.extend([i64::MAX, i64::MIN, i64::MIN + 1, 1 << 62, (1 << 62) - 1, -(1 << 62), 1 << 32, (1 << 32) - 1, -(1 << 40)]);
    let mut program = program(Vec::new());
    program.variables.push(variable("x", Scope::Global, Ty::I64, None));
    let mut body = Vec::new();
    for (index, func) in functions.iter().enumerate() {
        program.aggregations.push(agg_def(*func, vec![]));
        program.aggregations.push(agg_def(*func, vec![Ty::I64, Ty::Str, Ty::I32, Ty::Str]));
        let value = || read(var(0, Ty::I64));
        let key = vec![int(5), text("first"), int(-3), text("second one")];
        body.push(aggregate(index as u32 * 2, vec![], Some(value())));
        body.push(aggregate(index as u32 * 2 + 1, key, Some(value())));
    }
    program.clauses.push(clause(None, body, RecordLayout::default()));
    let loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    let globals = loaded.maps[&layout::GLOBALS.0].mmap().unwrap();
    for number in &numbers {
        globals.store(0, *number as u64).unwrap();
        loaded.fire(0);
    }
    for (index, func) in functions.iter().enumerate() {
        let mut want = func.identity();
        numbers.iter().for_each(|number| func.update(&mut want, *number, 1));
        let bare = loaded.aggregation(index as u32 * 2);
        assert_eq!(bare[""], want, "{func:?}");
        let keyed = loaded.aggregation(index as u32 * 2 + 1);
        assert_eq!(keyed.len(), 1);
        assert_eq!(keyed["5,first,-3,second one"], want, "{func:?} keyed");
    }
}

#[test]
fn nothing_is_there_before_data() {
    if skipped("nothing_is_there_before_data") {
        return;
    }
    let mut program = program(vec![clause(
        Some(int(0)),
        vec![aggregate(0, vec![], Some(int(1))), aggregate(1, vec![int(1)], None)],
        RecordLayout::default(),
    )]);
    program.aggregations = vec![agg_def(AggFunc::Min, vec![]), agg_def(AggFunc::Count, vec![Ty::I64])];
    let loaded = Loaded::new(&program, &[group(Hook::TestRun, &[0])]);
    loaded.fire(0);
    assert!(loaded.aggregation(0).is_empty());
    assert!(loaded.aggregation(1).is_empty());
}
