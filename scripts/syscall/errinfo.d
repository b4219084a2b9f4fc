#!/usr/sbin/dtrace -s
/*
 * errinfo.d - system calls that fail, by command, call and error.
 *
 * Usage:     errinfo.d [COMMAND]     until ^C; COMMAND: only this command
 * Needs:     syscall provider.
 *
 *   ERRNO          the error's number: 2 ENOENT, 4 EINTR, 11 EAGAIN, 13 EACCES, ... (errno(3))
 *   COUNT          how often, the most frequent last
 */

#pragma D option quiet
#pragma D option defaultargs

syscall:::return
/errno != 0 && ($$1 == "" || execname == $$1)/
{
	@[execname, probefunc, errno] = count();
}

dtrace:::END
{
	printf("%-16s %-24s %5s %10s\n", "COMMAND", "SYSCALL", "ERRNO", "COUNT");
	printa("%-16s %-24s %5d %@10d\n", @);
}
