Probes of the same rate share a timer: both fire at each tick, each with its own clauses, and exit() ends both.
options: -q
--- script
profile-199 { @a["a", probename] = count(); }
profile-199hz /cpu == 0/ { @b["b", probename] = count(); ticks++; }
profile-199hz /ticks == 20/ { exit(0); }
END { printa("%s %s %@d\n", @a); printa("%s %s %@d\n", @b); }
--- stdout has
^a profile-199 [1-9]
^b profile-199hz? 20$
