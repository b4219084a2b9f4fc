//! Maps, rings, functions and single runs: what needs no event.

use super::*;
use crate::codegen::asm::{Arg, Linkage};
use crate::codegen::insn::{Alu, Cond, Helper, Insn, Reg::*, Size};
use crate::kernel::ringbuf::RingBuffer;
use crate::kernel::{features, rcu, stats, test_run};

#[test]
fn a_begin_program_runs_where_it_is_told() {
    if skipped("a_begin_program_runs_where_it_is_told") {
        return;
    }
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "out", 16, 1)).expect("map");
    let out = map.mmap().expect("mmap");
    let mut asm = Assembler::new("begin");
    asm.load(Size::DW, R6, R1, 8);
    asm.call(Helper::GetSmpProcessorId);
    asm.load_map_value(R1, MapId(0), 0);
    asm.store(Size::DW, R1, 0, R0);
    asm.store(Size::DW, R1, 8, R6);
    asm.ret(3);
    let prog = load(asm, Kind::RawTracepoint, &[&map]);
    for cpu in crate::kernel::cpus::online().expect("cpus") {
        assert_eq!(test_run::run(&prog, &[5, 6], Some(cpu)).expect("runs"), 3);
        assert_eq!((out.load(0), out.load(8)), (Some(u64::from(cpu)), Some(6)));
    }
    assert_eq!(test_run::run(&prog, &[0, 9], None).expect("runs"), 3);
    assert_eq!(out.load(8), Some(9));
}

#[test]
fn maps_hold_what_was_put_in() {
    if skipped("maps_hold_what_was_put_in") {
        return;
    }
    for kind in [MapKind::Hash, MapKind::LruHash, MapKind::PercpuHash] {
        let map = Map::create(MapSpec::hash(kind, "table", 8, 12, 1000)).expect("map");
        assert_eq!(map.lookup(&[0; 8]).expect("lookup"), None);
        for key in 0..500u64 {
            let mut value = vec![0; map.value_len()];
            value[..8].copy_from_slice(&(key * 3).to_ne_bytes());
            map.update(&key.to_ne_bytes(), &value).expect("update");
        }
        let value = map.lookup(&7u64.to_ne_bytes()).expect("lookup").expect("there");
        assert_eq!(value[..8], 21u64.to_ne_bytes());
        assert!(map.delete(&7u64.to_ne_bytes()).expect("delete"));
        assert!(!map.delete(&7u64.to_ne_bytes()).expect("delete"));
        assert!(map.update(&[0; 3], &value).is_err(), "wrong key length");
        let mut sum = 0;
        assert_eq!(map.keys().count(), 499, "{kind:?}");
        let count = map
            .for_each(true, |key, value| {
                let key = u64::from_ne_bytes(key.try_into().expect("8 bytes"));
                assert_eq!(value[..8], (key * 3).to_ne_bytes());
                sum += key;
            })
            .expect("batch");
        assert_eq!((count, sum), (499, 499 * 500 / 2 - 7), "{kind:?}");
        assert_eq!(map.keys().count(), 0);
    }
    let array = Map::create(MapSpec::array(MapKind::PercpuArray, "array", 8, 10)).expect("map");
    assert_eq!(array.value_len(), 8 * crate::kernel::cpus::possible().expect("cpus").len());
    assert_eq!(array.for_each(false, |_, _| ()).expect("batch"), 10);
    let frozen = Map::create(MapSpec::array(MapKind::Array, "frozen", 8, 1)).expect("map");
    frozen.freeze().expect("freeze");
    assert_eq!(frozen.update(&[0; 4], &[0; 8]).expect_err("frozen").errno, libc::EPERM);
    Map::create(MapSpec::array(MapKind::StackTrace, "stacks", 8 * 20, 16)).expect("stack map");
}

