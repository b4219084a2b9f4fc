A clause-local variable keeps its value for the later clauses of the same firing.
options: -q
--- script
BEGIN { this->x = 42; }
BEGIN { printf("%d\n", this->x); exit(0); }
--- stdout
42
