/* For programs that say <sys/sdt.h>: compile them with -I.../include/duotrace. */
#include "../sdt.h"
