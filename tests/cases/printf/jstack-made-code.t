jstack() takes a size for strings, too; frames of compiled functions are named as in ustack().
options: -q
program: deep
--- script
pid$target:a.out:leaf:entry /arg0 == 3/ { jstack(8, 400); exit(0); }
--- stdout has
deep`leaf
deep`thread\+0x
