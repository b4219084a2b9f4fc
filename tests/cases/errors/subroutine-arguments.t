A subroutine with the wrong number of arguments.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { trace(strlen("a", "b")); }
--- stderr
\[D_PROTO_LEN\] line 1
