An associative array's key has at most eight parts, or as many as -x tregs says.
needs: nothing
status: 1
--- script
BEGIN { a[0, 1, 2, 3, 4, 5, 6, 7, 8] = 0; exit(0); }
--- stderr
Insufficient tuple registers to generate code
a key of 9 parts; -x tregs=9 permits it
