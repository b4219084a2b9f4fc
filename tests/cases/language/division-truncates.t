Division and remainder round toward zero, as in C.
options: -q
--- script
BEGIN { printf("%d %d %d %d\n", -7 / 2, -7 % 2, 7 / -2, 7 % -2); exit(0); }
--- stdout
-3 -1 -3 1
