//! The kernel helpers that generated code may call, by their stable numbers (`linux/bpf.h`, `__BPF_FUNC_MAPPER`).

macro_rules! helpers {
    ($($(#[$doc:meta])* $variant:ident = $id:literal $name:literal,)*) => {
        /// A kernel helper function; the discriminant is its number in the kernel's ABI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Helper {
            $($(#[$doc])* $variant = $id,)*
        }

        impl Helper {
            /// Every helper known here.
            pub const ALL: &[Helper] = &[$(Helper::$variant,)*];

            /// The name the verifier's log uses.
            pub fn name(self) -> &'static str {
                match self {
                    $(Helper::$variant => $name,)*
                }
            }

            /// The helper of a number.
            pub fn from_id(id: i32) -> Option<Helper> {
                match id {
                    $($id => Some(Helper::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

helpers! {
    /// `(map, key*) -> value* or null`
    MapLookupElem = 1 "bpf_map_lookup_elem",
    /// `(map, key*, value*, flags) -> 0 or -errno`
    MapUpdateElem = 2 "bpf_map_update_elem",
    /// `(map, key*) -> 0 or -errno`
    MapDeleteElem = 3 "bpf_map_delete_elem",
    /// `(dst*, size, address) -> 0 or -errno`
    ProbeRead = 4 "bpf_probe_read",
    /// `() -> ns`, CLOCK_MONOTONIC
    KtimeGetNs = 5 "bpf_ktime_get_ns",
    /// `(fmt*, size, ...) -> len`, to trace_pipe
    TracePrintk = 6 "bpf_trace_printk",
    /// `() -> u32`
    GetPrandomU32 = 7 "bpf_get_prandom_u32",
    /// `() -> cpu`
    GetSmpProcessorId = 8 "bpf_get_smp_processor_id",
    /// `(ctx, map, index)`; returns only on failure
    TailCall = 12 "bpf_tail_call",
    /// `() -> tgid << 32 | tid`, of the initial namespace
    GetCurrentPidTgid = 14 "bpf_get_current_pid_tgid",
    /// `() -> gid << 32 | uid`
    GetCurrentUidGid = 15 "bpf_get_current_uid_gid",
    /// `(buf*, size) -> 0 or -errno`
    GetCurrentComm = 16 "bpf_get_current_comm",
    /// `(map, flags) -> counter or -errno`
    PerfEventRead = 22 "bpf_perf_event_read",
    /// `(ctx, map, flags, data*, size) -> 0 or -errno`
    PerfEventOutput = 25 "bpf_perf_event_output",
    /// `(ctx, map, flags) -> stack id or -errno`
    GetStackid = 27 "bpf_get_stackid",
    /// `() -> struct task_struct *` as a number
    GetCurrentTask = 35 "bpf_get_current_task",
    /// `(dst address, src*, len) -> 0 or -errno`; refused under lockdown
    ProbeWriteUser = 36 "bpf_probe_write_user",
    /// `(map, index) -> 1, 0 or -errno`
    CurrentTaskUnderCgroup = 37 "bpf_current_task_under_cgroup",
    /// `() -> node`
    GetNumaNodeId = 42 "bpf_get_numa_node_id",
    /// `(dst*, size, address) -> len or -errno`
    ProbeReadStr = 45 "bpf_probe_read_str",
    /// `(map, flags, buf*, size) -> 0 or -errno`
    PerfEventReadValue = 55 "bpf_perf_event_read_value",
    /// `(ctx, buf*, size) -> 0 or -errno`
    PerfProgReadValue = 56 "bpf_perf_prog_read_value",
    /// `(ctx, rc) -> 0`
    OverrideReturn = 58 "bpf_override_return",
    /// `(ctx, buf*, size, flags) -> bytes or -errno`
    GetStack = 67 "bpf_get_stack",
    /// `() -> id`
    GetCurrentCgroupId = 80 "bpf_get_current_cgroup_id",
    /// `(signal) -> 0 or -errno`, to the process
    SendSignal = 109 "bpf_send_signal",
    /// `(dst*, size, user address) -> 0 or -errno`
    ProbeReadUser = 112 "bpf_probe_read_user",
    /// `(dst*, size, kernel address) -> 0 or -errno`
    ProbeReadKernel = 113 "bpf_probe_read_kernel",
    /// `(dst*, size, user address) -> length with NUL or -errno`
    ProbeReadUserStr = 114 "bpf_probe_read_user_str",
    /// `(dst*, size, kernel address) -> length with NUL or -errno`
    ProbeReadKernelStr = 115 "bpf_probe_read_kernel_str",
    /// `(signal) -> 0 or -errno`, to the thread
    SendSignalThread = 117 "bpf_send_signal_thread",
    /// `() -> jiffies`
    Jiffies64 = 118 "bpf_jiffies64",
    /// `(dev, ino, struct bpf_pidns_info *, size) -> 0 or -errno`
    GetNsCurrentPidTgid = 120 "bpf_get_ns_current_pid_tgid",
    /// `(level) -> id`
    GetCurrentAncestorCgroupId = 123 "bpf_get_current_ancestor_cgroup_id",
    /// `() -> ns`, CLOCK_BOOTTIME
    KtimeGetBootNs = 125 "bpf_ktime_get_boot_ns",
    /// `(map, data*, size, flags) -> 0 or -errno`
    RingbufOutput = 130 "bpf_ringbuf_output",
    /// `(map, constant size, 0) -> record* or null`
    RingbufReserve = 131 "bpf_ringbuf_reserve",
    /// `(record*, flags)`
    RingbufSubmit = 132 "bpf_ringbuf_submit",
    /// `(record*, flags)`
    RingbufDiscard = 133 "bpf_ringbuf_discard",
    /// `(map, what) -> value`
    RingbufQuery = 134 "bpf_ringbuf_query",
    /// `(task, buf*, size, flags) -> bytes or -errno`
    GetTaskStack = 141 "bpf_get_task_stack",
    /// `(path*, buf*, size) -> len or -errno`
    DPath = 147 "bpf_d_path",
    /// `(dst*, size, user address) -> 0 or -errno`, sleepable programs only
    CopyFromUser = 148 "bpf_copy_from_user",
    /// `(buf*, size, struct btf_ptr *, size, flags) -> len or -errno`
    SnprintfBtf = 149 "bpf_snprintf_btf",
    /// `(var, cpu) -> address or null`
    PerCpuPtr = 153 "bpf_per_cpu_ptr",
    /// `(var) -> address`
    ThisCpuPtr = 154 "bpf_this_cpu_ptr",
    /// `(map, task, value* or 0, flags) -> value* or null`
    TaskStorageGet = 156 "bpf_task_storage_get",
    /// `(map, task) -> 0 or -errno`
    TaskStorageDelete = 157 "bpf_task_storage_delete",
    /// `() -> struct task_struct *` as a trusted pointer
    GetCurrentTaskBtf = 158 "bpf_get_current_task_btf",
    /// `() -> ns`, coarse CLOCK_MONOTONIC
    KtimeGetCoarseNs = 160 "bpf_ktime_get_coarse_ns",
    /// `(map, callback, ctx, flags) -> count or -errno`
    ForEachMapElem = 164 "bpf_for_each_map_elem",
    /// `(buf*, size, fmt*, data*, len) -> len or -errno`
    Snprintf = 165 "bpf_snprintf",
    /// `(ctx) -> address of the probed function`
    GetFuncIp = 173 "bpf_get_func_ip",
    /// `(ctx) -> cookie` given at attach time
    GetAttachCookie = 174 "bpf_get_attach_cookie",
    /// `(task) -> struct pt_regs *`
    TaskPtRegs = 175 "bpf_task_pt_regs",
    /// `(task, address, callback, ctx, flags) -> 0 or -errno`
    FindVma = 180 "bpf_find_vma",
    /// `(count, callback, ctx, 0) -> iterations or -errno`
    Loop = 181 "bpf_loop",
    /// `(s1*, size, constant s2*) -> order`
    Strncmp = 182 "bpf_strncmp",
    /// `(ctx, n, u64 *) -> 0 or -errno`
    GetFuncArg = 183 "bpf_get_func_arg",
    /// `(ctx, u64 *) -> 0 or -errno`
    GetFuncRet = 184 "bpf_get_func_ret",
    /// `(ctx) -> count`
    GetFuncArgCnt = 185 "bpf_get_func_arg_cnt",
    /// `(dst*, size, user address, task, flags) -> 0 or -errno`, sleepable programs only
    CopyFromUserTask = 191 "bpf_copy_from_user_task",
    /// `(map, key*, cpu) -> value* or null`
    MapLookupPercpuElem = 195 "bpf_map_lookup_percpu_elem",
    /// `(data*, size, flags, dynptr*) -> 0 or -errno`
    DynptrFromMem = 197 "bpf_dynptr_from_mem",
    /// `(map, size, flags, dynptr*) -> 0 or -errno`; submit or discard is due even on failure
    RingbufReserveDynptr = 198 "bpf_ringbuf_reserve_dynptr",
    /// `(dynptr*, flags)`
    RingbufSubmitDynptr = 199 "bpf_ringbuf_submit_dynptr",
    /// `(dynptr*, flags)`
    RingbufDiscardDynptr = 200 "bpf_ringbuf_discard_dynptr",
    /// `(dst*, len, dynptr*, offset, flags) -> 0 or -errno`
    DynptrRead = 201 "bpf_dynptr_read",
    /// `(dynptr*, offset, src*, len, flags) -> 0 or -errno`
    DynptrWrite = 202 "bpf_dynptr_write",
    /// `(dynptr*, offset, constant len) -> address or null`
    DynptrData = 203 "bpf_dynptr_data",
    /// `() -> ns`, CLOCK_TAI (wall clock plus leap seconds; kernel 6.1)
    KtimeGetTaiNs = 208 "bpf_ktime_get_tai_ns",
}
