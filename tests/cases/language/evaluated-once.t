What stands once in the script is evaluated once, though more than one place needs it: the address that print() shows
and follows, the number of a speculation, the parameters of inlines and translators, the index of a character.
options: -q
--- script
struct in { int a; int b; };
typedef struct out { int sum; int twice; } out_t;
translator out_t < struct in *p > { sum = p->a + p->b; twice = p->a + p->a; };
inline int doubled[int x] = x + x;
inline int nothing[int x] = 0;
inline out_t shown[struct in *p] = xlate <out_t>(p);

BEGIN
{
	s = "abcdef";
	i = 1;
	s[i++] = 'X';
	printf("%s %d\n", s, i);
	printf("%d ", doubled[i++]);
	printf("%d ", nothing[i++]);
	printf("%d\n", i);
}

BEGIN
{
	p = (struct in *)alloca(4 * sizeof (struct in));
	q = p;
	p->a = 3;
	p->b = 4;
	p[1].a = 30;
	p[1].b = 40;
	printf("%d ", xlate <out_t>(q++).sum);
	printf("%d ", shown[q++].twice);
	printf("%d\n", (int)(q - p));
	print(--q);
	printf("%d\n", (int)(q - p));
}

BEGIN
{
	speculate(self->id = speculation());
	printf("speculated %d\n", self->id);
}

BEGIN
{
	commit(self->id++);
}

BEGIN
{
	printf("%d\n", self->id);
	exit(0);
}
--- stdout regex
aXcdef 2
4 0 4
7 60 2
0x7fd7[0-9a-f]+ = \*
 +\(struct in\) \{
 +\.a = \(int\)30,
 +\.b = \(int\)40,
 +\}
1
speculated 1
2
