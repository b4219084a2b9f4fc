Reading through NULL is a fault: the clause ends, the next one runs.
options: -q
--- script
BEGIN { printf("%d\n", *(int *)0); printf("never\n"); }
BEGIN { printf("next\n"); exit(0); }
--- stdout
next
--- stderr
^dtrace: error on enabled probe ID \d+ \(ID 1: dtrace:::BEGIN\): invalid address \(0x0\) in action #1
