An operand that is no integer does not take the others with it.
options: -q
program: args
--- script
args$target:::rfloat { printf("%d\n", arg1); }
args$target:::knone { printf("none\n"); }
--- stdout
-3
none
