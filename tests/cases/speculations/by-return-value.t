Only the calls that return what is looked for are printed.
options: -q -xnspec=4
program: hits 1 20
--- script
pid$target::work:entry { self->s = speculation(); speculate(self->s); printf("work(%d)\n", (long)arg1); }
pid$target::work:return /self->s && (long)arg1 == -90000/ { commit(self->s); self->s = 0; }
pid$target::work:return /self->s/ { discard(self->s); self->s = 0; }
--- stdout has
work\(-45000\)
