USDT arguments are integers with their signs, and strings.
options: -q
program: hits 1 2
--- script
hits$target:::tick { printf("%d %d %s\n", (int)arg0, (int64_t)arg1, copyinstr(arg2)); }
--- stdout
0 -45000 thread-0
0 -37081 thread-0
