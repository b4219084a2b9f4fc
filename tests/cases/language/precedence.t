Operators bind as in C: bits looser than comparisons, shifts tighter.
options: -q
--- script
BEGIN
{
	a = 6; b = 3;
	printf("%d %d %d %d\n", a & b == 3, 1 << 2 + 1, -a % 4, ~a & 7 ^ 1);
	printf("%d\n", a > b ? a : b > 1 ? 10 : 20);
	exit(0);
}
--- stdout
0 8 -2 0
6
