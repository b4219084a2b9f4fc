The kernel traces the returns of 64 calls of a thread at a time: those beyond are counted and told.
options: -q
needs: sessions
program: mutual 99
--- script
pid$target::even:return, pid$target::odd:return { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
64

--- stderr
dtrace: \d+ returns on CPU \d+ were not traced: more than 64 traced calls were under way in a thread \(-x retsites traces them\)
