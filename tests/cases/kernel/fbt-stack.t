stack() begins with the caller of the probed function, and so does caller.
options: -q
needs: functions
program: deeds file %{tmp}/data
--- script
fbt::vfs_read:entry /pid == $target && arg2 == 100 && !n++/ { stack(1); sym(caller); printf("\n"); }
--- stdout regex

 +vmlinux`ksys_read\+0x[0-9a-f]+
 *vmlinux`ksys_read *
