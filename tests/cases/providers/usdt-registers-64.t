USDT operands in 64-bit registers.
options: -q
program: args
--- script
args$target:::r64 { printf("%d %d %d %d %d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7, arg8, arg9); }
args$target:::r64high { printf("%d %d %d\n", arg0, arg1, arg2); }
--- stdout
1 -2 3 9223372036854775807 -5 6 7 8 9 10
-11 12 13