#[test]
fn mapped_arrays_check_bounds() {
    if skipped("mapped_arrays_check_bounds") {
        return;
    }
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "slots", 12, 4)).expect("map");
    let slots = map.mmap().expect("mmap");
    assert_eq!((slots.stride(), slots.len()), (16, 64));
    slots.store(16, 0x0807_0605_0403_0201).expect("in bounds");
    assert_eq!(
        map.lookup(&1u32.to_ne_bytes()).expect("lookup").expect("there")[..8],
        [1, 2, 3, 4, 5, 6, 7, 8]
    );
    let mut bytes = [0; 5];
    slots.region().copy_to(18, &mut bytes).expect("in bounds");
    assert_eq!(bytes, [3, 4, 5, 6, 7]);
    slots.region().zero(17, 3).expect("in bounds");
    assert_eq!(slots.load(16), Some(0x0807_0605_0000_0001));
    assert_eq!(slots.load(3), None);
    assert_eq!(slots.load(usize::MAX - 7), None);
    assert_eq!(slots.region().copy_to(slots.region().len() - 2, &mut bytes), None);
}

/// Reserves a record of two words, the run's argument and its double, and submits it without a wake-up.
fn record_program() -> Assembler {
    let mut asm = Assembler::new("record");
    let full = asm.label();
    let keep = asm.label();
    asm.load(Size::DW, R6, R1, 0);
    asm.load_map(R1, MapId(0));
    asm.mov(R2, 16);
    asm.mov(R3, 0);
    asm.call(Helper::RingbufReserve);
    asm.jump_if(Cond::Eq, R0, 0, full);
    asm.store(Size::DW, R0, 0, R6);
    asm.emit(Insn::alu64(Alu::Add, R6, R6));
    asm.store(Size::DW, R0, 8, R6);
    asm.mov(R1, R0);
    asm.mov(R2, 1);
    // Every argument divisible by 8 is thrown away.
    asm.emit(Insn::alu64(Alu::And, R6, 15));
    asm.jump_if(Cond::Ne, R6, 0, keep);
    asm.call(Helper::RingbufDiscard);
    asm.ret(2);
    asm.bind(keep);
    asm.call(Helper::RingbufSubmit);
    asm.ret(1);
    asm.bind(full);
    asm.ret(0);
    asm
}

#[test]
fn ring_buffer_records_come_in_order_round_and_round() {
    if skipped("ring_buffer_records_come_in_order_round_and_round") {
        return;
    }
    let map = Map::create(MapSpec::ringbuf("ring", 4096)).expect("map");
    let mut ring = RingBuffer::new(&map).expect("ring");
    let prog = load(record_program(), Kind::RawTracepoint, &[&map]);
    let (mut next, mut seen) = (0u64, 0);
    for _ in 0..20 {
        let mut sent = Vec::new();
        for _ in 0..100 {
            next += 1;
            if test_run::run(&prog, &[next], None).expect("runs") == 1 {
                sent.push(next);
            }
        }
        let mut got = Vec::new();
        let count = ring.drain(|record| {
            let word = |at: usize| u64::from_ne_bytes(record[at..at + 8].try_into().expect("8 bytes"));
            assert_eq!((record.len(), word(8)), (16, word(0) * 2));
            got.push(word(0));
        });
        assert_eq!(count, got.len());
        assert_eq!(got, sent);
        seen += count;
    }
    assert_eq!(seen, 2000 - 250);
    assert_eq!(ring.pending(), 0);
    // 4096 bytes hold 170 records of 24 bytes; then the program sees a full buffer.
    let full = (0..200).filter(|_| test_run::run(&prog, &[1], None).expect("runs") == 0).count();
    assert_eq!(full, 30);
    assert_eq!(ring.drain(|_| ()), 170);
}

