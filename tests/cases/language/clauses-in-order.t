All clauses of a probe run in the order of the script, each with its predicate.
options: -q
--- script
BEGIN /1/ { printf("1 "); }
dtrace:::BEGIN, END { printf("2 "); }
BEGIN /0/ { printf("never "); }
dtrace::: { printf("3 "); }
BEGIN { exit(0); }
END { printf("4\n"); }
--- stdout
1 2 3 2 3 4
