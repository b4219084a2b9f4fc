#!/usr/sbin/dtrace -s
/*
 * perlflow.d - Perl subs as they are called and return, indented.
 *
 * Usage:     perlflow.d -c COMMAND   or until ^C, all processes
 * Needs:     a perl with probes of its own, or one whose build has a table (the `perl` provider).
 *
 *   US             microseconds since the script's begin
 */

#pragma D option quiet

self int depth;

dtrace:::BEGIN
{
	began = timestamp;
	printf("%7s %10s  %s\n", "PID", "US", "SUB");
}

perl*:::sub-entry
{
	printf("%7d %10d  %*s-> %s::%s (%s:%d)\n", pid, (timestamp - began) / 1000, self->depth * 2, "",
	    copyinstr(arg3), copyinstr(arg0), basename(copyinstr(arg1)), (int)arg2);
	self->depth++;
}

perl*:::sub-return
/self->depth > 0/
{
	self->depth--;
	printf("%7d %10d  %*s<- %s::%s\n", pid, (timestamp - began) / 1000, self->depth * 2, "", copyinstr(arg3),
	    copyinstr(arg0));
}
