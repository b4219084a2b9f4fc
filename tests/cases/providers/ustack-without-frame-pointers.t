Stacks of programs and libraries without frame pointers reach main, a thread's beginning, and what a signal interrupted.
options: -q
program: deep
--- script
pid$target:a.out:leaf:entry /arg0 == 1/ { @deep[ustack(30)] = count(); }
pid$target:a.out:leaf:entry /arg0 == 2/ { @[ustack(30)] = count(); }
pid$target:a.out:leaf:entry /arg0 == 3/ { @[ustack(30)] = count(); }
pid$target:a.out:leaf:entry /arg0 == 10/ { ustack(30); }
END { printa(@deep); printa(@); }
--- stdout has
deep`deep\+0x
deep`main\+0x
deep`_start\+0x
deep`compare\+0x
libc\.so\.6`qsort
deep`thread\+0x
deep`handler\+0x
libc\.so\.6`raise
