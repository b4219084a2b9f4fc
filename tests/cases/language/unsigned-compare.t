A comparison of values of which one is unsigned is unsigned.
options: -q
--- script
BEGIN
{
	x = (uint32_t)0xffffffff;
	y = (uint64_t)-1;
	printf("%d %d %d\n", x > 1, y > 1, (int64_t)y > 1);
	exit(0);
}
--- stdout
1 1 0
