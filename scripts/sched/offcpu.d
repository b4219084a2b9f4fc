#!/usr/sbin/dtrace -s
/*
 * offcpu.d - where threads wait: time off the processor by user stack.
 *
 * Usage:     offcpu.d COMMAND        until ^C: the 20 stacks that waited longest, the longest last
 * Needs:     sched provider.
 *
 *   microseconds from off-cpu to on-cpu, under the stack that waited; time on a run queue is part of it
 */

#pragma D option quiet

sched:::off-cpu
/execname == $$1/
{
	self->off = timestamp;
}

sched:::on-cpu
/self->off/
{
	@[ustack(20)] = sum(timestamp - self->off);
	self->off = 0;
}

dtrace:::END
{
	normalize(@, 1000);
	trunc(@, 20);
	printa("%k%@14d us\n\n", @);
}
