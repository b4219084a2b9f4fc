#!/usr/sbin/dtrace -s
/*
 * procsystime.d - the time that system calls take, by call.
 *
 * Usage:     procsystime.d [COMMAND] until ^C; COMMAND: only this command
 * Needs:     syscall provider.
 *
 *   COUNT          calls that returned
 *   ELAPSED        microseconds from entry to return, waiting included
 *   CPU            microseconds on the processor of these
 */

#pragma D option quiet
#pragma D option defaultargs

syscall:::entry
/$$1 == "" || execname == $$1/
{
	self->began = timestamp;
	self->cpu = vtimestamp;
}

syscall:::return
/self->began/
{
	@calls[probefunc] = count();
	@elapsed[probefunc] = sum(timestamp - self->began);
	@cpu[probefunc] = sum(vtimestamp - self->cpu);
	self->began = 0;
	self->cpu = 0;
}

dtrace:::END
{
	normalize(@elapsed, 1000);
	normalize(@cpu, 1000);
	printf("%-24s %10s %14s %14s\n", "SYSCALL", "COUNT", "ELAPSED", "CPU");
	printa("%-24s %@10d %@14d %@14d\n", @calls, @elapsed, @cpu);
}
