sizeof tells the size of types, of expressions and of members.
options: -q
--- script
struct s { char a; int b; char c[5]; };
struct s *p;
BEGIN
{
	printf("%d %d %d %d\n", sizeof (char), sizeof (short), sizeof (long), sizeof (void *));
	printf("%d %d %d\n", sizeof (struct s), sizeof (p->c), sizeof (*p));
	exit(0);
}
--- stdout
1 2 8 8
16 5 16
