USDT operands in memory: with displacement, with an index and a scale.
options: -q
program: args
--- script
args$target:::memory { printf("%d %d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6); }
args$target:::mindex { printf("%d %d %d %d\n", arg0, arg1, arg2, arg3); }
args$target:::stack { printf("%d %d %d\n", arg0, arg1, arg2); }
--- stdout
1234605616436508552 -2 -123 133 -123 4386 -2
4 4 4294967173 -2
-77 -77 -77
