An array's key may be a tuple of integers and strings; each tuple is an element of its own.
options: -q
--- script
BEGIN
{
	a[1, "x"] = 10;
	a[2, "x"] = 20;
	a[1, "y"] = 30;
	printf("%d %d %d %d\n", a[1, "x"], a[2, "x"], a[1, "y"], a[2, "y"]);
	exit(0);
}
--- stdout
10 20 30 0
