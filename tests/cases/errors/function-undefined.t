A function that does not exist.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { nosuch(1); }
--- stderr
\[D_FUNC_UNDEF\] line 1
