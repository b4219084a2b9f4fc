//! Built-in variables.

use crate::ir::Builtin;

/// A built-in variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name in D.
    pub name: &'static str,
    /// Its type, as D source.
    pub ty: &'static str,
    /// How it is computed.
    pub source: Source,
    /// `Stable/Stable/Common`-style attributes.
    pub stability: &'static str,
    /// One line for the documentation.
    pub doc: &'static str,
}

/// Where a built-in variable's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The executor.
    Builtin(Builtin),
    /// `argN`.
    Arg(u32),
}

const STABLE: &str = "Stable/Stable/Common";
const KERNEL: &str = "Stable/Private/Common";

const fn row(
    name: &'static str,
    ty: &'static str,
    b: Builtin,
    stability: &'static str,
    doc: &'static str,
) -> Variable {
    Variable { name, ty, source: Source::Builtin(b), stability, doc }
}

const fn arg(name: &'static str, n: u32) -> Variable {
    Variable { name, ty: "int64_t", source: Source::Arg(n), stability: STABLE, doc: "raw probe argument" }
}

/// Every built-in scalar variable. `args[]`, `uregs[]` and what D libraries define
/// (`curpsinfo`, ...) are not here.
pub const VARIABLES: &[Variable] = &[
    arg("arg0", 0),
    arg("arg1", 1),
    arg("arg2", 2),
    arg("arg3", 3),
    arg("arg4", 4),
    arg("arg5", 5),
    arg("arg6", 6),
    arg("arg7", 7),
    arg("arg8", 8),
    arg("arg9", 9),
    row(
        "caller",
        "uintptr_t",
        Builtin::Caller,
        STABLE,
        "address of the kernel code that called the probe's function",
    ),
    row("cpu", "processorid_t", Builtin::Cpu, STABLE, "the processor the probe fired on"),
    row(
        "curthread",
        "struct task_struct *",
        Builtin::Curthread,
        KERNEL,
        "the kernel's structure of the current thread",
    ),
    row("cwd", "string", Builtin::Cwd, STABLE, "working directory of the current process"),
    row("egid", "gid_t", Builtin::Egid, STABLE, "effective group id"),
    row("epid", "uint_t", Builtin::Epid, STABLE, "number of this enabling of the probe"),
    row("errno", "int", Builtin::Errno, STABLE, "error of the last system call of this thread"),
    row("euid", "uid_t", Builtin::Euid, STABLE, "effective user id"),
    row("execargs", "string", Builtin::Psargs, STABLE, "arguments of the current process"),
    row("execname", "string", Builtin::Execname, STABLE, "name of the current process' program"),
    row("gid", "gid_t", Builtin::Gid, STABLE, "real group id"),
    row("id", "uint_t", Builtin::Id, STABLE, "the probe's number"),
    row("ipl", "uint_t", Builtin::Ipl, STABLE, "interrupt priority level"),
    row("pid", "pid_t", Builtin::Pid, STABLE, "process id"),
    row("ppid", "pid_t", Builtin::Ppid, STABLE, "parent's process id"),
    row("probefunc", "string", Builtin::Probefunc, STABLE, "function part of the probe's name"),
    row("probemod", "string", Builtin::Probemod, STABLE, "module part of the probe's name"),
    row("probename", "string", Builtin::Probename, STABLE, "name part of the probe's name"),
    row("probeprov", "string", Builtin::Probeprov, STABLE, "provider part of the probe's name"),
    row("root", "string", Builtin::Root, STABLE, "root directory of the current process"),
    row("stackdepth", "uint32_t", Builtin::Stackdepth, STABLE, "number of kernel stack frames"),
    row("threadname", "string", Builtin::Threadname, STABLE, "name of the current thread"),
    row("tid", "id_t", Builtin::Tid, STABLE, "thread id"),
    row("timestamp", "uint64_t", Builtin::Timestamp, STABLE, "nanoseconds since an arbitrary point"),
    row(
        "ucaller",
        "uint64_t",
        Builtin::Ucaller,
        STABLE,
        "address of the user code that called the probe's function",
    ),
    row("uid", "uid_t", Builtin::Uid, STABLE, "real user id"),
    row("ustackdepth", "uint32_t", Builtin::Ustackdepth, STABLE, "number of user stack frames"),
    row("vtimestamp", "uint64_t", Builtin::Vtimestamp, STABLE, "nanoseconds this thread has run"),
    row("walltimestamp", "int64_t", Builtin::Walltimestamp, STABLE, "nanoseconds since 1970"),
    row("zonename", "string", Builtin::Zonename, STABLE, "name of the zone or container"),
    // What the D library builds psinfo_t and lwpsinfo_t from.
    row("__psargs", "string", Builtin::Psargs, STABLE, "arguments of the current process"),
    row("__pgid", "pid_t", Builtin::Pgid, STABLE, "process group id"),
    row("__sid", "pid_t", Builtin::Sid, STABLE, "session id"),
    row("__chip", "int", Builtin::CpuChip, STABLE, "physical package of the processor"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let mut names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), VARIABLES.len());
        assert!(VARIABLES.iter().all(|v| !v.doc.is_empty()));
    }
}
