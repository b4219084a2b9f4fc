A function of libc.
options: -q
program: hits 1 1
--- script
pid$target:libc.so.6:puts:entry, pid$target:libc*:printf:entry { n++; }
END { printf("%d\n", n > 5); }
--- stdout
1
