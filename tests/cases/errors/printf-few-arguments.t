printf() with fewer arguments than conversions.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { printf("%d %d\n", 1); }
--- stderr
\[D_PRINTF_ARG_PROTO\] line 1
