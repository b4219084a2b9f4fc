fbt's probes are listed, with the types of their arguments under -v.
options: -lvn fbt::vfs_write:
needs: functions
--- stdout has
fbt +vmlinux +vfs_write entry
args\[0\]: struct file \*
args\[3\]: loff_t \*
fbt +vmlinux +vfs_write return
args\[1\]: ssize_t
