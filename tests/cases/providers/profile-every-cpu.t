profile-N fires on every CPU.
options: -q
--- script
profile-199 { @[cpu] = count(); }
tick-300ms { exit(0); }
END { printa("%d %@d\n", @); }
--- stdout has
^0 [1-9]
