A kernel without sessions has the returning instructions probed: calls may be as deep as they like.
options: -q
needs: no sessions
program: mutual 99
--- script
pid$target::even:return, pid$target::odd:return { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
100

