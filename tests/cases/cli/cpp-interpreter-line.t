With -C, too, a script's own first line is no D; lines keep their numbers, and headers lie beside the script.
options: -C -q
--- script
#!/usr/sbin/dtrace -Cs
#include "number.h"
BEGIN { printf("%d %d\n", NUMBER, __LINE__); exit(0); }
--- file number.h
#define NUMBER 42
--- stdout
42 3
