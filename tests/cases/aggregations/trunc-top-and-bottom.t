trunc() keeps the largest, or with a negative number the smallest, or nothing.
options: -q
--- script
BEGIN
{
	@a[1] = sum(1); @a[2] = sum(2); @a[3] = sum(3);
	@b[1] = sum(1); @b[2] = sum(2); @b[3] = sum(3);
	@c[1] = sum(1);
	exit(0);
}
END
{
	trunc(@a, 2);
	trunc(@b, -1);
	trunc(@c);
	printa("a %d\n", @a);
	printa("b %d\n", @b);
	printa("c %d\n", @c);
}
--- stdout
a 2
a 3
b 1
