Division by a constant zero is found when compiling.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { x = 1 / 0; }
--- stderr
\[D_DIV_ZERO\] line 1
