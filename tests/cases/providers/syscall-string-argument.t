A path that a system call is given.
options: -q
program: dlopener %{bin}/libduo.so 1 1
--- script
syscall::openat:entry /pid == $target && basename(copyinstr(arg1)) == "libduo.so"/ { n++; }
END { printf("%d\n", n); }
--- stdout
1
