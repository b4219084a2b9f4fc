Bit-fields take their bits and their sign.
options: -q
--- script
struct b { int a:3; unsigned c:5; int d:12; };
struct b v;
BEGIN
{
	v.a = 7; v.c = 21; v.d = -100;
	printf("%d %d %d\n", v.a, v.c, v.d);
	exit(0);
}
--- stdout
-1 21 -100
