//! Offsets into `struct task_struct`, found in the kernel's BTF.
//!
//! Reading that costs a few milliseconds, so it is worth it only for a
//! script that asks for what needs it: [`KernelOffsets::wanted`].

use super::{KernelOffsets, PathOffsets, ProcessOffsets, ReturnOffsets, ZoneOffsets};
use crate::btf::{Btf, Kind};
use duotrace_core::ir::walk::walk_clause;
use duotrace_core::ir::{Builtin, ExprKind, Program, Subroutine};

impl KernelOffsets {
    /// Does a program use anything that is better, or only, had with offsets?
    pub fn wanted(program: &Program) -> bool {
        let mut found = false;
        for clause in &program.clauses {
            let mut look = |expr: &duotrace_core::ir::Expr| {
                found |= matches!(
                    expr.kind,
                    ExprKind::Builtin(
                        Builtin::Ppid
                            | Builtin::Euid
                            | Builtin::Zonename
                            | Builtin::Egid
                            | Builtin::Vtimestamp
                            | Builtin::Execname
                            | Builtin::Threadname
                            | Builtin::Sid
                            | Builtin::Pgid
                            | Builtin::Psargs
                            | Builtin::Cwd
                            | Builtin::Root
                    ) | ExprKind::Call(Subroutine::Progenyof | Subroutine::DPath, _)
                );
            };
            walk_clause(clause, &mut look);
        }
        found
    }

    /// The offsets of a kernel; what is not found stays `None`.
    pub fn from_btf(btf: &Btf) -> KernelOffsets {
        let task = |path: &str| btf.field("task_struct", path).map(|field| field.offset);
        KernelOffsets {
            sum_exec_runtime: task("se.sum_exec_runtime"),
            real_parent: task("real_parent"),
            tgid: task("tgid"),
            pid: task("pid"),
            comm: task("comm"),
            cred: task("cred"),
            uid: at(btf, "cred", "uid"),
            euid: at(btf, "cred", "euid"),
            egid: at(btf, "cred", "egid"),
            thread_pointer: task("thread.fsbase"),
            process: process(btf),
            zone: zone(btf),
            paths: paths(btf),
            returns: None,
        }
    }
}

impl ReturnOffsets {
    /// Those of a kernel that has sessions.
    pub fn from_btf(btf: &Btf) -> Option<ReturnOffsets> {
        Some(ReturnOffsets {
            is_return: btf.find(&[Kind::Function], "bpf_session_is_return")?.id,
            utask: at(btf, "task_struct", "utask")?,
            depth: at(btf, "uprobe_task", "depth")?,
        })
    }
}

fn at(btf: &Btf, structure: &str, path: &str) -> Option<u32> {
    btf.field(structure, path).map(|field| field.offset)
}

fn process(btf: &Btf) -> Option<ProcessOffsets> {
    Some(ProcessOffsets {
        signal: at(btf, "task_struct", "signal")?,
        pids: at(btf, "signal_struct", "pids")?,
        number: at(btf, "pid", "numbers")? + at(btf, "upid", "nr")?,
        inum: at(btf, "pid_namespace", "ns.inum")?,
        mm: at(btf, "task_struct", "mm")?,
        arg_start: at(btf, "mm_struct", "arg_start")?,
        arg_end: at(btf, "mm_struct", "arg_end")?,
    })
}

fn zone(btf: &Btf) -> Option<ZoneOffsets> {
    Some(ZoneOffsets {
        thread_pid: at(btf, "task_struct", "thread_pid")?,
        level: at(btf, "pid", "level")?,
        nsproxy: at(btf, "task_struct", "nsproxy")?,
        uts_ns: at(btf, "nsproxy", "uts_ns")?,
        nodename: at(btf, "uts_namespace", "name.nodename")?,
    })
}

fn paths(btf: &Btf) -> Option<PathOffsets> {
    Some(PathOffsets {
        fs: at(btf, "task_struct", "fs")?,
        pwd: at(btf, "fs_struct", "pwd")?,
        root: at(btf, "fs_struct", "root")?,
        mnt: at(btf, "path", "mnt")?,
        dentry: at(btf, "path", "dentry")?,
        parent: at(btf, "dentry", "d_parent")?,
        name: at(btf, "dentry", "d_name")? + at(btf, "qstr", "name")?,
        mnt_root: at(btf, "vfsmount", "mnt_root")?,
        mount_mnt: at(btf, "mount", "mnt")?,
        mount_parent: at(btf, "mount", "mnt_parent")?,
        mountpoint: at(btf, "mount", "mnt_mountpoint")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_them() {
        let Some(btf) = Btf::vmlinux() else {
            eprintln!("SKIP this_kernel_has_them: no BTF");
            return;
        };
        let offsets = KernelOffsets::from_btf(btf);
        let all = [
            offsets.sum_exec_runtime,
            offsets.real_parent,
            offsets.tgid,
            offsets.pid,
            offsets.comm,
            offsets.cred,
            offsets.uid,
            offsets.euid,
            offsets.egid,
        ];
        assert!(all.iter().all(Option::is_some), "{offsets:?}");
        assert!(offsets.zone.is_some(), "{offsets:?}");
        assert!(offsets.process.is_some() && offsets.paths.is_some(), "{offsets:?}");
        assert_eq!(offsets.tgid, offsets.pid.map(|pid| pid + 4));
    }
}
