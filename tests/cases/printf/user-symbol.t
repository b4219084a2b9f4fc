usym() prints a user address as module and symbol, also when the process has ended meanwhile.
options: -q
program: hits 1 1
--- script
pid$target::work:entry { usym(uregs[R_PC]); printf("\n"); usym(ucaller); }
--- stdout regex
  hits`work +
  hits`run.*
