//! The running kernel's types, and broken ones.

use super::*;
use duotrace_core::backend::TypeSource;
use duotrace_core::types::Types;

/// The running kernel's BTF, or a line that says why there is none.
fn vmlinux(test: &str) -> Option<&'static Btf> {
    let btf = Btf::vmlinux();
    if btf.is_none() {
        eprintln!("SKIP {test}: no {VMLINUX}");
    }
    btf
}

#[test]
fn fields_by_path() {
    let Some(btf) = vmlinux("fields_by_path") else { return };
    let pid = btf.field("task_struct", "pid").unwrap();
    let tgid = btf.field("task_struct", "tgid").unwrap();
    assert_eq!((pid.bytes, pid.signed, tgid.offset), (4, true, pid.offset + 4));
    assert_eq!(btf.field("task_struct", "comm").unwrap().bytes, 16);
    assert!(btf.field("task_struct", "se.sum_exec_runtime").unwrap().offset > 0);
    assert_eq!(btf.field("task_struct", "no.such"), None);
    assert_eq!(btf.field("no_such", "pid"), None);
}

#[test]
fn structures_are_imported_one_at_a_time() {
    if vmlinux("structures_are_imported_one_at_a_time").is_none() {
        return;
    }
    let (mut kernel, mut types) = (KernelTypes::default(), Types::new(256));
    let task = kernel.lookup(&mut types, "struct task_struct").unwrap();
    assert!(types.size(task).unwrap() > 1000);
    let comm = types.member(task, "comm").unwrap();
    assert_eq!(types.size(comm.ty), Some(16));
    let mm = types.member(task, "mm").unwrap();
    let to = types.pointee(mm.ty).unwrap();
    assert!(types.composite(to).unwrap().members.is_none(), "what it points to is left out");
    kernel.lookup(&mut types, "struct mm_struct").unwrap();
    assert!(types.composite(to).unwrap().members.is_some());
    assert!(kernel.lookup(&mut types, "struct no_such_thing").is_none());
    assert!(kernel.lookup(&mut types, "gfp_t").is_some());
}

#[test]
fn symbols_have_addresses() {
    if vmlinux("symbols_have_addresses").is_none() {
        return;
    }
    let (mut kernel, mut types) = (KernelTypes::default(), Types::new(256));
    let Some((address, _)) = kernel.symbol(&mut types, Some("vmlinux"), "init_task") else {
        eprintln!("SKIP symbols_have_addresses: /proc/kallsyms is hidden");
        return;
    };
    assert!(address > 1 << 63);
    assert!(kernel.symbol(&mut types, None, "no_such_symbol_here").is_none());
}

/// A module's blob above another: types as words, strings.
fn blob(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let len = types.len() as u32 * 4;
    let header = [0x0001_eb9f, 24, 0, len, len, strings.len() as u32];
    let mut blob: Vec<u8> = header.iter().chain(types).flat_map(|word| word.to_ne_bytes()).collect();
    blob.extend(strings);
    blob
}

#[test]
fn modules_go_on_where_the_kernel_ends() {
    // The base: 1 is int, 2 is struct in_base { int a; }.
    let base = blob(&[1, 1 << 24, 4, 1 << 24 | 32, 5, 4 << 24 | 1, 4, 13, 1, 0], b"\0int\0in_base\0a\0");
    let base: &'static Btf = Box::leak(Box::new(Btf::parse(base).unwrap()));
    assert_eq!(base.size(2), Some(4));
    let strings = base.strings.1 as u32 - base.strings.0 as u32;
    // The module: 3 is struct own { struct in_base b; int :5; }, 4 is struct own *, 5 is struct in_base, another.
    let own = blob(
        &[
            [strings + 1, 4 << 24 | 1 << 31 | 2, 8, strings + 5, 2, 0].as_slice(),
            &[13, 1, (5 << 24) | 35, 0, 2 << 24, 3, 5, 4 << 24, 1],
        ]
        .concat(),
        b"\0own\0b\0",
    );
    let module = Btf::new(Bytes::Owned(own), Some(base)).unwrap();
    assert_eq!(module.find(&[Kind::Struct], "own").unwrap().id, 3);
    assert_eq!(module.find(&[Kind::Int], "int").unwrap().id, 1);
    assert_eq!(module.find(&[Kind::Struct], "in_base").unwrap().id, 5);
    assert_eq!((module.get(3).unwrap().name(), module.get(1).unwrap().name()), ("own", "int"));
    assert!(module.get(6).is_none() && module.find_own(&[Kind::Int], "int").is_none());
    let mut types = Types::new(256);
    let own = super::import::Importer::new(&module, &mut types).whole(3).unwrap();
    assert_eq!(types.name(own), "struct own");
    let b = types.member(own, "b").unwrap();
    assert_eq!((b.offset, types.size(b.ty)), (0, Some(4)));
    let a = types.member(own, "a").unwrap();
    assert_eq!((a.offset, a.bits), (4, Some((3, 5))));
}

