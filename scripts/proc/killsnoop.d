#!/usr/sbin/dtrace -s
/*
 * killsnoop.d - signals: who sends which to whom.
 *
 * Usage:     killsnoop.d             until ^C
 * Needs:     proc provider.
 *
 *   PID COMMAND    the sender (0: the kernel)
 *   SIG            the signal's number
 *   TARGET TARGETNAME  the process it is sent to
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%7s %-16s %4s %7s %s\n", "PID", "COMMAND", "SIG", "TARGET", "TARGETNAME");
}

proc:::signal-send
{
	printf("%7d %-16s %4d %7d %s\n", pid, execname, (int)args[2], args[1]->pr_pid, args[1]->pr_fname);
}
