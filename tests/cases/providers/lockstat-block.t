lockstat tells who waits for the kernel's locks, how long, and whether as a reader or a writer.
options: -q
program: deeds locks
--- script
lockstat:::rw-block /pid == $target && arg0 != 0 && arg2 == 1/ { printf("%d\n", arg1 > 0 && arg1 < 60000000000); exit(0); }
--- stdout
1
