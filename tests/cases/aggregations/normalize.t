normalize() divides what is printed, until denormalize().
options: -q
--- script
BEGIN { @["k"] = sum(1000); exit(0); }
END
{
	normalize(@, 3);
	printa("%s %@d\n", @);
	denormalize(@);
	printa("%s %@d\n", @);
}
--- stdout
k 333
k 1000
