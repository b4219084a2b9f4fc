speculate() of a speculation that is not in use ends the clause.
options: -q
--- script
BEGIN { speculate(0); n = 1; }
BEGIN { speculate(1); n = 1; }
BEGIN { printf("%d\n", n); exit(0); }
--- stdout
0
