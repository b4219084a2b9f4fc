A string is not assigned to an integer.
options: -q -xerrtags
needs: nothing
status: 1
--- script
int x;
BEGIN { x = "text"; }
--- stderr
\[D_OP_INCOMPAT\] line 2
