#!/usr/sbin/dtrace -s
/*
 * lifetime.d - how long processes live, and how they end: finds the short ones that top never shows.
 *
 * Usage:     lifetime.d              until ^C: a line for each end, a histogram for each command at the end
 * Needs:     proc provider.
 *
 *   MS             milliseconds from fork (or from the script's begin) to exit
 *   REASON         1 exit, 2 killed, 3 core dumped
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%7s %-16s %10s %s\n", "PID", "COMMAND", "MS", "REASON");
}

proc:::create
{
	born[args[0]->pr_pid] = timestamp;
}

proc:::exit
/born[pid]/
{
	printf("%7d %-16s %10d %d\n", pid, execname, (timestamp - born[pid]) / 1000000, (int)args[0]);
	@[execname] = quantize((timestamp - born[pid]) / 1000000);
	born[pid] = 0;
}

dtrace:::END
{
	printa("\n%s, milliseconds%@d", @);
}
