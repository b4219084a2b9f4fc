pid entry probes have the function's arguments.
options: -q
program: hits 1 3
--- script
pid$target:a.out:work:entry { printf("%d %d\n", (int)arg0, arg1); }
--- stdout
0 -45000
0 -37081
0 -29162
