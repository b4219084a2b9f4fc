//! Types of well-known kernel variables.
//!
//! The BTF of most kernels describes per-CPU variables and no others, so ``` `jiffies ``` would have no type. These are
//! declared alike in all kernels that can run us (5.15 and later); what BTF says goes before this table.

/// A variable's type: a C name, so many pointers to it, an array of so many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) base: &'static str,
    pub(super) pointers: u32,
    /// 0 for what is no array.
    pub(super) len: u64,
}

const fn plain(base: &'static str) -> Shape {
    Shape { base, pointers: 0, len: 0 }
}

const fn pointer(base: &'static str) -> Shape {
    Shape { base, pointers: 1, len: 0 }
}

const fn array(base: &'static str, len: u64) -> Shape {
    Shape { base, pointers: 0, len }
}

const ULONG: Shape = plain("unsigned long");
const UINT: Shape = plain("unsigned int");
const INT: Shape = plain("int");

/// By name, in order.
const VARIABLES: &[(&str, Shape)] = &[
    ("avenrun", array("unsigned long", 3)),
    ("boot_command_line", array("char", 2048)),
    ("bpf_verifier_lock", plain("struct mutex")),
    ("cad_pid", pointer("struct pid")),
    ("cgrp_dfl_root", plain("struct cgroup_root")),
    ("console_printk", array("int", 4)),
    ("cpu_khz", UINT),
    ("crashing_cpu", INT),
    ("high_memory", pointer("void")),
    ("init_cred", plain("struct cred")),
    ("init_fs", plain("struct fs_struct")),
    ("init_mm", plain("struct mm_struct")),
    ("init_net", plain("struct net")),
    ("init_nsproxy", plain("struct nsproxy")),
    ("init_pid_ns", plain("struct pid_namespace")),
    ("init_task", plain("struct task_struct")),
    ("init_user_ns", plain("struct user_namespace")),
    ("init_uts_ns", plain("struct uts_namespace")),
    ("jiffies", ULONG),
    ("jiffies_64", plain("unsigned long long")),
    // Its length differs from build to build; longer than any.
    ("linux_banner", array("char", 512)),
    ("loops_per_jiffy", ULONG),
    ("max_low_pfn", ULONG),
    ("max_pfn", ULONG),
    ("min_low_pfn", ULONG),
    ("nr_cpu_ids", UINT),
    ("nr_threads", INT),
    ("panic_on_oops", INT),
    ("panic_timeout", INT),
    ("root_task_group", plain("struct task_group")),
    ("saved_command_line", pointer("char")),
    ("super_blocks", plain("struct list_head")),
    ("sysctl_sched_base_slice", UINT),
    ("system_state", plain("enum system_states")),
    ("system_wq", pointer("struct workqueue_struct")),
    ("tasklist_lock", plain("rwlock_t")),
    ("total_forks", ULONG),
    ("tsc_khz", UINT),
];

/// The type of a variable of the core kernel, if it is one of these.
pub(super) fn find(name: &str) -> Option<Shape> {
    let at = VARIABLES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    VARIABLES.get(at).map(|(_, shape)| *shape)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(VARIABLES.is_sorted_by_key(|(name, _)| name));
        assert!(find("jiffies").is_some() && find("init_task").is_some() && find("nothing").is_none());
    }
}