#[test]
fn a_thread_keeps_its_own_value() {
    if skipped("a_thread_keeps_its_own_value") {
        return;
    }
    let map = Map::create(MapSpec::task_storage("self", 24)).expect("map");
    let mut asm = Assembler::new("storage");
    let none = asm.label();
    asm.call(Helper::GetCurrentTaskBtf);
    asm.mov(R2, R0);
    asm.load_map(R1, MapId(0));
    asm.mov(R3, 0);
    asm.mov(R4, 1);
    asm.call(Helper::TaskStorageGet);
    asm.jump_if(Cond::Eq, R0, 0, none);
    asm.load(Size::DW, R1, R0, 16);
    asm.emit(Insn::alu64(Alu::Add, R1, 1));
    asm.store(Size::DW, R0, 16, R1);
    asm.mov(R0, R1);
    asm.exit();
    asm.bind(none);
    asm.ret(-1);
    let prog = load(asm, Kind::RawTracepoint, &[&map]);
    for n in 1..=3 {
        assert_eq!(test_run::run(&prog, &[], None).expect("runs"), n);
    }
    let other = std::thread::scope(|scope| {
        scope.spawn(|| test_run::run(&prog, &[], None).expect("runs")).join().expect("thread")
    });
    assert_eq!(other, 1);
}

#[test]
fn global_functions_loop_and_callbacks_count() {
    if skipped("global_functions_loop_and_callbacks_count") {
        return;
    }
    let mut asm = Assembler::new("main");
    let sum = asm.declare("sum_to", Linkage::Global, &[Arg::Scalar]);
    let fill = asm.declare("fill", Linkage::Global, &[Arg::Mem(16), Arg::Scalar]);
    let step = asm.declare("step", Linkage::Static, &[Arg::Scalar, Arg::Mem(8)]);
    asm.load(Size::DW, R6, R1, 0);
    asm.mov(R1, R6);
    asm.call_func(sum);
    asm.mov(R7, R0);
    asm.emit(Insn::st(Size::DW, R10, -8, 0));
    asm.emit(Insn::st(Size::DW, R10, -16, 0));
    asm.mov(R1, R10);
    asm.emit(Insn::alu64(Alu::Add, R1, -16));
    asm.mov(R2, 7);
    asm.call_func(fill);
    asm.load(Size::DW, R1, R10, -8);
    asm.emit(Insn::alu64(Alu::Add, R7, R1));
    asm.emit(Insn::st(Size::DW, R10, -8, 0));
    asm.mov(R1, 1000);
    asm.load_func(R2, step);
    asm.mov(R3, R10);
    asm.emit(Insn::alu64(Alu::Add, R3, -8));
    asm.mov(R4, 0);
    asm.call(Helper::Loop);
    asm.load(Size::DW, R0, R10, -8);
    asm.emit(Insn::alu64(Alu::Add, R0, R7));
    asm.exit();

    // R0 = 1 + 2 + ... + min(R1, 100)
    asm.enter(sum);
    asm.mov(R0, 0);
    asm.mov(R2, 0);
    let (head, end) = (asm.label(), asm.label());
    asm.bind(head);
    asm.jump_if(Cond::Ge, R2, R1, end);
    asm.jump_if(Cond::Ge, R2, 100, end);
    asm.emit(Insn::alu64(Alu::Add, R2, 1));
    asm.emit(Insn::alu64(Alu::Add, R0, R2));
    asm.jump(head);
    asm.bind(end);
    asm.exit();

    asm.enter(fill);
    let null = asm.label();
    asm.jump_if(Cond::Eq, R1, 0, null);
    asm.store(Size::DW, R1, 8, R2);
    asm.bind(null);
    asm.ret(0);

    asm.enter(step);
    asm.load(Size::DW, R1, R2, 0);
    asm.emit(Insn::alu64(Alu::Add, R1, 1));
    asm.store(Size::DW, R2, 0, R1);
    asm.ret(0);

    let prog = load(asm, Kind::RawTracepoint, &[]);
    assert_eq!(test_run::run(&prog, &[10], None).expect("runs"), 55 + 7 + 1000);
    assert_eq!(test_run::run(&prog, &[1 << 40], None).expect("runs"), 5050 + 7 + 1000);
}

