The time that a kernel function takes, with a thread-local variable, as every such script does it.
options: -q
needs: functions
program: deeds calls
--- script
fbt::__x64_sys_getppid:entry /pid == $target/ { self->t = timestamp; }
fbt::__x64_sys_getppid:return /self->t/ { @ = count(); @t = max(timestamp - self->t > 0); self->t = 0; }
END { printa("%@d %@d\n", @, @t); }
--- stdout
1234 1
