//! The two executors of the language against each other: random programs run in the
//! interpreter and in the kernel, and must leave the same records, faults, aggregations and drops.
//!
//! `ci/compare N` runs many; `COMPARE_PROGRAMS` and `COMPARE_SEED` say how many and from where.
#![cfg(target_os = "linux")]

mod generate;
mod kernel;
mod outcome;
mod shrink;

use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::{Program, parse, text, verify};
use duotrace_ebpf::btf::Btf;
use duotrace_ebpf::codegen::{KernelOffsets, Target};
use duotrace_ebpf::kernel::cpus;
use duotrace_ebpf::kernel::privilege::Privileges;
use generate::{Generator, Memory, Random};
use outcome::{Delivered, Process};
use std::collections::BTreeMap;
use std::time::Instant;

fn process() -> Process {
    let mut random = Random::new(1);
    let mut contents = Vec::new();
    while contents.len() < 4096 {
        let text = random.pick(&[
            "hello",
            "/usr/bin/x",
            "",
            "a,b,c",
            "\u{1}\u{2}",
            "12345678901234567890123456789012345",
            "z\u{ff}",
        ]);
        contents.extend_from_slice(text.as_bytes());
        contents.extend(std::iter::repeat_n(0, 1 + random.below(3)));
    }
    let kept: &'static [u8] = Box::leak(contents.clone().into_boxed_slice());
    let mut comm = std::fs::read("/proc/thread-self/comm").unwrap_or_default();
    comm.pop();
    Process { memory: Memory { address: kept.as_ptr() as u64, size: kept.len() }, contents, comm }
}

/// What is wrong with a program, if anything: a word for the kind, and the details.
fn difference(
    program: &Program,
    errors: usize,
    process: &Process,
    target: Target,
    firings: &[Vec<u64>],
) -> Result<Option<(&'static str, String)>, String> {
    Ok(compare(program, errors, process, target, firings)?.err())
}

/// Records and faults that came out, or the difference.
fn compare(
    program: &Program,
    errors: usize,
    process: &Process,
    target: Target,
    firings: &[Vec<u64>],
) -> Result<Result<[usize; 2], (&'static str, String)>, String> {
    if let Err(what) = verify::verify(program) {
        return Ok(Err(("not well-typed", what)));
    }
    let kernel = match kernel::run(program, errors, target, firings) {
        Ok(outcome) => outcome,
        Err(kernel::Refused::Compiler(what)) => return Err(what),
        Err(kernel::Refused::Kernel(what)) => return Ok(Err(("refused by the kernel", what))),
    };
    let interpreter = outcome::interpret(program, errors, process, firings);
    if kernel == interpreter {
        let faults = kernel.delivered.iter().filter(|event| matches!(event, Delivered::Fault { .. })).count();
        return Ok(Ok([kernel.delivered.len() - faults, faults]));
    }
    Ok(Err(("different", format!("kernel      {kernel:?}\ninterpreter {interpreter:?}"))))
}

#[test]
fn random_programs_do_the_same_in_kernel_and_interpreter() {
    let privileges = Privileges::read();
    if !privileges.can_trace() {
        eprintln!("SKIP random_programs_do_the_same_in_kernel_and_interpreter: {}", privileges.explain());
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = number("COMPARE_PROGRAMS").unwrap_or(150);
    let first = number("COMPARE_SEED").unwrap_or(1);
    let process = process();
    let offsets = Btf::vmlinux().map(KernelOffsets::from_btf).unwrap_or_default();
    let ncpu = cpus::possible().expect("cpus").len() as u32;
    let started = Instant::now();
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let (mut alike, mut unsteady, mut events, mut failures) = (0, 0, [0, 0], Vec::new());
    for seed in first..first + count {
        let (program, errors) = Generator::new(seed, process.memory).program();
        let mut random = Random::new(seed ^ 0x5555);
        let target = Target {
            ncpu,
            global_ctx: true,
            isa_v4: random.one_in(2),
            links_filter: false,
            watches_switches: false,
            guards_syscalls: false,
            namespace: None,
            offsets,
        };
        let firings: Vec<Vec<u64>> =
            (0..3).map(|_| (0..4).map(|_| random.number() as u64).collect()).collect();
        match compare(&program, errors, &process, target, &firings) {
            Ok(Ok(seen)) => {
                alike += 1;
                events.iter_mut().zip(seen).for_each(|(sum, seen)| *sum += seen);
            }
            Err(why) => *skipped.entry(why).or_default() += 1,
            Ok(Err((kind, what))) => {
                // Reading user memory may fail for a moment when the kernel moves the page.
                if matches!(difference(&program, errors, &process, target, &firings), Ok(None)) {
                    unsteady += 1;
                    eprintln!("--- seed {seed}: {kind}, but not when it ran again\n{what}\n");
                    continue;
                }
                let mut fails = |program: &Program| {
                    let again = difference(program, errors, &process, target, &firings);
                    matches!(again, Ok(Some((found, _))) if found == kind)
                };
                let small = shrink::shrink(program, &mut fails);
                let what = match difference(&small, errors, &process, target, &firings) {
                    Ok(Some((_, what))) => what,
                    _ => "it went away".into(),
                };
                let shown = text::print(&small, &SourceMap::default());
                eprintln!("--- seed {seed}: {kind}\n{shown}args {:?}\n{what}\n", firings);
                failures.push(seed);
                if failures.len() >= number("COMPARE_FAILURES").unwrap_or(3) as usize {
                    break;
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let [records, faults] = events;
    eprintln!(
        "{alike} programs alike ({records} records, {faults} faults), unsteady {unsteady}, skipped {skipped:?}, {seconds:.1} s, {:.0}/s",
        alike as f64 / seconds
    );
    assert!(failures.is_empty(), "seeds {failures:?}");
}

#[test]
fn the_text_form_comes_back() {
    let memory = Memory { address: 0x10000, size: 4096 };
    for seed in 0..300 {
        let (program, _) = Generator::new(seed, memory).program();
        verify::verify(&program).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        let shown = text::print(&program, &SourceMap::default());
        let again = parse::parse(&shown).unwrap_or_else(|what| panic!("seed {seed}: {what}\n{shown}"));
        assert_eq!(text::print(&again, &SourceMap::default()), shown);
    }
}
