>> keeps the sign of a signed value and brings zeros into an unsigned one.
options: -q
--- script
BEGIN
{
	x = (int64_t)-16;
	y = (uint64_t)0xf000000000000000;
	printf("%d %x\n", x >> 2, y >> 60);
	exit(0);
}
--- stdout
-4 f
