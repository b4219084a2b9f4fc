Strings compare by their bytes, with every operator.
options: -q
--- script
BEGIN
{
	a = "abc"; b = "abd";
	printf("%d %d %d %d %d %d\n", a == b, a != b, a < b, a <= "abc", a > "ab", "" >= a);
	exit(0);
}
--- stdout
0 1 1 1 1 0
