#!/usr/sbin/dtrace -s
/*
 * aplatency.d - how long Apache takes for each URI and status.
 *
 * Usage:     aplatency.d             until ^C
 * Needs:     an Apache 2.4 whose build has a table (the `ap` provider), or one with such probes of its own.
 *
 *   microseconds from the request being read to its response being handed on
 */

#pragma D option quiet

ap*:::process-request-entry
{
	self->began = timestamp;
}

ap*:::process-request-return
/self->began/
{
	@[copyinstr(arg1), arg2] = quantize((timestamp - self->began) / 1000);
	self->began = 0;
}

dtrace:::END
{
	printa("%s %d, microseconds%@d\n", @);
}
