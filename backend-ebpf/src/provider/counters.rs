//! `sysinfo`, `vminfo` and `mib`: what illumos counts in the kstats of these names, where Linux has a tracepoint for it.
//!
//! `arg0` is by how much the counter grows.

use super::composite::{self, Composite, constant, field, is, one_of, word};
use super::{How, Search};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Test};
use crate::kernel::perf_event::Counter;

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
    // What a request to a block device asks for: REQ_OP_READ, REQ_OP_WRITE.
    let operation = |wanted| {
        let flags = Box::new(field(btf, word(0), "request", "cmd_flags")?);
        Some(Test::is(ArgSource::Bits { from: flags, shift: 0, mask: 0xff }, wanted))
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
        one("bread", "block_io_start").or("block_rq_issue").when(operation(0)),
        one("bwrite", "block_io_start").or("block_rq_issue").when(operation(1)),
        one("idlethread", "sched_switch").when(is(field(btf, word(2), "task_struct", "pid"), 0)),
        one("modload", "module_load"),
        one("modunload", "module_free"),
        // include/trace/events/lock.h: who waits as a reader, as a writer, and does not spin.
        one("rw_rdfails", "contention_begin").when(one_of(word(1), &[2, 2 | 16])),
        one("rw_wrfails", "contention_begin").when(one_of(word(1), &[4, 4 | 16])),
        one("pswitch", "sched_switch"),
        one("inv_swtch", "sched_switch").when(is(word(0), 1)),
        one("nthreads", "sched_process_fork"),
    ]
}

/// Memory: faults, pages to and from swap and disk.
fn vminfo(_btf: &Btf) -> Vec<Composite> {
    let one = |name, tracepoint| Composite::new(name, tracepoint).arg("int", constant(1));
    vec![
        one("as_fault", "page_fault_user"),
        one("kernel_asflt", "page_fault_kernel"),
        one("pgfree", "mm_page_free"),
        one("scan", "mm_vmscan_lru_isolate"),
        one("pgrrun", "mm_vmscan_kswapd_wake"),
    ]
}

/// The network's counters. Segments and datagrams are not among them: the kernel hands over several in one piece.
pub fn mib(btf: &Btf) -> Vec<Composite> {
    const IPPROTO_TCP: i32 = 6;
    const ESTABLISHED: i32 = 1;
    const SYN_SENT: i32 = 2;
    const SYN_RECV: i32 = 3;
    const CLOSE: i32 = 7;
    const CLOSE_WAIT: i32 = 8;
    const LISTEN: i32 = 10;
    let one = |name, tracepoint| Composite::new(name, tracepoint).arg("int", constant(1));
    let state = |name, old: &[i32], new| {
        one(name, "inet_sock_set_state")
            .when(is(field(btf, word(0), "sock", "sk_protocol"), IPPROTO_TCP))
            .when(one_of(word(1), old))
            .when(is(word(2), new))
    };
    vec![
        state("tcpActiveOpens", &[CLOSE], SYN_SENT),
        state("tcpPassiveOpens", &[LISTEN], SYN_RECV),
        state("tcpAttemptFails", &[SYN_SENT, SYN_RECV], CLOSE),
        state("tcpEstabResets", &[ESTABLISHED, CLOSE_WAIT], CLOSE),
        one("tcpRetransSegs", "tcp_retransmit_skb"),
        one("tcpOutRsts", "tcp_send_reset"),
    ]
}

/// Faults that had to wait for a disk: the kernel's own counter tells of each.
pub fn find_vminfo(search: &mut Search<'_>) {
    composite::find(search, "vminfo", vminfo);
    const NAME: &str = "maj_fault";
    if search.is_provider("vminfo") && search.desc.matches("vminfo", "", "", NAME) {
        // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ.
        let counter = Counter { type_: 1, config: 6, period: 1, user: true, kernel: true };
        let how = How::Counter { counter, args: vec![ArgSource::Const(1)] };
        search.add(["vminfo", "", "", NAME], None, how);
    }
}
