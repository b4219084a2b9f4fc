No conversion from a structure to an integer.
options: -q -xerrtags
needs: nothing
status: 1
--- script
struct s { int a; };
struct s v;
BEGIN { trace(v + 1); }
--- stderr
\[D_OP_INCOMPAT\] line 3
