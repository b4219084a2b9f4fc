//! Tests on real files: what cc makes here, and Debian's postgres and python where installed.

use super::code::{self, Leave, SiteKind};
use super::elf::{Elf, ElfError, Machine, TableKind};
use super::lookup;
use super::testing::{PROBES, Scratch};
use super::usdt;
use super::usdt_args::Operand;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn a_program_with_probes() {
    for (flags, pie) in [(&["-pie", "-fPIE"][..], true), (&["-no-pie", "-fno-pie"], false)] {
        let dir = Scratch::new(if pie { "pie" } else { "nopie" });
        let Some(path) = dir.cc("demo", PROBES, flags) else { return };
        let elf = Elf::open(&path).unwrap();
        assert_eq!(elf.is_pie(), pie);
        assert_eq!(elf.is_fixed(), !pie);
        assert!(elf.interpreter().is_some() && elf.build_id().is_some());
        assert_eq!(elf.searched(), [TableKind::Symtab, TableKind::Dynsym]);
        let sites = usdt::sites(&elf).unwrap();
        let names: Vec<(&str, &str, String)> =
            sites.iter().map(|s| (s.provider.as_str(), s.name.as_str(), s.function(&elf))).collect();
        let want = [("query-start", "one"), ("item", "two"), ("item", "two")];
        assert_eq!(names, want.map(|(name, function)| ("demo", name, function.to_string())));
        for s in &sites {
            let semaphore = s.semaphore.unwrap();
            assert_eq!(elf.read_vaddr(semaphore.vaddr, 2), Some(vec![0, 0]));
            assert_eq!(elf.vaddr_to_offset(semaphore.vaddr), Some(semaphore.offset));
            assert!(matches!(code::classify(&elf, s.vaddr), SiteKind::Nop1 | SiteKind::Nop5));
            assert!(s.operands(&elf).iter().all(Result::is_ok), "{}", s.args);
        }
        let args = sites[0].operands(&elf);
        assert_eq!(args.len(), 3);
        let constant = Operand::Constant { value: -5, relative: false };
        assert!(args[2].as_ref().is_ok_and(|a| a.signed && a.size == 4 && a.place == constant));
        // The file offset of a function leads to its bytes.
        let main = lookup::function(&elf, "main").unwrap().remove(0);
        assert_eq!(elf.offset_to_vaddr(main.offset), Some(main.vaddr));
        assert_eq!(elf.function_at(main.vaddr + 1).map(|f| f.name), Some("main".into()));
        let listed = code::disassemble(&elf, &main).unwrap();
        assert!(listed.leaves.iter().any(|(_, l)| *l == Leave::Return));
    }
}

#[test]
fn stripped_files_say_so() {
    let dir = Scratch::new("strip");
    let Some(path) = dir.cc("demo", PROBES, &["-s"]) else { return };
    let elf = Elf::open(&path).unwrap();
    assert!(elf.is_stripped());
    let sites = usdt::sites(&elf).unwrap();
    assert_eq!(sites.len(), 3);
    assert!(sites.iter().all(|s| s.function(&elf).is_empty()));
    let text = lookup::function(&elf, "one").unwrap_err().to_string();
    assert!(text.contains("(searched .dynsym; the file is stripped)"), "{text}");
}

#[test]
fn missing_functions_get_suggestions() {
    let dir = Scratch::new("near");
    let Some(path) = dir.cc("near", "int greeting(void){return 1;} int main(void){return greeting();}", &[])
    else {
        return;
    };
    let error = lookup::function(&Elf::open(&path).unwrap(), "greting").unwrap_err();
    assert_eq!(error.nearest, ["greeting"]);
    assert!(error.to_string().contains("did you mean greeting?"), "{error}");
}

#[test]
fn indirect_branches_protected() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let dir = Scratch::new("cet");
    let source = "__attribute__((noinline)) int f(int a){return a*3;}\n\
        __attribute__((noinline)) int g(int a){return f(a+1);}\n\
        int main(int c,char**v){return g(c);}";
    let Some(path) = dir.cc("cet", source, &["-O2", "-fcf-protection=full"]) else { return };
    let elf = Elf::open(&path).unwrap();
    let f = lookup::function(&elf, "f").unwrap().remove(0);
    let site = code::entry_site(&elf, &f);
    assert!(site.skipped);
    assert_eq!(site.offset, f.offset + 4);
    // g ends in a jump to f.
    let g = lookup::function(&elf, "g").unwrap().remove(0);
    let leaves = code::disassemble(&elf, &g).unwrap().leaves;
    assert!(matches!(leaves[..], [(_, Leave::TailJump)]), "{leaves:?}");
}

