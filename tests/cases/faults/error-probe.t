The ERROR probe has the fault's kind and address, and runs for each.
options: -q
--- script
ERROR { printf("%d %d %d %x\n", arg1 > 0, arg2 > 0, arg4 == 1, arg5); n++; }
BEGIN { trace(*(char *)0x1234); }
BEGIN { exit(0); }
--- stdout
1 1 1 1234
--- stderr
invalid address \(0x1234\)
