A translator makes the members of one type from another.
options: -q
--- script
struct in { int a; int b; };
struct out { int sum; int product; };
translator struct out < struct in *I > { sum = I->a + I->b; product = I->a * I->b; };
struct in v;
BEGIN
{
	v.a = 6; v.b = 7;
	printf("%d %d\n", xlate <struct out> (&v).sum, xlate <struct out *> (&v)->product);
	exit(0);
}
--- stdout
13 42
