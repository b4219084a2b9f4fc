Operands enter a 64-bit computation as their own types extend them: the type they meet in only says whether it is
signed. An assignment computes as signed as what is assigned to, and a shift has the type of what is shifted.
options: -q
--- script
BEGIN
{
	a = -7;
	b = (unsigned int)2;
	printf("%d %d %d\n", a / b, (long)(a / b), (long)(a + b));
	a /= b;
	printf("%d\n", a);
	c = (char)64;
	printf("%d %d %d\n", c << 1, (long)(c << 1), sizeof (c << 1));
	d = (unsigned char)128;
	printf("%d %d %d\n", d << 1, -d, (long)(-d));
	printf("%d %d\n", ~0u == 0xffffffff, sizeof (1 << 1L));
	exit(0);
}
--- stdout
4294967292 9223372036854775804 -5
-3
-128 128 1
0 128 -128
0 4
