//! The built-in variables and subroutines that programs name, each with the list of all.

/// An enumeration without data, and the list of what is in it.
macro_rules! listed {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
        }
    };
}

listed! {
    /// Built-in variables as an executor sees them. `core::builtins` has the D names and types.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Builtin {
        Pid,
        Tid,
        Ppid,
        Uid,
        Gid,
        /// Str.
        Execname,
        Cpu,
        /// Nanoseconds, monotonic; the same value throughout a clause.
        Timestamp,
        /// Nanoseconds this thread has spent on a CPU.
        Vtimestamp,
        /// Nanoseconds since 1970 UTC.
        Walltimestamp,
        /// Number of the enabled clause of this probe, from 1.
        Epid,
        /// The probe's number, from 1.
        Id,
        Errno,
        /// Str, all four.
        Probeprov,
        Probemod,
        Probefunc,
        Probename,
        /// Address of the kernel function's caller; 0 outside kernel probes.
        Caller,
        /// Return address of the user function.
        Ucaller,
        Ipl,
        Stackdepth,
        Ustackdepth,
        /// Address of the kernel's task structure.
        Curthread,
        /// Str: the process' first arguments (pr_psargs).
        Psargs,
        /// Str: working directory, root directory, container name.
        Cwd,
        Root,
        Zonename,
        /// Pid of the session leader, process group.
        Sid,
        Pgid,
        Euid,
        Egid,
        /// Str: name of the thread.
        Threadname,
        /// Number of CPUs' chip, set (curcpu).
        CpuChip,
    }
}

listed! {
    /// Subroutines as an executor sees them. `core::builtins` has the D prototypes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Subroutine {
        /// `(size) -> scratch pointer`, zeroed. Faults: NOSCRATCH.
        Alloca,
        /// `(src, dst, size)`; src kernel or scratch, dst scratch.
        Bcopy,
        /// `(user address, size) -> scratch pointer`. Faults: BADADDR, NOSCRATCH.
        Copyin,
        /// `(user address, size, scratch pointer)`.
        Copyinto,
        /// `(scratch pointer, user address, size)`; destructive.
        Copyout,
        /// `(str, user address, max)`; destructive.
        Copyoutstr,
        Strlen,
        Strjoin,
        Strstr,
        /// `(str, char) -> str or NULL`.
        Strchr,
        Strrchr,
        /// `(str or NULL, delimiters) -> str or NULL`; position is kept per firing.
        Strtok,
        /// `(str, start[, length])`; negative values count from the end, as perl's.
        Substr,
        /// `(str, part[, start]) -> int`.
        Index,
        Rindex,
        Basename,
        Dirname,
        Cleanpath,
        /// `(int64[, base]) -> str`.
        Lltostr,
        /// `(str[, base]) -> int64`.
        Strtoll,
        Toupper,
        Tolower,
        Strip,
        /// `(str json, str selector) -> str or NULL`.
        Json,
        /// `(str, index) -> char`: `s[i]`; 0 behind the end. Faults: BADADDR.
        CharAt,
        /// `(pid) -> int`: is the current process that one or a descendant?
        Progenyof,
        Rand,
        Htons,
        Htonl,
        Htonll,
        Ntohs,
        Ntohl,
        Ntohll,
        /// `(pointer to ipaddr_t) -> str`.
        InetNtoa,
        InetNtoa6,
        /// `(family, pointer) -> str`.
        InetNtop,
        Getmajor,
        Getminor,
        /// `() -> int`: a fresh speculation id or 0.
        Speculation,
        MutexOwned,
        MutexOwner,
        MutexTypeAdaptive,
        MutexTypeSpin,
        RwReadHeld,
        RwWriteHeld,
        RwIswriter,
        /// `(path pointer) -> str`.
        DPath,
        LinkNtop,
        /// `(fd) -> str`: path of an open file (fds[].fi_pathname), and its parts.
        Getf,
    }
}
