#!/usr/sbin/dtrace -s
/*
 * cpudist.d - how long threads stay on a processor once they have it.
 *
 * Usage:     cpudist.d [COMMAND]     until ^C; COMMAND: only this command
 * Needs:     sched provider.
 *
 *   microseconds from on-cpu to off-cpu, for each command
 */

#pragma D option quiet
#pragma D option defaultargs

sched:::on-cpu
/pid != 0 && ($$1 == "" || execname == $$1)/
{
	self->on = timestamp;
}

sched:::off-cpu
/self->on/
{
	@[execname] = quantize((timestamp - self->on) / 1000);
	self->on = 0;
}

dtrace:::END
{
	printa("%s, microseconds%@d\n", @);
}
