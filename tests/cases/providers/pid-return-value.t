pid return probes have the offset and the value returned.
options: -q
program: hits 1 3
--- script
pid$target::work:return { printf("%d %d\n", arg0 > 0, arg1); }
--- stdout
1 -90000
1 -74162
1 -58324
