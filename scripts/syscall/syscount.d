#!/usr/sbin/dtrace -s
/*
 * syscount.d - system calls, counted by command and name.
 *
 * Usage:     syscount.d [COMMAND]    until ^C; COMMAND: only this command
 *            syscount.d -c ./prog    while a program runs
 * Needs:     syscall provider.
 *
 *   COUNT          calls, the most frequent last
 */

#pragma D option quiet
#pragma D option defaultargs

syscall:::entry
/$$1 == "" || execname == $$1/
{
	@[execname, probefunc] = count();
}

dtrace:::END
{
	printf("%-16s %-24s %10s\n", "COMMAND", "SYSCALL", "COUNT");
	printa("%-16s %-24s %@10d\n", @);
}
