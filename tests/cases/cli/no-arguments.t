Without arguments there is nothing to trace.
needs: nothing
status: 1
--- stderr
^dtrace: no probes specified$
