//! The D library: what is defined in D itself. A part is compiled only when a
//! script mentions one of its words, so that a script which needs none pays nothing.

use crate::backend::LibraryPart;

/// All parts, in order of dependence.
pub(super) const PARTS: &[LibraryPart] = &[
    LibraryPart {
        words: &["psinfo_t", "curpsinfo"],
        text: r#"
typedef struct psinfo {
	int pr_nlwp;
	pid_t pr_pid;
	pid_t pr_ppid;
	pid_t pr_pgid;
	pid_t pr_sid;
	uid_t pr_uid;
	uid_t pr_euid;
	gid_t pr_gid;
	gid_t pr_egid;
	uintptr_t pr_addr;
	string pr_fname;
	string pr_psargs;
	char pr_dmodel;
} psinfo_t;
translator psinfo_t < int T > {
	pr_pid = pid;
	pr_ppid = ppid;
	pr_pgid = __pgid;
	pr_sid = __sid;
	pr_uid = uid;
	pr_euid = euid;
	pr_gid = gid;
	pr_egid = egid;
	pr_addr = (uintptr_t)curthread;
	pr_fname = execname;
	pr_psargs = __psargs;
	pr_dmodel = 2;
};
inline psinfo_t *curpsinfo = xlate <psinfo_t *> (0);
"#,
    },
    LibraryPart {
        words: &["lwpsinfo_t", "curlwpsinfo"],
        text: r#"
typedef struct lwpsinfo {
	int pr_flag;
	id_t pr_lwpid;
	uintptr_t pr_addr;
	int pr_pri;
	processorid_t pr_onpro;
	string pr_name;
} lwpsinfo_t;
translator lwpsinfo_t < int T > {
	pr_flag = 0;
	pr_lwpid = tid;
	pr_addr = (uintptr_t)curthread;
	pr_onpro = cpu;
	pr_name = execname;
};
inline lwpsinfo_t *curlwpsinfo = xlate <lwpsinfo_t *> (0);
"#,
    },
    LibraryPart {
        words: &["cpuinfo_t", "curcpu"],
        text: r#"
typedef struct cpuinfo {
	processorid_t cpu_id;
	psetid_t cpu_pset;
	chipid_t cpu_chip;
	lgrp_id_t cpu_lgrp;
} cpuinfo_t;
translator cpuinfo_t < int C > {
	cpu_id = cpu;
	cpu_pset = 0;
	cpu_chip = __chip;
	cpu_lgrp = 0;
};
inline cpuinfo_t *curcpu = xlate <cpuinfo_t *> (0);
"#,
    },
    LibraryPart {
        words: &["in6_addr_t"],
        text: r#"
typedef struct in6_addr_d { uint8_t __u6_addr8[16]; } in6_addr_t;
"#,
    },
];

/// The parts that texts call for, in order of dependence: this library's, then the backend's.
pub(super) fn needed<'t>(
    backend: &'static [LibraryPart],
    texts: impl Iterator<Item = &'t str>,
) -> Vec<&'static LibraryPart> {
    let all: Vec<&LibraryPart> = PARTS.iter().chain(backend).collect();
    let mut wanted = vec![false; all.len()];
    let mut unread: Vec<&str> = texts.collect();
    while let Some(text) = unread.pop() {
        for (part, wanted) in all.iter().zip(&mut wanted) {
            if !*wanted && part.words.iter().any(|word| text.contains(word)) {
                *wanted = true;
                unread.push(part.text);
            }
        }
    }
    all.into_iter().zip(wanted).filter_map(|(part, wanted)| wanted.then_some(part)).collect()
}
