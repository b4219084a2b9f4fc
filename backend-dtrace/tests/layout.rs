//! The declared structures against a real `dtrace.h`: Oracle's, where one is installed (on the machine, or in the chroot
//! of `ci/peers`). A C program made with the header prints sizes and offsets; ours must be the same.
#![cfg(target_os = "linux")]

use duotrace_dtrace::abi::oracle::{AggData, AggDesc, DataDesc, Probe, ProbeData, Rec};
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

/// C name, our size, and for each member its C name and our offset.
type Struct = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! structure {
    ($c:literal, $rust:ty, $($member:literal $field:ident),*) => {
        ($c, size_of::<$rust>(), vec![$(($member, offset_of!($rust, $field))),*])
    };
}

fn structures() -> Vec<Struct> {
    vec![
        structure!(
            "dtrace_recdesc_t", Rec,
            "dtrd_action" action, "dtrd_size" size, "dtrd_offset" offset, "dtrd_alignment" alignment,
            "dtrd_format" format, "dtrd_arg" arg
        ),
        structure!(
            "dtrace_probedesc_t", Probe,
            "id" id, "prv" provider, "mod" module, "fun" function, "prb" name
        ),
        structure!(
            "dtrace_datadesc_t", DataDesc,
            "dtdd_uarg" uarg, "dtdd_size" size, "dtdd_nrecs" nrecs, "dtdd_recs" recs, "dtdd_refcnt" refcnt
        ),
        structure!(
            "dtrace_probedata_t", ProbeData,
            "dtpda_handle" handle, "dtpda_stid" stid, "dtpda_ddesc" desc, "dtpda_pdesc" probe, "dtpda_cpu" cpu,
            "dtpda_data" data, "dtpda_flow" flow, "dtpda_prefix" prefix, "dtpda_indent" indent
        ),
        structure!(
            "dtrace_aggdesc_t", AggDesc,
            "dtagd_name" name, "dtagd_varid" varid, "dtagd_flags" flags, "dtagd_sig" sig, "dtagd_normal" normal,
            "dtagd_ksize" ksize, "dtagd_dsize" dsize, "dtagd_nkrecs" nkrecs, "dtagd_keyidx" keyidx,
            "dtagd_krecs" krecs, "dtagd_drecs" drecs
        ),
        structure!(
            "dtrace_aggdata_t", AggData,
            "dtada_hdl" handle, "dtada_desc" desc, "dtada_key" key, "dtada_data" data, "dtada_percpu" percpu
        ),
    ]
}

/// The folder of an installed header.
fn header() -> Option<PathBuf> {
    let peers = std::env::var("DUOTRACE_PEERS").unwrap_or("/var/tmp/duotrace-peers".to_string());
    let folders = [PathBuf::from("/usr/include"), Path::new(&peers).join("usr/include")];
    folders.into_iter().find(|folder| folder.join("dtrace.h").exists() && folder.join("dtrace").is_dir())
}

#[test]
fn declared_layouts_are_those_of_the_installed_header() {
    let Some(from) = header() else {
        eprintln!("no dtrace.h is installed: not compared");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("layout");
    let include = folder.join("include");
    std::fs::create_dir_all(include.join("sys")).unwrap();
    // Only dtrace's own headers: the rest is this machine's. What no package brings is put in their place.
    for name in ["dtrace.h", "dtrace", "sys/dtrace.h", "sys/dtrace_types.h"] {
        let status = Command::new("cp")
            .arg("-r")
            .arg(from.join(name))
            .arg(include.join(name).parent().unwrap())
            .status();
        assert!(status.unwrap().success());
    }
    let gelf = "#include <elf.h>\ntypedef Elf64_Addr GElf_Addr; typedef Elf64_Xword GElf_Xword; typedef Elf64_Sym GElf_Sym;\n";
    std::fs::write(include.join("gelf.h"), gelf).unwrap();
    let ctf = "typedef struct ctf_dict ctf_file_t; typedef long ctf_id_t; typedef struct ctf_archive ctf_archive_t;\n";
    std::fs::write(include.join("sys/ctf-api.h"), ctf).unwrap();
    let mut source =
        "#include <stddef.h>\n#include <dtrace.h>\n#include <stdio.h>\nint main(void)\n{\n".to_string();
    let mut expected = String::new();
    for (name, size, members) in structures() {
        let _ = writeln!(source, "\tprintf(\"{name} %zu\\n\", sizeof ({name}));");
        let _ = writeln!(expected, "{name} {size}");
        for (member, offset) in members {
            let _ = writeln!(source, "\tprintf(\"{name}.{member} %zu\\n\", offsetof({name}, {member}));");
            let _ = writeln!(expected, "{name}.{member} {offset}");
        }
    }
    source.push_str("\treturn 0;\n}\n");
    let (file, program) = (folder.join("layout.c"), folder.join("layout"));
    std::fs::write(&file, source).unwrap();
    let Ok(status) =
        Command::new("cc").arg("-w").arg("-I").arg(&include).arg("-o").arg(&program).arg(&file).status()
    else {
        return;
    };
    assert!(status.success(), "the header does not compile");
    let output = Command::new(&program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
