A user's address is not the kernel's: reading it without copyin() is a fault or the kernel's own zero, never the program's data.
options: -q
program: strings
--- script
strings$target:::bad /arg0 == 1/ { trace(*(char *)arg1); }
--- stderr
invalid address \(0x1\)
