Pointers count in elements.
options: -q
--- script
BEGIN
{
	p = (int32_t *)0x1000;
	q = p + 3;
	printf("%x %d %x\n", (uint64_t)q, q - p, (uint64_t)&p[-1]);
	exit(0);
}
--- stdout
100c 3 ffc
