#!/usr/sbin/dtrace -s
/*
 * rubycalls.d - calls of Ruby methods, counted.
 *
 * Usage:     rubycalls.d              until ^C, all processes
 *            rubycalls.d -c COMMAND   while a program runs
 * Needs:     a ruby with probes (Debian's has them).
 *
 *   COUNT          calls, the most frequent last; methods in Ruby and in C
 */

#pragma D option quiet

ruby*:::method-entry, ruby*:::cmethod-entry
{
	@[strjoin(copyinstr(arg0), strjoin("#", copyinstr(arg1))), basename(copyinstr(arg2))] = count();
}

dtrace:::END
{
	printf("%10s %-32s %s\n", "COUNT", "METHOD", "FILE");
	printa("%@10d %-32s %s\n", @);
}
