A predicate sees what the clauses before it assigned.
options: -q
--- script
BEGIN { x = 1; }
BEGIN /x == 1/ { x = 2; }
BEGIN /x == 1/ { x = 3; }
BEGIN { printf("%d\n", x); exit(0); }
--- stdout
2
