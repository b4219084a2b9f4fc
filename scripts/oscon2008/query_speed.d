#!/usr/sbin/dtrace -s
/*
 * query_speed.d - how long the statements of every PostgreSQL on the machine take: a histogram for each statement.
 *
 * Usage:     query_speed.d           until ^C; every 5 seconds, and at the end, the ten most frequent statements of
 *                                    the time since the last table
 * Needs:     PostgreSQL 8.4 or later, built with --enable-dtrace (Debian's is).
 *
 * What is counted, and in which protocol:
 *   simple protocol    query-start to query-done: a whole message (parse, plan, execute, send), in microseconds.
 *   extended protocol  query-execute-start to query-execute-done: one Execute. These probes have no text; it is the
 *                      one that statement-status gave last in this backend. Parse and Bind are not in the time.
 *
 * A statement that fails has a start and no end: it is not counted. Statements are told apart by their text up to the
 * first digit, quote, minus sign or $, and by 63 characters at most: otherwise every literal would make a histogram of
 * its own.
 *
 * Example (pgbench -M prepared, one client):
 *    SELECT abalance FROM pgbench_accounts WHERE aid =
 *              value  ------------- Distribution ------------- count
 *                  2 |                                         0
 *                  4 |@@@@@@@@@@@@@@@@@@                       3479
 *                  8 |@@@@@@@@@@@@@@@@@@@@@                    3966
 *                 16 |                                         90
 *                 32 |                                         44
 *                 64 |                                         6
 *                128 |                                         0
 */

#pragma D option quiet
#pragma D option strsize=64

/* The first assignment would make them int: too narrow for a time or an address. */
self uint64_t simple;
self uint64_t execute;
self uint64_t text;

dtrace:::BEGIN
{
	printf("Tracing PostgreSQL statements; a table every 5 seconds. ^C to end.\n");
}

/* Idle again (or the statement failed, and idle all the same): whatever was under way is not any more. */
postgresql*:::statement-status
/arg0 == 0/
{
	self->simple = 0;
	self->execute = 0;
	self->depth = 0;
	self->text = 0;
}

postgresql*:::statement-status
/arg0 != 0/
{
	self->depth = 0;
	self->text = arg0;
}

postgresql*:::query-start
{
	self->simple = timestamp;
}

postgresql*:::query-done
/self->simple/
{
	/* The blank keeps strtok() from finding nothing in a text that is all digits, or empty. */
	@speed[strtok(strjoin(" ", copyinstr(arg0)), "0123456789'-$")] =
	    quantize((timestamp - self->simple) / 1000);
	self->simple = 0;
}

/*
 * Within a simple query the statement is executed as well; that is not another one. Nor is the execution within an
 * execution that an INSERT, UPDATE or DELETE has.
 */
postgresql*:::query-execute-start
/self->text && !self->simple && self->depth == 0/
{
	self->execute = timestamp;
}

postgresql*:::query-execute-start
{
	self->depth++;
}

postgresql*:::query-execute-done
/self->depth > 0/
{
	self->depth--;
}

postgresql*:::query-execute-done
/self->execute && self->depth == 0/
{
	@speed[strtok(strjoin(" ", copyinstr(self->text)), "0123456789'-$")] =
	    quantize((timestamp - self->execute) / 1000);
	self->execute = 0;
}

profile:::tick-5sec
{
	printf("\n%Y  statements by time, us\n", walltimestamp);
	trunc(@speed, 10);
	printa("%s%@d\n", @speed);
	trunc(@speed);
}

dtrace:::END
{
	printf("\n%Y  statements by time, us\n", walltimestamp);
	trunc(@speed, 10);
	printa("%s%@d\n", @speed);
}
