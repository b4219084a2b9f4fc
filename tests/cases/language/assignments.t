Every assignment operator stores what it says, and has the value stored.
options: -q
--- script
BEGIN
{
	x = 5; x += 3; a = x; x -= 2; b = x; x *= 7; c = x; x /= 4; d = x; x %= 6; e = x;
	x = 12; x &= 10; f = x; x |= 3; g = x; x ^= 6; h = x; x <<= 4; i = x; x >>= 3; j = x;
	printf("%d %d %d %d %d\n%d %d %d %d %d\n", a, b, c, d, e, f, g, h, i, j);
	k = (x = 3) + (x += 4);
	printf("%d %d\n", k, x);
	exit(0);
}
--- stdout
8 6 42 10 4
8 11 13 208 26
10 7
