#!/usr/sbin/dtrace -s
/*
 * pyflow.d - Python functions as they are called and return, indented.
 *
 * Usage:     pyflow.d -c COMMAND     or until ^C, all processes
 * Needs:     a python with probes (configured --with-dtrace; Debian's is).
 *
 *   US             microseconds since the script's begin
 */

#pragma D option quiet

#pragma D option switchrate=10hz

self int depth;

dtrace:::BEGIN
{
	began = timestamp;
	printf("%7s %10s  %s\n", "PID", "US", "FUNCTION");
}

/* Python 3.11 tells of calls only while lines are traced as well. */
python*:::line
{
}

python*:::function-entry
{
	printf("%7d %10d  %*s-> %s (%s:%d)\n", pid, (timestamp - began) / 1000, self->depth * 2, "", copyinstr(arg1),
	    basename(copyinstr(arg0)), (int)arg2);
	self->depth++;
}

python*:::function-return
/self->depth > 0/
{
	self->depth--;
	printf("%7d %10d  %*s<- %s\n", pid, (timestamp - began) / 1000, self->depth * 2, "", copyinstr(arg1));
}
