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
