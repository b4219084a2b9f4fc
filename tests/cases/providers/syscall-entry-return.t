System calls of a process: arguments at entry, the result at return.
options: -q
program: late 1 20
--- script
syscall::clock_nanosleep:entry /pid == $target/ { self->in = 1; n++; }
syscall::clock_nanosleep:return /self->in/ { printf("%d %d %d\n", n, arg0, errno); self->in = 0; }
--- stdout
1 0 0
