The time that a kernel function takes, with a thread-local variable, as every such script does it.
options: -q
needs: functions
program: deeds file %{tmp}/data
--- script
fbt::vfs_read:entry /pid == $target && arg2 == 100/ { self->t = timestamp; }
fbt::vfs_read:return /self->t/ { @ = count(); @t = max(timestamp - self->t > 0); self->t = 0; }
END { printa("%@d %@d\n", @, @t); }
--- stdout
7 1
