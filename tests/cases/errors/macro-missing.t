An argument that was not given.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { x = $1; }
--- stderr
\[D_MACRO_UNDEF\] line 1
