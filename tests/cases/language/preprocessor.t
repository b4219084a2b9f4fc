-C runs the preprocessor, with -D, -U and -I.
options: -q -C -DN=7 -DGONE -UGONE -I%{tmp}
--- script
#include "mine.h"
#ifdef GONE
#error not undefined
#endif
BEGIN { printf("%d\n", TWICE(N)); exit(0); }
--- file mine.h
#define TWICE(x) ((x) * 2)
--- stdout
14
