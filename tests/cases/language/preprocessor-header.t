A C header with inline functions may be included: their bodies are passed over.
options: -C -q
--- script
#include <endian.h>
static inline int twice(int x) { if (x) { return x * 2; } return 0; }
BEGIN
{
	printf("%d\n", __BYTE_ORDER == __LITTLE_ENDIAN);
	exit(0);
}
--- stdout
1
