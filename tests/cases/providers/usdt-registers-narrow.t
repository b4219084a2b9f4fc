USDT operands in parts of registers, with and without sign.
options: -q
program: args
--- script
args$target:::r32 { printf("%d %d %d %d\n", arg0, arg1, arg2, arg3); }
args$target:::r16 { printf("%d %d %d %d\n", arg0, arg1, arg2, arg3); }
args$target:::r8 { printf("%d %d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6); }
--- stdout
-1 4294967295 -2147483648 2147483648
-1 65535 -32768 32768
-128 255 165 -128 -2 128 127
