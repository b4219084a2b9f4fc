#!/usr/sbin/dtrace -s
/*
 * offcpu.d - where threads wait: time off the processor in system calls, by call and user stack.
 *
 * Usage:     offcpu.d COMMAND        until ^C: the 20 stacks that waited longest, the longest last
 * Needs:     sched and syscall providers.
 *
 *   microseconds from off-cpu to on-cpu, under the call and the stack that waited; time on a run queue is part of
 *   it. Waits outside of system calls (page faults, being preempted) are left out
 */

#pragma D option quiet

syscall:::entry
/execname == $$1/
{
	self->inside = 1;
	self->waited = 0;
}

sched:::off-cpu
/self->inside/
{
	self->off = timestamp;
}

sched:::on-cpu
/self->off/
{
	self->waited += timestamp - self->off;
	self->off = 0;
}

/* At the return the stack is the caller's own, on every system; at on-cpu, Linux is still on the one before. */
syscall:::return
/self->waited/
{
	@[probefunc, ustack(20)] = sum(self->waited);
}

syscall:::return
/self->inside/
{
	self->inside = 0;
	self->waited = 0;
}

dtrace:::END
{
	normalize(@, 1000);
	trunc(@, 20);
	printa("%s%k%@14d us\n\n", @);
}
