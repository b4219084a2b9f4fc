A number that no speculation can have is an illegal operation; 0 is none.
options: -q -xnspec=8
--- script
BEGIN { commit(0); }
BEGIN { discard(0); }
BEGIN { printf("zero\n"); }
BEGIN { speculate(9); printf("not seen\n"); }
BEGIN { commit(1024); }
BEGIN { discard(-1); }
BEGIN { exit(0); }
ERROR { printf("fault %d\n", arg4); }
--- stdout
zero
fault 3
fault 3
fault 3
--- stderr
illegal operation
