A built-in variable cannot be assigned.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { pid = 1; }
--- stderr
\[D_OP_WRITE\] line 1
