-x retsites traces returns where they are, however many calls are under way.
options: -q -xretsites
program: mutual 99
--- script
pid$target::even:return, pid$target::odd:return { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
100

