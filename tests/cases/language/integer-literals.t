Decimal, octal and hexadecimal literals, their suffixes, and characters, also several in one.
options: -q
--- script
BEGIN
{
	printf("%d %d %d %u\n", 010, 0x1F, 1ULL, 0xffffffffffffffffULL);
	printf("%d %d %d %x\n", 'a', '\n', '\x41', 'ab');
	printf("%d %d\n", sizeof (1), sizeof (1LL));
	exit(0);
}
--- stdout
8 31 1 18446744073709551615
97 10 65 6162
4 8
