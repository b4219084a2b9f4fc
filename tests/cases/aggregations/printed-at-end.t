What was not printed is printed at the end; what was, is not again.
options: -q
--- script
BEGIN { @a = sum(1); @b = sum(2); exit(0); }
END { printa("%@d\n", @a); }
--- stdout
1

                2
