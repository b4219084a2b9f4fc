What is traced speculatively is printed when it is committed.
options: -q
--- script
BEGIN { self->s = speculation(); }
BEGIN { speculate(self->s); printf("speculated\n"); }
BEGIN { printf("not\n"); }
BEGIN { commit(self->s); }
tick-100ms { exit(0); }
--- stdout
not
speculated
