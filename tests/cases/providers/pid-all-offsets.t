An empty name, or -, means every instruction; each of a straight function fires as often as it is called.
options: -q
program: hits 1 100
--- script
pid$target:hits:work: { @[probename] = count(); }
END { printa("%@d\n", @); }
--- stdout has
^100$
