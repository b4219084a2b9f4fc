A fault in a clause leaves what came before it in place.
options: -q
--- script
BEGIN { @ = count(); x = 5; trace(*(int *)0); x = 6; @ = count(); }
BEGIN { printf("%d\n", x); exit(0); }
--- stdout has
^5$
^ +1$
--- stderr
invalid address
