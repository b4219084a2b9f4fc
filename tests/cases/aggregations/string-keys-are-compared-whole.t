String keys that differ only in what follows a common beginning, or in length, are different keys.
options: -q
--- script
BEGIN
{
	@["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"] = sum(1);
	@["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"] = sum(2);
	@["aaaaaaa"] = sum(3);
	@["aaaaaaaa"] = sum(4);
	@[""] = sum(5);
	exit(0);
}
END { printa("%@d ", @); }
--- stdout
1 2 3 4 5
