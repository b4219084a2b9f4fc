//! The D library: what is defined in D itself. A part is compiled only when a
//! script mentions one of its words, so that a script which needs none pays nothing.

use crate::backend::LibraryPart;

/// All parts, in order of dependence.
pub(super) const PARTS: &[LibraryPart<'static>] = &[
    LibraryPart {
        words: "psinfo_t curpsinfo",
        text: r#"
typedef struct psinfo {
	int pr_flag;
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
	size_t pr_size;
	size_t pr_rssize;
	dev_t pr_ttydev;
	int pr_wstat;
	int pr_argc;
	uintptr_t pr_argv;
	uintptr_t pr_envp;
	int pr_taskid;
	int pr_projid;
	int pr_nzomb;
	int pr_poolid;
	int pr_zoneid;
	id_t pr_contract;
} psinfo_t;
/*
 * Pages in memory, of files, anonymous and shared, by Linux' counters of a process. Four numbers (the third is what is
 * swapped out), since 6.2 each the second word of a counter that has parts of its own on each processor: so many pages
 * more or less.
 */
inline int64_t __counted[uintptr_t A, size_t S, int N] =
    *(int64_t *)(A + N * (S / 4) + (S / 4 == 8 ? 0 : 8));
inline int64_t __pages[uintptr_t A, size_t S] = __counted[A, S, 0] + __counted[A, S, 1] + __counted[A, S, 3];
inline int64_t __rss[uintptr_t A, size_t S] = __pages[A, S] > 0 ? __pages[A, S] : 0;
translator psinfo_t < int T > {
	pr_flag = 0;
	pr_nlwp = curthread->signal->nr_threads;
	pr_wstat = 0;
	pr_ttydev = curthread->signal->tty == NULL ? (dev_t)-1 :
	    (dev_t)(curthread->signal->tty->driver->major << 20 |
	    curthread->signal->tty->driver->minor_start + curthread->signal->tty->index);
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
	/* In kilobytes. */
	pr_size = curthread->mm == NULL ? 0 : curthread->mm->total_vm * 4;
	pr_rssize = curthread->mm == NULL ? 0 :
	    4 * __rss[(uintptr_t)&curthread->mm->rss_stat, sizeof (curthread->mm->rss_stat)];
	/* A new program's stack begins with its arguments: their number, their addresses, NULL. */
	pr_argc = curthread->mm == NULL ? 0 : *(int *)copyin(curthread->mm->start_stack, sizeof (int));
	pr_argv = curthread->mm == NULL ? 0 : curthread->mm->start_stack + 8;
	pr_envp = curthread->mm == NULL ? 0 :
	    curthread->mm->start_stack + 8 * (2 + *(int *)copyin(curthread->mm->start_stack, sizeof (int)));
	/* Linux has one task, project, pool, zone and contract: those of Solaris' global zone. */
	pr_taskid = 0;
	pr_projid = 0;
	pr_nzomb = 0;
	pr_poolid = 0;
	pr_zoneid = 0;
	pr_contract = 0;
};
inline int PR_ISSYS = 0x1000;
inline psinfo_t *curpsinfo = xlate <psinfo_t *> (0);
"#,
    },
    LibraryPart {
        words: "lwpsinfo_t curlwpsinfo",
        text: r#"
typedef struct lwpsinfo {
	int pr_flag;
	id_t pr_lwpid;
	uintptr_t pr_addr;
	uintptr_t pr_wchan;
	char pr_stype;
	char pr_state;
	char pr_sname;
	char pr_nice;
	short pr_syscall;
	char pr_oldpri;
	char pr_cpu;
	int pr_pri;
	string pr_clname;
	string pr_name;
	processorid_t pr_onpro;
	processorid_t pr_bindpro;
	uint32_t pr_bindpset;
	int pr_lgrp;
} lwpsinfo_t;
translator lwpsinfo_t < int T > {
	/* PR_ISSYS and PR_IDLE. */
	pr_flag = (curthread->flags & 0x200000 ? 0x1000 : 0) | (curthread->pid == 0 ? PR_IDLE : 0);
	pr_lwpid = tid;
	pr_addr = (uintptr_t)curthread;
	/* A thread that runs waits for nothing. */
	pr_wchan = 0;
	pr_stype = 0;
	/* The thread in which a probe fires is running: SONPROC. */
	pr_state = 6;
	pr_sname = 'O';
	pr_nice = curthread->static_prio - 120;
	pr_oldpri = curthread->normal_prio;
	pr_cpu = 0;
	pr_pri = curthread->prio;
	pr_clname = curthread->policy == 1 || curthread->policy == 2 ? "RT"
	    : curthread->policy == 6 ? "DL" : "TS";
	pr_name = threadname;
	pr_onpro = cpu;
	pr_bindpro = curthread->nr_cpus_allowed == 1 ? cpu : -1;
	pr_bindpset = 0;
	pr_lgrp = 0;
};
inline lwpsinfo_t *curlwpsinfo = xlate <lwpsinfo_t *> (0);
"#,
    },
    LibraryPart {
        words: "cpuinfo_t curcpu",
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
        words: "in6_addr_t",
        text: r#"
typedef struct in6_addr_d {
	union { uint8_t u6_addr8[16]; uint16_t u6_addr16[8]; uint32_t u6_addr32[4]; } in6_u;
} in6_addr_t;
"#,
    },
];

/// The parts that texts call for, in order of dependence: this library's, then the backend's.
pub(super) fn needed<'t>(
    backend: &[LibraryPart<'t>],
    texts: impl Iterator<Item = &'t str>,
) -> Vec<LibraryPart<'t>> {
    let all: Vec<LibraryPart<'t>> = PARTS.iter().chain(backend).copied().collect();
    let mut wanted = vec![false; all.len()];
    let mut unread: Vec<&str> = texts.collect();
    while let Some(text) = unread.pop() {
        for (part, wanted) in all.iter().zip(&mut wanted) {
            if !*wanted && part.words.split_whitespace().any(|word| text.contains(word)) {
                *wanted = true;
                unread.push(part.text);
            }
        }
    }
    all.into_iter().zip(wanted).filter_map(|(part, wanted)| wanted.then_some(part)).collect()
}
