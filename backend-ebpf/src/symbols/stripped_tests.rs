//! Tests on files that were stripped, mangled or made by another compiler; and on garbage.

use super::demangle;
use super::elf::{Elf, TableKind};
use super::go::GoText;
use super::testing::{PROBES, Scratch};
use super::usdt;
use std::path::Path;
use std::process::Command;

/// Runs a tool; `false`, with a word on standard error, where it does not work here.
fn tool(program: &str, args: &[&str], dir: &Scratch) -> bool {
    let ran = Command::new(program).args(args).current_dir(dir.path("")).output();
    let done = ran.is_ok_and(|run| run.status.success());
    if !done {
        eprintln!("skipped: {program} does not work here");
    }
    done
}

/// As distributions do it: the symbols of functions in a file of their own, compressed, in a section of the stripped one.
#[test]
fn symbols_in_gnu_debugdata() {
    let dir = Scratch::new("debugdata");
    if dir.cc("demo", PROBES, &["-g"]).is_none() {
        return;
    }
    let steps: [(&str, &[&str]); 4] = [
        ("objcopy", &["--only-keep-debug", "demo", "mini"]),
        ("objcopy", &["-S", "--remove-section=.gdb_index", "--keep-symbol=one", "--keep-symbol=two", "mini"]),
        ("xz", &["-f", "mini"]),
        ("objcopy", &["--strip-all", "--add-section", ".gnu_debugdata=mini.xz", "demo", "small"]),
    ];
    if !steps.iter().all(|(program, args)| tool(program, args, &dir)) {
        return;
    }
    let (whole, small) = (Elf::open(&dir.path("demo")).unwrap(), Elf::open(&dir.path("small")).unwrap());
    assert!(small.is_stripped() && small.searched().contains(&TableKind::Debugdata));
    assert_eq!(small.functions_named("one"), whole.functions_named("one"));
    let two = small.functions_named("two").remove(0);
    assert_eq!(small.function_at(two.vaddr + 1).map(|f| f.name).as_deref(), Some("two"));
}

#[test]
fn names_of_cpp() {
    let dir = Scratch::new("cpp");
    let source = "namespace shop { struct Till { __attribute__((noinline)) long add(long n); }; \
        long Till::add(long n) { return n + 1; } } int main(int c, char **) { return (int)shop::Till().add(c); }";
    std::fs::write(dir.path("till.cc"), source).unwrap();
    if !tool("c++", &["-O1", "-o", "till", "till.cc"], &dir) {
        return;
    }
    let elf = Elf::open(&dir.path("till")).unwrap();
    for pattern in ["shop::Till::add", "*Till*add*", "_ZN4shop4Till3addEl", "shop::Till::add(long)"] {
        let found = elf.functions_where(|name| demangle::is_meant(pattern, name));
        let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["_ZN4shop4Till3addEl"], "{pattern}");
    }
}

#[test]
fn go_text() {
    let dir = Scratch::new("go");
    // What the Go linker leaves in a program: a section of this name, and where its code begins and ends.
    let source = "__attribute__((section(\".go.buildinfo\"))) const char info[] = \"\\xff Go buildinf:\"; \
        __asm__(\".text\\n.globl runtime.text\\nruntime.text:\\n\"); \
        __attribute__((noinline)) long work(long n) { __asm__ volatile(\"\"); return n; } \
        __asm__(\".globl runtime.etext\\nruntime.etext:\\n\"); \
        int main(int c, char **v) { return (int)work(c); }";
    let Some(path) = dir.cc("gopher", source, &["-fno-toplevel-reorder", "-O0"]) else { return };
    let elf = Elf::open(&path).unwrap();
    let go = GoText::of(&elf).unwrap();
    assert!(go.has(&elf.functions_named("work")[0]) && !go.has(&elf.functions_named("main")[0]));
    assert_eq!(GoText::of(&Elf::open(Path::new("/bin/sh")).unwrap()), None);
}

/// A generator that gives the same numbers every time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }
}

/// Everything that is ever asked of a file.
fn use_all(elf: &Elf) {
    let _ = (elf.build_id(), elf.is_stripped(), elf.interpreter(), elf.searched());
    let _ = elf.symbol_vaddr("main");
    let functions = elf.functions_where(|name| demangle::is_meant("*o*", name));
    for f in functions.iter().take(8) {
        let _ = super::code::disassemble(elf, f);
        let _ = super::code::entry_site(elf, f);
        let _ = elf.function_at(f.vaddr.wrapping_add(1));
    }
    let _ = elf.load_bias(0x5555_0000_0000, 0x1000, true);
    let _ = GoText::of(elf);
    if usdt::has_notes(elf) {
        for site in usdt::sites(elf).unwrap_or_default().iter().take(32) {
            let _ = site.operands(elf);
        }
    }
}

#[test]
fn hostile_files() {
    let dir = Scratch::new("hostile");
    let mut seeds = Vec::new();
    if let Some(path) = dir.cc("demo", PROBES, &["-g"]) {
        seeds.push(std::fs::read(path).unwrap());
    }
    seeds.push(std::fs::read("/bin/true").unwrap());
    let mut random = Random(0x0dd_b1a5_e5ba_d5ee);
    for round in 0..600 {
        let Some(seed) = seeds.get(round % seeds.len()) else { continue };
        let mut bytes = seed.clone();
        for _ in 0..1 + random.below(12) {
            // Headers are hit more often than their share: the rest follows from them.
            let at = match random.below(3) {
                0 => random.below(64 + 56 * 12),
                1 => bytes.len().saturating_sub(64 * 40) + random.below(64 * 40),
                _ => random.below(bytes.len()),
            };
            let value = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        if random.below(4) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        if let Ok(elf) = Elf::from_bytes(bytes, Path::new("hostile")) {
            use_all(&elf);
        }
    }
}
