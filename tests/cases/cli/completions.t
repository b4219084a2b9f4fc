completions prints those of a shell.
options: completions bash
needs: nothing
--- stdout has
^_duotrace\(\)
--backend
trace2text
