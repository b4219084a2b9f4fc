/* nops.c as C++: the macros of <duotrace/sdt.h> find the types of arguments in another way there. */
#include "nops.c"
