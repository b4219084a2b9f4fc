Comments may stand anywhere, and a line may be continued.
options: -q
--- script
#!/usr/sbin/dtrace -qs
/* before */
BEGIN /* inside */ /* of a clause */
/1 /* not the end of the predicate */ == 1/
{
	printf(/* here */ "a /* not here */ b\n"); /* and
	here */
	exit /**/ (0);
}
--- stdout
a /* not here */ b