#[test]
fn a_refusal_leads_back_to_the_span() {
    if skipped("a_refusal_leads_back_to_the_span") {
        return;
    }
    let mut asm = Assembler::new("bad");
    asm.set_span(41);
    asm.load(Size::DW, R1, R1, 0);
    asm.set_span(42);
    asm.load(Size::DW, R0, R1, 0);
    asm.set_span(43);
    asm.exit();
    let program = asm.finish().expect("links");
    let Err(LoadError::Refused(refusal)) = load_program(&program, Kind::RawTracepoint, &[]) else {
        panic!("not refused");
    };
    assert_eq!(refusal.errno, libc::EACCES);
    assert_eq!(refusal.insn.and_then(|insn| program.span_of(insn)), Some(42), "{}", refusal.log);
    assert_eq!(refusal.reason, "R1 invalid mem access 'scalar'");
}

/// One way to write a bad program.
type Write = fn(&mut Assembler);

#[test]
fn refusals_name_the_reason() {
    if skipped("refusals_name_the_reason") {
        return;
    }
    let cases: [(Write, &str); 8] = [
        (|asm| asm.exit(), "R0 !read_ok"),
        (
            |asm| {
                asm.mov(R0, 0);
                let own = asm.here();
                asm.jump(own);
                asm.exit();
            },
            "unreachable insn 2",
        ),
        (
            |asm| {
                asm.load(Size::DW, R2, R1, 0);
                asm.mov(R1, R10);
                asm.emit(Insn::alu64(Alu::Add, R1, -512));
                asm.mov(R3, 0);
                asm.call(Helper::ProbeReadUser);
                asm.ret(0);
            },
            "R2 min value is negative, either use unsigned or 'var &= const'",
        ),
        (
            |asm| {
                asm.load(Size::DW, R2, R1, 0);
                asm.mov(R3, R10);
                asm.emit(Insn::alu64(Alu::Add, R3, R2));
                asm.load(Size::DW, R0, R3, 0);
                asm.exit();
            },
            "math between fp pointer and register with unbounded min value is not allowed",
        ),
        (
            |asm| {
                asm.emit(Insn::st(Size::DW, R10, -520, 0));
                asm.ret(0);
            },
            "invalid write to stack R10 off=-520 size=8",
        ),
        (
            |asm| {
                asm.load_map(R1, MapId(0));
                asm.mov(R2, 16);
                asm.mov(R3, 0);
                asm.call(Helper::RingbufReserve);
                asm.ret(0);
            },
            "Unreleased reference id=",
        ),
        (
            |asm| {
                asm.mov(R0, 0);
                asm.mov(R6, R1);
                let head = asm.here();
                asm.emit(Insn::alu64(Alu::Add, R0, 1));
                asm.load(Size::DW, R1, R6, 0);
                asm.jump_if(Cond::Ne, R1, R0, head);
                asm.exit();
            },
            "BPF program is too large. Processed 1000001 insn",
        ),
        (
            |asm| {
                let f = asm.declare("f", Linkage::Global, &[Arg::Mem(8)]);
                asm.mov(R1, 5);
                asm.call_func(f);
                asm.ret(0);
                asm.enter(f);
                asm.ret(0);
            },
            "R1 type=scalar expected=",
        ),
    ];
    let ring = Map::create(MapSpec::ringbuf("ring", 4096)).expect("map");
    for (write, reason) in cases {
        let mut asm = Assembler::new("bad");
        write(&mut asm);
        let program = asm.finish().expect("links");
        match load_program(&program, Kind::RawTracepoint, &[&ring]) {
            Err(LoadError::Refused(refusal)) => {
                assert!(refusal.reason.contains(reason), "{:?} for {reason}", refusal.reason);
                assert!(refusal.log.len() < 2 << 20);
            }
            other => panic!("{other:?}\n{program}"),
        }
    }
}

