//! `proc`: processes and threads that begin, execute, get signals and end.

use super::composite::{Composite, field, is, is_not, one_of, word};
use crate::btf::{Btf, Kind};
use crate::codegen::{ArgSource, Test};

/// Numbers of the system calls execve and execveat (x86-64).
const EXEC: [i32; 2] = [libc::SYS_execve as i32, libc::SYS_execveat as i32];
/// fork, vfork, clone and clone3.
const FORK: [i32; 4] =
    [libc::SYS_fork as i32, libc::SYS_vfork as i32, libc::SYS_clone as i32, libc::SYS_clone3 as i32];

/// The probes; those of system calls stand on the raw tracepoints of all calls.
pub fn probes(btf: &Btf) -> Vec<Composite> {
    let task = |n| word(n);
    // Of sys_exit: which call returns, and what.
    let call = || field(btf, word(0), "pt_regs", "orig_ax");
    let negative = |value| Some(Test { source: value, one_of: vec![1], not: false });
    let failed = || negative(ArgSource::Bits { from: Box::new(ArgSource::Ctx(1)), shift: 63, mask: 1 });
    let reason = || {
        let code = || field(btf, task(0), "task_struct", "exit_code");
        let signal = Test::is(ArgSource::Bits { from: Box::new(code()?), shift: 0, mask: 0x7f }, 0);
        let core = Test::is(ArgSource::Bits { from: Box::new(code()?), shift: 7, mask: 1 }, 1);
        // CLD_EXITED, CLD_DUMPED, CLD_KILLED.
        let killed =
            ArgSource::Select(Box::new(core), Box::new(ArgSource::Const(3)), Box::new(ArgSource::Const(2)));
        Some(ArgSource::Select(Box::new(signal), Box::new(ArgSource::Const(1)), Box::new(killed)))
    };
    let handler = || {
        let action = btf.field("k_sigaction", "sa.sa_handler")?;
        Some(ArgSource::Ctx(2).field(action.offset, 8, false))
    };
    let main = || Some(Test::is(ArgSource::MainThread, 1));
    let sent = |name, result| {
        Composite::new(name, "signal_generate")
            .when(is(word(4), result))
            .translated("lwpsinfo_t *", "struct task_struct *", task(2))
            .also("psinfo_t *", "struct task_struct *")
            .arg("int", word(0))
    };
    vec![
        // Threads are made without an exit signal (-1); what has one is a process.
        Composite::new("create", "sched_process_fork")
            .when(is_not(field(btf, task(1), "task_struct", "exit_signal"), -1))
            .translated("psinfo_t *", "struct task_struct *", task(1)),
        exec(btf),
        Composite::new("exec-failure", "sys_exit")
            .when(one_of(call(), &EXEC))
            .when(failed())
            .arg("int", Some(ArgSource::Negated(Box::new(ArgSource::Ctx(1))))),
        Composite::new("exec-success", "sched_process_exec"),
        Composite::new("exit", "sched_process_exit")
            .when(is(
                field(btf, task(0), "task_struct", "signal")
                    .and_then(|signal| field(btf, Some(signal), "signal_struct", "live.counter")),
                0,
            ))
            .arg("int", reason()),
        Composite::new("lwp-create", "sched_process_fork")
            .translated("lwpsinfo_t *", "struct task_struct *", task(1))
            .also("psinfo_t *", "struct task_struct *"),
        Composite::new("lwp-exit", "sched_process_exit"),
        // A new thread's first act is to return 0 from the call that made it.
        Composite::new("lwp-start", "sys_exit").when(one_of(call(), &FORK)).when(is(word(1), 0)),
        Composite::new("signal-clear", "sys_exit")
            .when(is(call(), libc::SYS_rt_sigtimedwait as i32))
            .when(Some(Test {
                source: ArgSource::Bits { from: Box::new(ArgSource::Ctx(1)), shift: 63, mask: 1 },
                one_of: vec![0],
                not: false,
            }))
            .arg("int", word(1)),
        sent("signal-discard", 1),
        Composite::new("signal-handle", "signal_deliver")
            .when(is_not(handler(), 0))
            .arg("int", word(0))
            .arg("struct kernel_siginfo *", word(1))
            .arg("void *", handler()),
        sent("signal-send", 0),
        Composite::new("start", "sys_exit").when(one_of(call(), &FORK)).when(is(word(1), 0)).when(main()),
        // A fault that becomes a signal of the hardware.
        Composite::new("fault", "signal_generate")
            .when(one_of(word(0), &[libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP]))
            .when(is_not(field(btf, word(1), "kernel_siginfo", "si_code"), 0))
            .arg("int", word(0))
            .arg("struct kernel_siginfo *", word(1)),
    ]
}

/// The kernel's own copy of the path is best: in a process just forked the caller's may not be in memory yet. The
/// tracepoint is of 6.10, and does not fire where there is no such file; before, it is the system call.
fn exec(btf: &Btf) -> Composite {
    if btf.find(&[Kind::Typedef], "btf_trace_sched_prepare_exec").is_some() {
        let path = field(btf, word(1), "linux_binprm", "filename");
        return Composite::new("exec", "sched_prepare_exec").translated("string", "string", path);
    }
    let path = ArgSource::Select(
        Box::new(Test::is(ArgSource::Ctx(1), EXEC[1])),
        Box::new(ArgSource::SyscallArg(1)),
        Box::new(ArgSource::SyscallArg(0)),
    );
    Composite::new("exec", "sys_enter").when(one_of(word(1), &EXEC)).arg("string", Some(path))
}
