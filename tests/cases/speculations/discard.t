What is discarded is not printed.
options: -q
--- script
BEGIN { self->s = speculation(); }
BEGIN { speculate(self->s); printf("speculated\n"); }
BEGIN { discard(self->s); printf("discarded\n"); }
tick-100ms { exit(0); }
--- stdout
discarded
