#!/usr/sbin/dtrace -s
/*
 * pgslower.d - statements of PostgreSQL that take N milliseconds or more.
 *
 * Usage:     pgslower.d N            until ^C; 0: all
 * Needs:     a postgres with its own probes (Debian's has them).
 *
 *   MS             milliseconds from the statement's arrival to its end (simple protocol)
 */

#pragma D option quiet

#pragma D option strsize=512

dtrace:::BEGIN
{
	printf("%7s %10s %s\n", "PID", "MS", "STATEMENT");
}

postgresql*:::query-start
{
	self->began = timestamp;
}

postgresql*:::query-done
/self->began && timestamp - self->began >= $1 * 1000000/
{
	printf("%7d %6d.%03d %s\n", pid, (timestamp - self->began) / 1000000,
	    (timestamp - self->began) / 1000 % 1000, copyinstr(arg0));
}

postgresql*:::query-done
{
	self->began = 0;
}
