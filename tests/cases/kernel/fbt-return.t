At the return of a kernel function arg1 is its value, and args[1] the same with its type.
options: -q
needs: functions
program: deeds file %{tmp}/data
--- script
fbt:vmlinux:vfs_read:return /pid == $target && arg1 == 100/ { @ = sum(args[1]); }
fbt::do_filp_open:return,
fbt::do_sys_openat2:return
/pid == $target/
{
	last = probefunc;
}
END { printa("%@d\n", @); printf("%s\n", last); }
--- stdout
700
do_sys_openat2
