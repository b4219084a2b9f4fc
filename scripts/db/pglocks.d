#!/usr/sbin/dtrace -s
/*
 * pglocks.d - what backends of PostgreSQL wait for: heavyweight locks, by wait time.
 *
 * Usage:     pglocks.d               until ^C
 * Needs:     a postgres with its own probes (Debian's has them).
 *
 *   TYPE           of LockTagType: 0 relation, 3 page, 4 tuple, 5 transaction, ...
 *   MODE           1 AccessShare ... 5 Share ... 8 AccessExclusive
 *   WAITS MS       how often, and milliseconds in all
 */

#pragma D option quiet

postgresql*:::lock-wait-start
{
	self->began = timestamp;
}

postgresql*:::lock-wait-done
/self->began/
{
	@waits[arg4, arg5] = count();
	@ms[arg4, arg5] = sum(timestamp - self->began);
	self->began = 0;
}

dtrace:::END
{
	normalize(@ms, 1000000);
	printf("%6s %6s %10s %10s\n", "TYPE", "MODE", "WAITS", "MS");
	printa("%6d %6d %@10d %@10d\n", @waits, @ms);
}
