#!/usr/sbin/dtrace -s
/*
 * execsnoop.d - every program that is started, as it starts.
 *
 * Usage:     execsnoop.d [COMMAND]   until ^C; COMMAND: only programs that this command (by name) starts
 * Needs:     proc provider.
 *
 *   UID PID PPID   of the process that became the program
 *   FROM           what the process was before exec
 *   COMMAND        the program and its arguments, cut at 80 characters
 */

#pragma D option quiet
#pragma D option defaultargs

dtrace:::BEGIN
{
	printf("%6s %7s %7s %-16s %s\n", "UID", "PID", "PPID", "FROM", "COMMAND");
}

proc:::exec
/$$1 == "" || execname == $$1/
{
	self->from = execname;
	self->inside = 1;
}

proc:::exec-success
/self->inside/
{
	printf("%6d %7d %7d %-16s %s\n", uid, pid, ppid, self->from, curpsinfo->pr_psargs);
}

proc:::exec-success, proc:::exec-failure
/self->inside/
{
	self->from = 0;
	self->inside = 0;
}
