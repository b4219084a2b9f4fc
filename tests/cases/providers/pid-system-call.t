A system call's instruction is left out, and that is said: to step over it would take the program's life.
options: -q
program: late 1
--- script
pid$target:libc.so.6:brk: { instructions++; }
pid$target:libc.so.6:brk:entry { calls++; }
pid$target:libc.so.6:_exit: { instructions++; }
END { printf("%d %d\n", calls > 0, instructions > 3 * calls); }
--- stdout
1 1
--- stderr
\d+ instructions? cannot be probed on this kernel: (it is|they are) left out
