A clause that does not ask which return it was may have the function's calls traced instead: the values are the same.
options: -q
program: hits 1 3
--- script
pid$target::work:entry { self->in = 1; }
pid$target::work:return /self->in/ { printf("%d\n", arg1); self->in = 0; @ = count(); }
pid$target::run:return { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
-90000
-74162
-58324
4