#[test]
fn circles_end() {
    // 1: struct s { s a; s b; }, 2: typedef t of 2, 3: array of itself, 4: function of itself, 5: struct of arrays of it.
    let types = [
        [1u32, 4 << 24 | 2, 8, 3, 1, 0, 5, 1, 32].as_slice(),
        &[7, 8 << 24, 2],
        &[0, 3 << 24, 0, 3, 3, 2],
        &[0, 13 << 24 | 2, 4, 0, 4, 0, 4],
        &[9, 4 << 24 | 2, 8, 3, 6, 0, 5, 6, 32],
        &[0, 3 << 24, 0, 5, 5, 9],
        &[0, 2 << 24, 7],
    ]
    .concat();
    let btf = Btf::parse(blob(&types, b"\0s\0a\0b\0t\0u\0")).unwrap();
    for id in 1..=7 {
        let mut types = Types::new(256);
        let ty = super::import::Importer::new(&btf, &mut types).whole(id);
        assert!(ty.is_none_or(|ty| types.size(ty).is_none_or(|size| size <= 8)), "{id}");
    }
}

#[test]
fn every_type_of_the_kernel_can_be_imported() {
    let Some(btf) = vmlinux("every_type_of_the_kernel_can_be_imported") else { return };
    let mut types = Types::new(256);
    let (mut structures, mut wrong) = (0, Vec::new());
    for id in (1..btf.index().starts.len() as u32).step_by(7) {
        let Some(entry) = btf.get(id) else { continue };
        if !matches!(entry.kind, Kind::Struct | Kind::Union) {
            continue;
        }
        structures += 1;
        let ty = super::import::Importer::new(btf, &mut types).whole(id);
        if ty.and_then(|ty| types.size(ty)) != Some(u64::from(entry.word)) {
            wrong.push(entry.name());
        }
    }
    assert!(structures > 500 && wrong.is_empty(), "{structures} {wrong:?}");
}

#[test]
fn well_known_variables_have_types() {
    if vmlinux("well_known_variables_have_types").is_none() {
        return;
    }
    let (mut kernel, mut types) = (KernelTypes::default(), Types::new(256));
    let mut name = |module, symbol| {
        let ty = kernel.symbol_type(&mut types, module, symbol)?;
        Some((types.name(ty), types.size(ty)?))
    };
    assert_eq!(name(None, "jiffies"), Some(("unsigned long".to_string(), 8)));
    assert_eq!(name(Some("vmlinux"), "linux_banner"), Some(("char [512]".to_string(), 512)));
    assert_eq!(name(None, "cad_pid"), Some(("struct pid *".to_string(), 8)));
    let (task, size) = name(None, "init_task").unwrap();
    assert!(task == "struct task_struct" && size > 1000);
    assert_eq!(name(Some("ext4"), "jiffies"), None);
    // Per-CPU variables are in BTF.
    assert_eq!(name(None, "cpu_loops_per_jiffy").map(|(name, _)| name), Some("unsigned long".to_string()));
}

#[test]
fn broken_blobs_give_nothing() {
    assert!(Btf::parse(Vec::new()).is_none());
    let Some(btf) = vmlinux("broken_blobs_give_nothing") else { return };
    // The first types of the real blob, cut and bent in many ways.
    let blob: Vec<u8> = {
        let types = 4096;
        let mut small = btf.bytes.get().get(..24).unwrap().to_vec();
        let strings = btf.bytes.get().get(btf.strings.0..btf.strings.0 + 4096).unwrap();
        for (at, value) in [(8, 0), (12, types), (16, types), (20, 4096)] {
            small.splice(at..at + 4, u32::to_ne_bytes(value));
        }
        small.extend(btf.bytes.get().get(btf.types.0..btf.types.0 + types as usize).unwrap());
        small.extend(strings);
        small
    };
    let mut seed = 7u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for round in 0..2000 {
        let mut bent = blob.clone();
        if round % 2 == 0 {
            bent.truncate(random() as usize % blob.len());
        } else {
            for _ in 0..8 {
                let at = random() as usize % bent.len();
                bent[at] = random() as u8;
            }
        }
        let Some(btf) = Btf::parse(bent) else { continue };
        let mut types = Types::new(256);
        for id in 0..200 {
            btf.size(id);
            if let Some(entry) = btf.get(id) {
                let name = entry.name().to_string();
                btf.field(&name, "a.b");
            }
            super::import::Importer::new(&btf, &mut types).whole(id);
        }
    }
}
