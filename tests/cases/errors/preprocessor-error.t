What the preprocessor refuses.
options: -q -C
needs: nothing
status: 1
--- script
#error no
BEGIN { }
--- stderr
.
