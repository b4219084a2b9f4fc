#!/usr/sbin/dtrace -s
/*
 * query_speed2.d - the statements of every PostgreSQL on the machine as a table: how many, how long, how much CPU.
 *
 * Usage:     query_speed2.d [MS]     until ^C; only statements of MS milliseconds or more (0: all); every 5 seconds,
 *                                    and at the end, a table of the time since the last one, most frequent first
 * Needs:     PostgreSQL 8.4 or later, built with --enable-dtrace (Debian's is).
 *
 * What is counted, and in which protocol: as in query_speed.d. A whole message of the simple protocol (query-start to
 * query-done), one Execute of the extended protocol (query-execute-start to query-execute-done); statements that fail
 * are not counted; statements are told apart by their text up to the first digit, quote, minus sign or $.
 *
 *   COUNT  statements       AVG, MAX, SUM  elapsed time, us       CPU  average time on a processor, us
 *
 * The table is not cut off after some number of rows: trunc() would choose different statements for each column.
 *
 * Example (pgbench -M prepared, two clients):
 *   2026 Nov 29 01:54:56
 *      COUNT        AVG        CPU        MAX          SUM  STATEMENT
 *        870        713         24      54924       620405  UPDATE pgbench_branches SET bbalance = bbalance +
 *        870        626         24      64187       544707  UPDATE pgbench_tellers SET tbalance = tbalance +
 *        870         14         14        404        12982  INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALU
 *        870          1          1         44         1288  END;
 *        869          5          5        181         5209  SELECT abalance FROM pgbench_accounts WHERE aid =
 *        868         38         38        835        33043  UPDATE pgbench_accounts SET abalance = abalance +
 *        868          1          1         20          948  BEGIN;
 */

#pragma D option quiet
#pragma D option strsize=64
#pragma D option defaultargs
#pragma D option aggsortrev

/* The first assignment would make them int: too narrow for a time or an address. */
self uint64_t simple;
self uint64_t execute;
self uint64_t cpu;
self uint64_t text;

/* Idle again (or the statement failed, and idle all the same): whatever was under way is not any more. */
postgresql*:::statement-status
/arg0 == 0/
{
	self->simple = 0;
	self->execute = 0;
	self->cpu = 0;
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
	self->cpu = vtimestamp;
}

postgresql*:::query-done
/self->simple && (timestamp - self->simple) / 1000000 >= $1/
{
	this->us = (timestamp - self->simple) / 1000;
	/* The blank keeps strtok() from finding nothing in a text that is all digits, or empty. */
	this->key = strtok(strjoin(" ", copyinstr(arg0)), "0123456789'-$");
	@count[this->key] = count();
	@avg[this->key] = avg(this->us);
	@cpu[this->key] = avg((vtimestamp - self->cpu) / 1000);
	@max[this->key] = max(this->us);
	@sum[this->key] = sum(this->us);
}

postgresql*:::query-done
{
	self->simple = 0;
	self->cpu = 0;
}

/*
 * Within a simple query the statement is executed as well; that is not another one. Nor is the execution within an
 * execution that an INSERT, UPDATE or DELETE has.
 */
postgresql*:::query-execute-start
/self->text && !self->simple && self->depth == 0/
{
	self->execute = timestamp;
	self->cpu = vtimestamp;
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
/self->execute && self->depth == 0 && (timestamp - self->execute) / 1000000 >= $1/
{
	this->us = (timestamp - self->execute) / 1000;
	this->key = strtok(strjoin(" ", copyinstr(self->text)), "0123456789'-$");
	@count[this->key] = count();
	@avg[this->key] = avg(this->us);
	@cpu[this->key] = avg((vtimestamp - self->cpu) / 1000);
	@max[this->key] = max(this->us);
	@sum[this->key] = sum(this->us);
}

postgresql*:::query-execute-done
/self->execute && self->depth == 0/
{
	self->execute = 0;
	self->cpu = 0;
}

profile:::tick-5sec
{
	printf("\n%Y\n%8s %10s %10s %10s %12s  %s\n", walltimestamp, "COUNT", "AVG", "CPU", "MAX", "SUM", "STATEMENT");
	printa("%@8d %@10d %@10d %@10d %@12d %s\n", @count, @avg, @cpu, @max, @sum);
	trunc(@count);
	trunc(@avg);
	trunc(@cpu);
	trunc(@max);
	trunc(@sum);
}

dtrace:::END
{
	printf("\n%Y\n%8s %10s %10s %10s %12s  %s\n", walltimestamp, "COUNT", "AVG", "CPU", "MAX", "SUM", "STATEMENT");
	printa("%@8d %@10d %@10d %@10d %@12d %s\n", @count, @avg, @cpu, @max, @sum);
}
