A translator makes the members of one type from another.
options: -q
program: forks 1 3
--- script
struct in { int a; int b; };
struct out { int sum; int product; };
translator struct out < struct in *I > { sum = I->a + I->b; product = I->a * I->b; };
struct in *p;
pid$target::main:entry
{
	p = (struct in *)alloca(sizeof (struct in));
	p->a = 6; p->b = 7;
	printf("%d %d\n", xlate <struct out> (p).sum, xlate <struct out *> (p)->product);
}
--- stdout
13 42
