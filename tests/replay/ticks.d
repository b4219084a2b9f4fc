/* Virtual time: a tick sees what had happened before it, and nothing else. */
#pragma D option quiet

BEGIN { printf("begin\n"); }

io:::start
{
	@bytes[arg0] = sum(arg1);
}

profile:::tick-1s
{
	printa("disk %d: %@d\n", @bytes);
	trunc(@bytes);
}

END { printf("end\n"); }
