//! Programs attached to real events.

use super::*;
use crate::kernel::link::{self, Site};
use std::io::Write;

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) long work(long n) { __asm__ volatile("" ::: "memory"); return n * 2; }
int main(int argc, char **argv) {
    long sum = 0;
    getchar();
    for (long i = 0; i < atol(argv[1]); i++) sum += work(i);
    return sum == -1;
}
"#;

fn run(target: &Target, calls: &str) {
    let mut child = target.start(&[calls]);
    child.stdin.take().expect("pipe").write_all(b"\n").expect("write");
    assert!(child.wait().expect("wait").success());
}

fn counts_exactly(kind: Kind, at_return: bool) {
    let target = Target::compile(&format!("{kind:?}{at_return}"), SOURCE);
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8, 1)).expect("map");
    let counts = map.mmap().expect("mmap");
    let prog = load(count_program(MapId(0)), kind, &[&map]);
    let site = Site::new(target.offset("work"), 1);
    let links = link::attach_uprobes(&prog, &target.path, &[site], at_return, None).expect("attach");
    run(&target, "1234");
    assert_eq!(counts.load(0), Some(1234));
    drop(links);
    run(&target, "10");
    assert_eq!(counts.load(0), Some(1234), "detached");
}

#[test]
fn uprobe_multi_counts_exactly() {
    if skipped("uprobe_multi_counts_exactly") {
        return;
    }
    if let Err(why) = Features::new().supports(Feature::UprobeMulti) {
        eprintln!("SKIP uprobe_multi_counts_exactly: {why}");
        return;
    }
    counts_exactly(Kind::UprobeMulti, false);
    counts_exactly(Kind::UprobeMulti, true);
}

#[test]
fn perf_uprobe_counts_exactly() {
    if skipped("perf_uprobe_counts_exactly") {
        return;
    }
    counts_exactly(Kind::Uprobe, false);
    counts_exactly(Kind::Uprobe, true);
}

#[test]
fn a_raw_tracepoint_sees_our_system_calls() {
    if skipped("a_raw_tracepoint_sees_our_system_calls") {
        return;
    }
    use crate::codegen::insn::{Atomic, Cond, Helper, Insn, Reg::*, Size};
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "calls", 8, 1)).expect("map");
    let calls = map.mmap().expect("mmap");
    // if (tgid == ours && args[1] == getppid) calls++
    let mut asm = Assembler::new("sys_enter");
    let other = asm.label();
    asm.load(Size::DW, R6, R1, 8);
    asm.call(Helper::GetCurrentPidTgid);
    asm.emit(Insn::alu64(crate::codegen::insn::Alu::Rsh, R0, 32));
    asm.jump_if(Cond::Ne, R0, std::process::id() as i32, other);
    asm.jump_if(Cond::Ne, R6, libc::SYS_getppid as i32, other);
    asm.load_map_value(R1, MapId(0), 0);
    asm.mov(R2, 1);
    asm.emit(Insn::atomic(Atomic::Add, Size::DW, R1, 0, R2));
    asm.bind(other);
    asm.ret(0);
    let prog = load(asm, Kind::RawTracepoint, &[&map]);
    let link = link::attach_raw_tracepoint(&prog, "sys_enter", 0).expect("attach");
    for _ in 0..777 {
        let _ = std::os::unix::process::parent_id();
    }
    drop(link);
    assert_eq!(calls.load(0), Some(777));
    let error = link::attach_raw_tracepoint(&prog, "no_such_tracepoint", 0).expect_err("no such tracepoint");
    assert_eq!(error.errno, libc::ENOENT);
}

