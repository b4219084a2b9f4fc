//! The floor against the running kernel. Without privileges each test says so and passes.

mod objects;
mod probes;

use super::privilege::Privileges;
use super::*;
use crate::codegen::asm::{Assembler, MapId, Program};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Prints why a test cannot run here.
fn skipped(test: &str) -> bool {
    let privileges = Privileges::read();
    if privileges.can_trace() {
        return false;
    }
    eprintln!("SKIP {test}: {}", privileges.explain());
    true
}

/// The ways to attach uprobes that this kernel has.
fn uprobe_kinds() -> impl Iterator<Item = Kind> {
    let many = Features::new().has(Feature::UprobeMulti).then_some(Kind::UprobeMulti);
    many.into_iter().chain([Kind::Uprobe])
}

/// Links, names the maps in order of their ids, and loads.
fn load(asm: Assembler, kind: Kind, maps: &[&Map]) -> Prog {
    let program = asm.finish().expect("links");
    load_program(&program, kind, maps).unwrap_or_else(|error| panic!("{error}\n{program}"))
}

fn load_program(program: &Program, kind: Kind, maps: &[&Map]) -> Result<Prog, LoadError> {
    let fd_of = |MapId(id): MapId| maps.get(id as usize).map(|map| map.raw_fd());
    let insns = program.with_maps(fd_of).expect("all maps given");
    Prog::load(&ProgSpec {
        kind,
        name: "test",
        insns: &insns,
        functions: &program.functions,
        sleepable: false,
    })
}

/// A C program compiled for one test.
struct Target {
    dir: PathBuf,
    path: PathBuf,
}

impl Target {
    fn compile(name: &str, source: &str) -> Target {
        let dir = std::env::temp_dir().join(format!("duotrace-kernel-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary directory");
        let (code, path) = (dir.join("target.c"), dir.join("target"));
        std::fs::write(&code, source).expect("write");
        let status = Command::new("cc")
            .args(["-O1", "-fno-inline", "-fcf-protection=none", "-o"])
            .args([&path, &code])
            .status()
            .expect("cc");
        assert!(status.success(), "cc failed");
        Target { dir, path }
    }

    /// Starts it; it waits for a line on standard input.
    fn start(&self, args: &[&str]) -> Child {
        Command::new(&self.path)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("spawn")
    }

    /// File offset of a symbol, as `nm` and the program headers tell.
    fn offset(&self, symbol: &str) -> u64 {
        offset_of(&self.path, symbol)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub(crate) fn offset_of(path: &Path, symbol: &str) -> u64 {
    let output = Command::new("nm").arg(path).output().expect("nm");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let address = text
        .lines()
        .find_map(|line| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            (words.nth(1)? == symbol).then_some(address)
        })
        .expect("symbol");
    // The executable segment, from `readelf -lW`: LOAD offset vaddr paddr filesz memsz flags.
    let output = Command::new("readelf").arg("-lW").arg(path).output().expect("readelf");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    text.lines()
        .filter(|line| line.trim_start().starts_with("LOAD"))
        .find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (offset, start, size) = (hex(words.get(1)?)?, hex(words.get(2)?)?, hex(words.get(4)?)?);
            (start..start + size).contains(&address).then(|| address - start + offset)
        })
        .expect("segment")
}

/// Adds 1 to the `u64` at byte `off` of map `map`, atomically, and returns 0.
fn count_program(map: MapId) -> Assembler {
    use crate::codegen::insn::{Atomic, Insn, Reg::*, Size};
    let mut asm = Assembler::new("count");
    asm.load_map_value(R1, map, 0);
    asm.mov(R2, 1);
    asm.emit(Insn::atomic(Atomic::Add, Size::DW, R1, 0, R2));
    asm.ret(0);
    asm
}
