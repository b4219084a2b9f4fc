#!/usr/sbin/dtrace -s
/*
 * pycalls.d - calls of Python functions, counted.
 *
 * Usage:     pycalls.d              until ^C, all processes
 *            pycalls.d -c COMMAND   while a program runs
 * Needs:     a python with probes (configured --with-dtrace; Debian's is).
 *
 *   COUNT          calls, the most frequent last
 */

#pragma D option quiet

/* Python 3.11 tells of calls only while lines are traced as well. */
python*:::line
{
}

python*:::function-entry
{
	@[copyinstr(arg1), basename(copyinstr(arg0))] = count();
}

dtrace:::END
{
	printf("%10s %-32s %s\n", "COUNT", "FUNCTION", "FILE");
	printa("%@10d %-32s %s\n", @);
}
