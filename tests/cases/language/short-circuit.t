&&, || and ?: do not evaluate what they do not need: no fault comes of it.
options: -q
--- script
BEGIN
{
	z = 0;
	p = (int *)0;
	printf("%d ", z && *p);
	printf("%d ", !z || *p);
	printf("%d\n", z ? *p : 7);
	exit(0);
}
--- stdout
0 1 7
