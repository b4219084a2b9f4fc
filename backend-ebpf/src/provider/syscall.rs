//! `syscall:vmlinux:NAME:entry` and `return`: all of them stand on two raw tracepoints.

use super::syscall_table::SYSCALLS;
use super::{How, Search};
use duotrace_core::probe::{ProbeArg, glob_match, is_glob};

const MODULE: &str = "vmlinux";

/// Argument types of common calls, from their manual pages.
const SIGNATURES: &[(&str, &str)] = &[
    ("read", "int,char *,size_t"),
    ("write", "int,char *,size_t"),
    ("pread64", "int,char *,size_t,off_t"),
    ("pwrite64", "int,char *,size_t,off_t"),
    ("readv", "int,void *,int"),
    ("writev", "int,void *,int"),
    ("open", "char *,int,mode_t"),
    ("openat", "int,char *,int,mode_t"),
    ("openat2", "int,char *,void *,size_t"),
    ("creat", "char *,mode_t"),
    ("close", "int"),
    ("stat", "char *,void *"),
    ("lstat", "char *,void *"),
    ("fstat", "int,void *"),
    ("newfstatat", "int,char *,void *,int"),
    ("statx", "int,char *,int,unsigned int,void *"),
    ("access", "char *,int"),
    ("faccessat", "int,char *,int"),
    ("faccessat2", "int,char *,int,int"),
    ("lseek", "int,off_t,int"),
    ("mmap", "void *,size_t,int,int,int,off_t"),
    ("mprotect", "void *,size_t,int"),
    ("munmap", "void *,size_t"),
    ("brk", "void *"),
    ("ioctl", "int,unsigned long,void *"),
    ("fcntl", "int,int,unsigned long"),
    ("dup", "int"),
    ("dup2", "int,int"),
    ("dup3", "int,int,int"),
    ("pipe", "int *"),
    ("pipe2", "int *,int"),
    ("poll", "void *,unsigned long,int"),
    ("select", "int,void *,void *,void *,void *"),
    ("socket", "int,int,int"),
    ("connect", "int,void *,socklen_t"),
    ("accept", "int,void *,void *"),
    ("accept4", "int,void *,void *,int"),
    ("bind", "int,void *,socklen_t"),
    ("listen", "int,int"),
    ("sendto", "int,void *,size_t,int,void *,socklen_t"),
    ("recvfrom", "int,void *,size_t,int,void *,void *"),
    ("sendmsg", "int,void *,int"),
    ("recvmsg", "int,void *,int"),
    ("shutdown", "int,int"),
    ("setsockopt", "int,int,int,void *,socklen_t"),
    ("getsockopt", "int,int,int,void *,void *"),
    ("execve", "char *,char **,char **"),
    ("execveat", "int,char *,char **,char **,int"),
    ("exit", "int"),
    ("exit_group", "int"),
    ("wait4", "pid_t,int *,int,void *"),
    ("kill", "pid_t,int"),
    ("tgkill", "pid_t,pid_t,int"),
    ("tkill", "pid_t,int"),
    ("getpgid", "pid_t"),
    ("setpgid", "pid_t,pid_t"),
    ("getsid", "pid_t"),
    ("chdir", "char *"),
    ("fchdir", "int"),
    ("mkdir", "char *,mode_t"),
    ("mkdirat", "int,char *,mode_t"),
    ("rmdir", "char *"),
    ("unlink", "char *"),
    ("unlinkat", "int,char *,int"),
    ("rename", "char *,char *"),
    ("renameat", "int,char *,int,char *"),
    ("renameat2", "int,char *,int,char *,unsigned int"),
    ("link", "char *,char *"),
    ("symlink", "char *,char *"),
    ("readlink", "char *,char *,size_t"),
    ("readlinkat", "int,char *,char *,size_t"),
    ("chmod", "char *,mode_t"),
    ("fchmod", "int,mode_t"),
    ("chown", "char *,uid_t,gid_t"),
    ("truncate", "char *,off_t"),
    ("ftruncate", "int,off_t"),
    ("fsync", "int"),
    ("fdatasync", "int"),
    ("getdents64", "int,void *,size_t"),
    ("mount", "char *,char *,char *,unsigned long,void *"),
    ("umount2", "char *,int"),
    ("nanosleep", "void *,void *"),
    ("clock_nanosleep", "int,int,void *,void *"),
    ("futex", "int *,int,int,void *,int *,int"),
    ("epoll_wait", "int,void *,int,int"),
    ("epoll_ctl", "int,int,int,void *"),
    ("setuid", "uid_t"),
    ("setgid", "gid_t"),
    ("prctl", "int,unsigned long,unsigned long,unsigned long,unsigned long"),
    ("sendfile", "int,int,off_t *,size_t"),
];

/// Types of `args[]`; without a signature all six are words.
fn args(function: &str, at_return: bool) -> Vec<ProbeArg> {
    let arg = |(from, ty): (usize, &str)| ProbeArg { ty: ty.to_owned(), native: None, from: from as u32 };
    if at_return {
        return ["int64_t", "int64_t"].into_iter().enumerate().map(arg).collect();
    }
    match SIGNATURES.iter().find(|(name, _)| *name == function) {
        Some((_, types)) => types.split(',').enumerate().map(arg).collect(),
        None => ["uint64_t"; 6].into_iter().enumerate().map(arg).collect(),
    }
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    if !search.is_provider("syscall") || !glob_match(&desc.module, MODULE) {
        return;
    }
    for (name, at_return) in [("entry", false), ("return", true)] {
        if !glob_match(&desc.name, name) {
            continue;
        }
        for (function, number) in SYSCALLS {
            if glob_match(&desc.function, function)
                && let Ok(number) = u32::try_from(*number)
            {
                let how = How::Syscall { number, at_return };
                search.add(["syscall", MODULE, function, name], Some(args(function, at_return)), how);
            }
        }
    }
    if !search.any() && desc.provider == "syscall" {
        search.notes.push(miss(&desc.function, &desc.name));
    }
}

/// Why a description of this provider matches nothing.
fn miss(function: &str, name: &str) -> String {
    if !glob_match(name, "entry") && !glob_match(name, "return") {
        return "probes of the syscall provider are named entry and return".to_owned();
    }
    let mut text = format!("there is no system call {function}");
    let near: Vec<&str> = SYSCALLS
        .iter()
        .map(|(syscall, _)| *syscall)
        .filter(|syscall| !is_glob(function) && (syscall.contains(function) || function.contains(syscall)))
        .filter(|syscall| syscall.len() > 2)
        .take(5)
        .collect();
    if !near.is_empty() {
        text += &format!("; there are {}", near.join(", "));
    }
    text
}