#[test]
fn postgres() {
    let path = Path::new("/usr/lib/postgresql/15/bin/postgres");
    let Ok(elf) = Elf::open(path) else {
        eprintln!("skipped: no {}", path.display());
        return;
    };
    let sites = usdt::sites(&elf).unwrap();
    let probes: BTreeSet<&str> = sites.iter().map(|s| s.name.as_str()).collect();
    assert_eq!((probes.len(), sites.len()), (57, 71));
    assert!(probes.contains("query-start") && probes.contains("lwlock-acquire-or-wait-fail"));
    for s in &sites {
        assert_eq!(s.provider, "postgresql");
        assert!(s.semaphore.is_some());
        if elf.machine() == Machine::X86_64 {
            for operand in s.operands(&elf) {
                operand.unwrap();
            }
        }
    }
    // The package is stripped: static functions have no names, exported ones do.
    let function = |name: &str| sites.iter().find(|s| s.name == name).map(|s| s.function(&elf));
    assert_eq!(function("query-parse-start").as_deref(), Some("pg_parse_query"));
    let done = sites.iter().find(|s| s.name == "buffer-sync-done").unwrap();
    let buffers = elf.symbol_vaddr("NBuffers").unwrap().cast_signed();
    if done.args.contains("NBuffers(%rip)") {
        let place = done.operands(&elf)[0].as_ref().unwrap().place;
        assert_eq!(place, Operand::Memory { base: None, index: None, disp: buffers, relative: true });
    }
}

#[test]
fn python() {
    let path = Path::new("/usr/bin/python3.11");
    let Ok(elf) = Elf::open(path) else {
        eprintln!("skipped: no {}", path.display());
        return;
    };
    let sites = usdt::sites(&elf).unwrap();
    assert_eq!(sites.len(), 8);
    assert!(sites.iter().any(|s| s.name == "function-entry" && s.semaphore.is_some()));
}

#[test]
fn libc_functions() {
    let path = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"];
    let Some(elf) = path.iter().find_map(|p| Elf::open(Path::new(p)).ok()) else {
        eprintln!("skipped: no libc.so.6 at the usual places");
        return;
    };
    assert_eq!(lookup::function(&elf, "puts").unwrap().len(), 1);
    // Chosen at start by the processor's abilities.
    assert!(lookup::function(&elf, "strlen").is_err_and(|e| e.indirect) || elf.machine() != Machine::X86_64);
    assert!(elf.functions_where(|n| n.starts_with("mallo")).iter().any(|f| f.name == "malloc"));
    // Every function of libc can be taken apart.
    let mut count = 0;
    for f in elf.functions_where(|_| true).into_iter().filter(|f| f.size > 0) {
        count += usize::from(code::disassemble(&elf, &f).is_ok());
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn what_is_no_elf() {
    let open = |b: &[u8]| Elf::from_bytes(b.to_vec(), Path::new("x")).map(|_| ());
    assert!(matches!(open(b""), Err(ElfError::NotElf { .. })));
    assert!(matches!(open(b"#!/bin/sh\necho hello there\n"), Err(ElfError::NotElf { .. })));
    assert!(matches!(open(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0"), Err(ElfError::Unsupported { .. })));
    assert!(matches!(open(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"), Err(ElfError::Malformed { .. })));
    assert!(matches!(Elf::open(Path::new("/dev/zero")), Err(ElfError::NotElf { .. })));
    let text = Elf::open(Path::new("/no/such")).map(|_| ()).unwrap_err().to_string();
    assert_eq!(text, "failed to read /no/such: No such file or directory");
}

/// Everything that reads a file, on broken files: no panic, and no more memory than the file is long.
#[test]
fn broken_files() {
    let dir = Scratch::new("broken");
    let Some(path) = dir.cc("demo", PROBES, &[]) else { return };
    let good = std::fs::read(&path).unwrap();
    let notes_at = Elf::open(&path).unwrap().section(".note.stapsdt").map_or(0, |s| s.offset as usize);
    let headers_at = good.len().saturating_sub(40 * 64);
    // xorshift: the same files in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for round in 0..2000 {
        let mut bad = good.clone();
        if round % 4 == 0 {
            bad.truncate(random(good.len()));
        }
        for _ in 0..1 + random(16) {
            // Headers, notes, section table and anywhere, in turn.
            let at = match random(4) {
                0 => random(1024),
                1 => notes_at + random(256),
                2 => headers_at + random(40 * 64),
                _ => random(good.len()),
            };
            let value = [0, 0xff, 0x7f, 0x80, random(256) as u8][random(5)];
            if let Some(b) = bad.get_mut(at) {
                *b = value;
            }
        }
        let Ok(elf) = Elf::from_bytes(bad, Path::new("broken")) else { continue };
        for site in usdt::sites(&elf).unwrap_or_default() {
            site.operands(&elf);
            code::classify(&elf, site.vaddr);
        }
        elf.build_id();
        elf.load_bias(0x1000, 0, true);
        for f in elf.functions_where(|n| n.len() < 8) {
            let _ = code::disassemble(&elf, &f);
            code::entry_site(&elf, &f);
        }
        let _ = lookup::function(&elf, "mian");
        elf.function_at(elf.entry());
    }
}
