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
