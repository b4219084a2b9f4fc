stack() begins with the caller of the probed function, and so does caller.
options: -q
needs: functions
program: deeds calls
--- script
fbt::__x64_sys_getppid:entry /pid == $target && !n++/ { stack(1); sym(caller); printf("\n"); }
fbt:vmlinux:__x64_sys_getp*:return /pid == $target && probefunc == "__x64_sys_getppid" && !m++/ { stack(1); }
--- stdout regex

 +vmlinux`(x64_sys_call|do_syscall_64)\+0x[0-9a-f]+
vmlinux`(x64_sys_call|do_syscall_64) *

 +vmlinux`(x64_sys_call|do_syscall_64)\+0x[0-9a-f]+
