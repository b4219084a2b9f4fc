The first frame of stack() is the kernel's own, whether a probe has one clause or several. Where others stand on the same tracepoint,
the kernel calls them all through one more function.
options: -q
program: deeds file %{tmp}/data
--- script
syscall::read:entry /pid == $target && !a++/ { stack(1); }
syscall::read:return /pid == $target && !b++/ { @[stack(1)] = count(); }
syscall::read:return /pid == $target && !c++/ { @[stack(1)] = count(); }
END { printa("%k%@d\n", @); }
--- stdout regex

 +vmlinux`(syscall_trace_enter|__traceiter_sys_enter|do_syscall_64|x64_sys_call).*

vmlinux`(syscall_exit_work|__traceiter_sys_exit|syscall_exit_to_user_mode|do_syscall_64).*
2
