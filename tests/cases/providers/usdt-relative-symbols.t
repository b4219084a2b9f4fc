USDT operands that name a variable of the program, with an offset before or behind.
options: -q
program: args
--- script
args$target:::mrip { printf("%d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5); }
--- stdout
-41 4294967255 42 -43 -1234567890123 42