#[test]
fn producers_on_all_cpus_lose_nothing() {
    if skipped("producers_on_all_cpus_lose_nothing") {
        return;
    }
    let map = Map::create(MapSpec::ringbuf("ring", 1 << 16)).expect("map");
    let mut ring = RingBuffer::new(&map).expect("ring");
    let prog = load(record_program(), Kind::RawTracepoint, &[&map]);
    let mut sum = 0u64;
    let sent = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..3u64)
            .map(|thread| {
                let prog = &prog;
                scope.spawn(move || {
                    let words = (0..20_000u64).map(|n| thread * 20_000 + n);
                    words.filter(|word| test_run::run(prog, &[*word], None).expect("runs") == 1).sum::<u64>()
                })
            })
            .collect();
        let mut add = |record: &[u8]| sum += u64::from_ne_bytes(record[..8].try_into().expect("8 bytes"));
        while producers.iter().any(|producer| !producer.is_finished()) {
            ring.drain(&mut add);
        }
        ring.drain(&mut add);
        producers.into_iter().map(|producer| producer.join().expect("thread")).sum::<u64>()
    });
    assert_eq!(sum, sent);
}

#[test]
fn every_feature_is_answered_with_a_reason() {
    if skipped("every_feature_is_answered_with_a_reason") {
        return;
    }
    let features = Features::new();
    for feature in Feature::ALL {
        match features.supports(feature) {
            Ok(()) => eprintln!("{}: yes", feature.name()),
            Err(why) => {
                eprintln!("{}: no, {why}", feature.name());
                assert!(!why.is_empty());
            }
        }
    }
    assert!(features.has(Feature::Cookie) && features.has(Feature::Ringbuf));
    let _ = (features.uprobe_kind(), features::thread_map_kind(&features));
}

#[test]
fn statistics_count_runs_and_rcu_waits() {
    if skipped("statistics_count_runs_and_rcu_waits") {
        return;
    }
    let enabled = stats::enable().expect("stats");
    let map = Map::create(MapSpec::ringbuf("ring", 4096)).expect("map");
    let prog = load(record_program(), Kind::RawTracepoint, &[&map]);
    let before = stats::of(&prog).expect("info");
    assert!(before.verified_insns > 10);
    for _ in 0..10 {
        test_run::run(&prog, &[1], None).expect("runs");
    }
    let after = stats::of(&prog).expect("info");
    eprintln!("{} ns a run", (after.nanoseconds - before.nanoseconds) / 10);
    drop(enabled);
    rcu::synchronize().expect("membarrier");
}

#[test]
fn a_tail_call_does_not_return() {
    if skipped("a_tail_call_does_not_return") {
        return;
    }
    let table = Map::create(MapSpec::array(MapKind::ProgArray, "programs", 4, 4)).expect("map");
    let mut asm = Assembler::new("second");
    asm.ret(22);
    let second = load(asm, Kind::RawTracepoint, &[]);
    let mut asm = Assembler::new("first");
    asm.load_map(R2, MapId(0));
    asm.mov(R3, 2);
    asm.call(Helper::TailCall);
    asm.ret(11);
    let first = load(asm, Kind::RawTracepoint, &[&table]);
    assert_eq!(test_run::run(&first, &[], None).expect("runs"), 11);
    table.set_program(2, std::os::fd::AsFd::as_fd(&second)).expect("update");
    assert_eq!(test_run::run(&first, &[], None).expect("runs"), 22);
}

