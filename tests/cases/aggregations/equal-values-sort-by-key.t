Where values are equal, the keys decide, string by its bytes, integers as unsigned numbers.
options: -q
--- script
BEGIN
{
	@["b"] = count(); @["a"] = count(); @["c"] = count();
	@n[10] = count(); @n[-2] = count(); @n[9] = count();
	exit(0);
}
END { printa("%s ", @); printa("%d ", @n); }
--- stdout
a b c 9 10 -2
