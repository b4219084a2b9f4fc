printf() with more arguments than conversions.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { printf("%d\n", 1, 2); }
--- stderr
\[D_PRINTF_ARG_EXTRA\] line 1