#[test]
fn the_cpu_clock_ticks_while_a_cpu_is_busy() {
    if skipped("the_cpu_clock_ticks_while_a_cpu_is_busy") {
        return;
    }
    use crate::kernel::perf_event::Rate;
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "ticks", 8, 1)).expect("map");
    let ticks = map.mmap().expect("mmap");
    let prog = load(count_program(MapId(0)), Kind::PerfEvent, &[&map]);
    let cpus = crate::kernel::cpus::online().expect("cpus");
    let links: Vec<_> = cpus
        .iter()
        .map(|cpu| link::attach_cpu_clock(&prog, Rate::Hertz(997), *cpu, 0).expect("attach"))
        .collect();
    let start = std::time::Instant::now();
    let mut spins = 0u64;
    while start.elapsed() < std::time::Duration::from_millis(300) {
        spins = std::hint::black_box(spins + 1);
    }
    let busy = start.elapsed();
    drop(links);
    let count = ticks.load(0).expect("in bounds");
    let most = busy.as_secs_f64() * 997.0 * cpus.len() as f64;
    // At least one CPU was busy nearly all of that time, with us or with others.
    assert!((count as f64) > most / cpus.len() as f64 * 0.5, "{count} ticks in {busy:?}");
    assert!((count as f64) < most * 1.2 + 20.0, "{count} ticks in {busy:?}");
}

#[test]
fn one_link_tells_its_sites_apart_by_cookie() {
    if skipped("one_link_tells_its_sites_apart_by_cookie") {
        return;
    }
    use crate::codegen::insn::{Alu, Atomic, Helper, Insn, Reg::*, Size};
    let target = Target::compile("cookies", SOURCE);
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8 * 8, 1)).expect("map");
    let counts = map.mmap().expect("mmap");
    for kind in uprobe_kinds() {
        counts.region().zero(0, 64).expect("in bounds");
        let mut asm = Assembler::new("by_cookie");
        asm.call(Helper::GetAttachCookie);
        asm.emit(Insn::alu64(Alu::And, R0, 7));
        asm.emit(Insn::alu64(Alu::Lsh, R0, 3));
        asm.load_map_value(R1, MapId(0), 0);
        asm.emit(Insn::alu64(Alu::Add, R1, R0));
        asm.mov(R2, 1);
        asm.emit(Insn::atomic(Atomic::Add, Size::DW, R1, 0, R2));
        asm.ret(0);
        let prog = load(asm, kind, &[&map]);
        let sites = [Site::new(target.offset("work"), 3), Site::new(target.offset("main"), 5)];
        let links = link::attach_uprobes(&prog, &target.path, &sites, false, None).expect("attach");
        assert_eq!(links.len(), if kind == Kind::UprobeMulti { 1 } else { 2 });
        run(&target, "100");
        run(&target, "11");
        drop(links);
        let all: Vec<_> = (0..8).map(|n| counts.load(n * 8).expect("in bounds")).collect();
        assert_eq!(all, [0, 0, 0, 111, 0, 2, 0, 0], "{kind:?}");
    }
}

#[test]
fn a_session_runs_at_entry_and_return() {
    if skipped("a_session_runs_at_entry_and_return") {
        return;
    }
    let features = Features::new();
    if let Err(why) = features.supports(Feature::UprobeSession) {
        eprintln!("SKIP a_session_runs_at_entry_and_return: {why}");
        return;
    }
    let target = Target::compile("session", SOURCE);
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8, 1)).expect("map");
    let counts = map.mmap().expect("mmap");
    let prog = load(count_program(MapId(0)), Kind::UprobeSession, &[&map]);
    let site = Site::new(target.offset("work"), 0);
    let links = link::attach_uprobes(&prog, &target.path, &[site], false, None).expect("attach");
    run(&target, "50");
    drop(links);
    assert_eq!(counts.load(0), Some(100));
}

#[test]
fn a_missing_file_or_place_is_an_error_that_names_it() {
    if skipped("a_missing_file_or_place_is_an_error_that_names_it") {
        return;
    }
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8, 1)).expect("map");
    for kind in uprobe_kinds() {
        let prog = load(count_program(MapId(0)), kind, &[&map]);
        let error = link::attach_uprobes(&prog, Path::new("/no/such/file"), &[Site::new(0, 0)], false, None)
            .expect_err("no such file");
        assert_eq!(error.errno, libc::ENOENT);
        assert!(error.to_string().contains("/no/such/file"), "{error}");
    }
}