#[test]
fn every_kind_of_instruction_computes_what_rust_does() {
    if skipped("every_kind_of_instruction_computes_what_rust_does") {
        return;
    }
    use crate::codegen::insn::Atomic;
    type Step = (fn(&mut Assembler), fn(u64, u64) -> u64);
    // R6 and R7 hold the operands, R0 receives the result.
    let mut steps: Vec<Step> = vec![
        (|asm| alu(asm, Alu::Add), |a, b| a.wrapping_add(b)),
        (|asm| alu(asm, Alu::Mul), |a, b| a.wrapping_mul(b)),
        (|asm| alu(asm, Alu::Div), |a, b| a.checked_div(b).unwrap_or(0)),
        (|asm| alu(asm, Alu::Mod), |a, b| a.checked_rem(b).unwrap_or(a)),
        (|asm| alu(asm, Alu::Arsh), |a, b| ((a as i64) >> (b & 63)) as u64),
        (
            |asm| {
                asm.mov(R0, R6);
                asm.emit(Insn::to_be(R0, 16));
            },
            |a, _| u64::from((a as u16).to_be()),
        ),
        (
            |asm| {
                asm.mov(R0, R6);
                asm.emit(Insn::neg64(R0));
            },
            |a, _| a.wrapping_neg(),
        ),
        (
            |asm| {
                asm.store(Size::DW, R10, -8, R6);
                asm.mov(R0, R7);
                asm.emit(Insn::atomic(Atomic::FetchXor, Size::DW, R10, -8, R0));
                asm.load(Size::DW, R1, R10, -8);
                asm.emit(Insn::alu64(Alu::Add, R0, R1));
            },
            |a, b| a.wrapping_add(a ^ b),
        ),
        (
            |asm| {
                asm.store(Size::DW, R10, -8, R6);
                asm.mov(R0, R6);
                asm.emit(Insn::atomic(Atomic::Cmpxchg, Size::DW, R10, -8, R7));
                asm.load(Size::DW, R0, R10, -8);
            },
            |_, b| b,
        ),
    ];
    // Those of ISA v4, where the kernel knows them.
    let newer: [Step; 5] = [
        (|asm| alu(asm, Alu::SDiv), |a, b| if b == 0 { 0 } else { (a as i64).wrapping_div(b as i64) as u64 }),
        (|asm| alu(asm, Alu::SMod), |a, b| if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 }),
        (|asm| asm.emit(Insn::movsx(Size::B, R0, R6)), |a, _| a as i8 as i64 as u64),
        (|asm| asm.emit(Insn::movsx(Size::W, R0, R6)), |a, _| a as i32 as i64 as u64),
        (
            |asm| {
                asm.store(Size::DW, R10, -8, R6);
                asm.emit(Insn::ldsx(Size::H, R0, R10, -8));
            },
            |a, _| {
                if cfg!(target_endian = "little") {
                    a as i16 as i64 as u64
                } else {
                    (a >> 48) as i16 as i64 as u64
                }
            },
        ),
    ];
    match Features::new().supports(Feature::IsaV4) {
        Ok(()) => steps.extend(newer),
        Err(why) => eprintln!("SKIP five of every_kind_of_instruction_computes_what_rust_does: {why}"),
    }
    fn alu(asm: &mut Assembler, op: Alu) {
        asm.mov(R0, R6);
        asm.emit(Insn::alu64(op, R0, R7));
    }
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "out", 8, 1)).expect("map");
    let out = map.mmap().expect("mmap");
    let values = [0, 1, 7, 255, u64::MAX, 1 << 63, 0x8081_8283_8485_8687, -13i64 as u64];
    for (n, (write, expected)) in steps.into_iter().enumerate() {
        let mut asm = Assembler::new("compute");
        asm.load(Size::DW, R6, R1, 0);
        asm.load(Size::DW, R7, R1, 8);
        write(&mut asm);
        asm.load_map_value(R1, MapId(0), 0);
        asm.store(Size::DW, R1, 0, R0);
        asm.ret(0);
        let prog = load(asm, Kind::RawTracepoint, &[&map]);
        for a in values {
            for b in values {
                test_run::run(&prog, &[a, b], None).expect("runs");
                assert_eq!(out.load(0), Some(expected(a, b)), "step {n} of {a:#x}, {b:#x}");
            }
        }
    }
}
