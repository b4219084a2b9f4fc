#!/usr/sbin/dtrace -s
/*
 * phpcalls.d - calls of PHP functions, counted.
 *
 * Usage:     phpcalls.d              until ^C, all processes
 *            phpcalls.d -c COMMAND   while a program runs
 * Needs:     a php with probes, run with USE_ZEND_DTRACE=1 in its environment.
 *
 *   COUNT          calls, the most frequent last
 */

#pragma D option quiet

php*:::function-entry
{
	@[copyinstr(arg0), basename(copyinstr(arg1))] = count();
}

dtrace:::END
{
	printf("%10s %-32s %s\n", "COUNT", "FUNCTION", "FILE");
	printa("%@10d %-32s %s\n", @);
}
