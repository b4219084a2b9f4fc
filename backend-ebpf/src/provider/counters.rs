//! `sysinfo` and `vminfo`: what illumos counts in the kstats of the same names, where Linux has a tracepoint for it.
//!
//! `arg0` is by how much the counter grows.

use super::composite::{Composite, constant, field, is, one_of, word};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Test};

/// The system-wide counters of calls and switches.
pub fn sysinfo(btf: &Btf) -> Vec<Composite> {
    let call = || field(btf, word(0), "pt_regs", "orig_ax");
    let good = || {
        let sign = ArgSource::Bits { from: Box::new(ArgSource::Ctx(1)), shift: 63, mask: 1 };
        Some(Test::is(sign, 0))
    };
    let one = |name, tracepoint| Composite::new(name, tracepoint).arg("int", constant(1));
    let called = |name, calls: &[i32]| one(name, "sys_enter").when(one_of(word(1), calls));
    let bytes = |name, calls: &[i32]| {
        Composite::new(name, "sys_exit").when(one_of(call(), calls)).when(good()).arg("int64_t", word(1))
    };
    const READS: [i32; 4] =
        [libc::SYS_read as i32, libc::SYS_pread64 as i32, libc::SYS_readv as i32, libc::SYS_preadv as i32];
    const WRITES: [i32; 4] = [
        libc::SYS_write as i32,
        libc::SYS_pwrite64 as i32,
        libc::SYS_writev as i32,
        libc::SYS_pwritev as i32,
    ];
    vec![
        called("sysread", &READS),
        called("syswrite", &WRITES),
        bytes("readch", &READS),
        bytes("writech", &WRITES),
        called("sysfork", &[libc::SYS_fork as i32, libc::SYS_clone as i32, libc::SYS_clone3 as i32]),
        called("sysvfork", &[libc::SYS_vfork as i32]),
        called("sysexec", &[libc::SYS_execve as i32, libc::SYS_execveat as i32]),
        called("namei", &[libc::SYS_open as i32, libc::SYS_openat as i32, libc::SYS_openat2 as i32]),
        called("msg", &[libc::SYS_msgsnd as i32, libc::SYS_msgrcv as i32]),
        called("sema", &[libc::SYS_semop as i32, libc::SYS_semtimedop as i32]),
        one("pswitch", "sched_switch"),
        one("inv_swtch", "sched_switch").when(is(word(0), 1)),
        one("nthreads", "sched_process_fork"),
    ]
}

/// Memory: faults, pages to and from swap and disk.
pub fn vminfo(_btf: &Btf) -> Vec<Composite> {
    let one = |name, tracepoint| Composite::new(name, tracepoint).arg("int", constant(1));
    vec![
        one("as_fault", "page_fault_user"),
        one("kernel_asflt", "page_fault_kernel"),
        one("pgfree", "mm_page_free"),
        one("scan", "mm_vmscan_lru_isolate"),
        one("pgrrun", "mm_vmscan_kswapd_wake"),
    ]
}
