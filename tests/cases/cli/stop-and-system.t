raise() needs -w, and sends a signal to the traced process.
options: -q -w
program: hits 1 1000000
--- script
pid$target::work:entry /++n == 5/ { raise(9); }
pid$target::work:entry { last = n; }
END { printf("%d\n", last >= 5 && last < 1000000); }
--- stdout
1
