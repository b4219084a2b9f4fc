USDT operands that are constants.
options: -q
program: args
--- script
args$target:::konst { printf("%d %d %d %d %d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7, arg8, arg9); }
--- stdout
-5 4294967295 4294967295 -9223372036854775808 16 255 255 -128 65535 0
