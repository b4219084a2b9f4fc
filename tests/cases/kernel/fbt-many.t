A pattern probes many functions of the kernel.
options: -q
needs: functions
program: deeds file %{tmp}/data
--- script
fbt:vmlinux:vfs_*:entry /pid == $target && (probefunc == "vfs_write" || probefunc == "vfs_read") && arg2 <= 1000 && arg2 % 100 == 0 && arg2/ { @e[probefunc] = count(); }
fbt:vmlinux:vfs_*:return /pid == $target && (probefunc == "vfs_write" || probefunc == "vfs_read") && arg1 % 100 == 0 && arg1/ { @r[probefunc] = sum(arg1); }
END { printa("%s %@d %@d\n", @e, @r); }
--- stdout
vfs_read 7 700
vfs_write 10 10000
