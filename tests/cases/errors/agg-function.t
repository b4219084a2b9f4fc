What is no aggregating function.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { @a = printf("x"); }
--- stderr
\[D_AGG_FUNC\] line 1
