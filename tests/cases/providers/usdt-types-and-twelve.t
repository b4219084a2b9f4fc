USDT probes of <sys/sdt.h>: all integer types, and the tenth argument by args[].
options: -q
program: args 2
--- script
args$target:::types { printf("%d %d %d %d %d %d %d %d\n", arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7); }
args$target:::twelve { printf("%d %d %d %d %d %d %d %d\n", arg0, arg1, arg3, arg5, arg7, arg8, arg9, args[9]); }
--- stdout
-8 248 -1600 65000 -320000 4000000000 -6400000000 6400000000
0 -8 -3 -1600 7 -6400000000 9 9
-8 248 -1600 65000 -320000 4000000000 -6400000000 6400000000
0 -8 -3 -1600 7 -6400000000 9 9