#[test]
fn later_processes_and_their_libraries_are_noticed() {
    if skipped("later_processes_and_their_libraries_are_noticed") {
        return;
    }
    use crate::kernel::perf_mmap::{Watch, What};
    use std::os::unix::fs::MetadataExt;
    let target = Target::compile("watch", SOURCE);
    let mut watch = Watch::start(64).expect("watch");
    let mut child = target.start(&["1"]);
    child.stdin.take().expect("pipe").write_all(b"\n").expect("write");
    let pid = child.id();
    assert!(child.wait().expect("wait").success());
    let inode = std::fs::metadata(&target.path).expect("metadata").ino();
    let (mut forked, mut executed, mut mapped, mut libc_mapped, mut ended) =
        (false, false, false, false, false);
    let mut fine = true;
    watch.drain(|happening| {
        if matches!(happening.what, What::Lost(_)) {
            fine = false;
        }
        if happening.pid != pid {
            return;
        }
        assert!(happening.time > 0);
        match happening.what {
            What::Fork { .. } => forked = true,
            What::Exec { comm } => executed |= comm == b"target",
            What::Map { inode: of, path, .. } => {
                mapped |= of == inode && path == target.path;
                libc_mapped |= path.to_string_lossy().contains("libc.so");
            }
            What::Exit => ended = true,
            _ => {}
        }
    });
    assert!(fine, "records lost");
    assert_eq!((forked, executed, mapped, libc_mapped, ended), (true, true, true, true, true));
    assert!(watch.fds().count() > 0);
}

#[test]
fn a_semaphore_is_up_while_attached() {
    if skipped("a_semaphore_is_up_while_attached") {
        return;
    }
    const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
__attribute__((section(".probes"))) volatile unsigned short semaphore;
__attribute__((noinline)) void probe(long n) { __asm__ volatile("" :: "r"(n) : "memory"); }
int main(int argc, char **argv) {
    getchar();
    if (semaphore != atoi(argv[1])) return 1;
    for (long i = 0; i < 20; i++) if (semaphore) probe(i);
    return 0;
}
"#;
    let target = Target::compile("semaphore", SOURCE);
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8, 1)).expect("map");
    let counts = map.mmap().expect("mmap");
    let site = Site { offset: target.offset("probe"), ref_ctr_offset: target.offset("semaphore"), cookie: 0 };
    for kind in uprobe_kinds() {
        counts.region().zero(0, 8).expect("in bounds");
        run(&target, "0");
        let prog = load(count_program(MapId(0)), kind, &[&map]);
        let links = link::attach_uprobes(&prog, &target.path, &[site], false, None).expect("attach");
        run(&target, "1");
        drop(links);
        run(&target, "0");
        assert_eq!(counts.load(0), Some(20), "{kind:?}");
    }
}

#[test]
fn one_process_can_be_chosen() {
    if skipped("one_process_can_be_chosen") {
        return;
    }
    let target = Target::compile("chosen", SOURCE);
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "counts", 8, 1)).expect("map");
    let counts = map.mmap().expect("mmap");
    for kind in uprobe_kinds() {
        counts.region().zero(0, 8).expect("in bounds");
        let prog = load(count_program(MapId(0)), kind, &[&map]);
        let mut children = [target.start(&["30"]), target.start(&["500"])];
        let site = Site::new(target.offset("work"), 0);
        let pid = children[0].id();
        let links = link::attach_uprobes(&prog, &target.path, &[site], false, Some(pid)).expect("attach");
        for child in &mut children {
            child.stdin.take().expect("pipe").write_all(b"\n").expect("write");
            assert!(child.wait().expect("wait").success());
        }
        drop(links);
        assert_eq!(counts.load(0), Some(30), "{kind:?}");
    }
}

#[test]
fn a_tracepoint_fires_by_its_number() {
    if skipped("a_tracepoint_fires_by_its_number") {
        return;
    }
    let path = "/sys/kernel/tracing/events/sched/sched_process_fork/id";
    let Some(id) = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) else {
        eprintln!("SKIP a_tracepoint_fires_by_its_number: no {path} (tracefs is not mounted)");
        return;
    };
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "forks", 8, 1)).expect("map");
    let forks = map.mmap().expect("mmap");
    let prog = load(count_program(MapId(0)), Kind::Tracepoint, &[&map]);
    let link = link::attach_tracepoint(&prog, id, 0).expect("attach");
    for _ in 0..3 {
        assert!(Command::new("true").status().expect("true").success());
    }
    drop(link);
    assert!(forks.load(0) >= Some(3));
}
