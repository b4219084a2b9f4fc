#!/usr/sbin/dtrace -s
/*
 * qps.d - queries and transactions per second of every PostgreSQL on the machine.
 *
 * Usage:     qps.d                   until ^C, a row each second and the totals at the end
 *            dtrace -Z -s qps.d      the same, where no server runs yet
 *            dtrace -c "sleep 10" -s qps.d
 * Needs:     PostgreSQL 8.4 or later, built with --enable-dtrace (Debian's is).
 *
 * What is counted, and in which protocol:
 *   query/s  query-start: one for each message of the simple protocol (psql, PQexec, pgbench -M simple), however many
 *            statements it holds. A prepared or extended client (JDBC, DBD::Pg, PQexecParams, pgbench -M prepared)
 *            sends none of these: it reads 0 here.
 *   exec/s   query-execute-start: one for each statement executed, in either protocol. An extended client sends one
 *            Execute for each statement (more where it fetches rows in portions), so this is its rate of queries. The
 *            probe fires a second time inside an INSERT, UPDATE or DELETE, and inside an SQL-level EXECUTE: only the
 *            outermost is counted.
 *   commit/s, abort/s
 *            transaction-commit and transaction-abort, protocol or not: also the server's own transactions.
 *
 * The totals hold what was counted between the rows and after the last one: a query that was under way when the script
 * began is not in query/s, one under way when it ends is.
 *
 * Example (pgbench -M simple, one client; every transaction is seven statements):
 *   TIME                   query/s   exec/s commit/s  abort/s
 *   2026 Nov 23 15:43:55     21656    21655     3093        0
 *   ...
 *   TOTAL                    47568    47567     6795        0
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%-20s %9s %8s %8s %8s\n", "TIME", "query/s", "exec/s", "commit/s", "abort/s");

	/* A second in which nothing happens is a row of zeros, not a row left out. */
	@query = sum(0);
	@exec = sum(0);
	@commit = sum(0);
	@abort = sum(0);
	@queries = sum(0);
	@execs = sum(0);
	@commits = sum(0);
	@aborts = sum(0);
}

postgresql*:::query-start
{
	@query = sum(1);
	@queries = sum(1);
}

/* A new message: what failed has left no query-execute-done behind. */
postgresql*:::statement-status
{
	self->depth = 0;
}

postgresql*:::query-execute-start
/self->depth == 0/
{
	@exec = sum(1);
	@execs = sum(1);
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

postgresql*:::transaction-commit
{
	@commit = sum(1);
	@commits = sum(1);
}

postgresql*:::transaction-abort
{
	@abort = sum(1);
	@aborts = sum(1);
}

profile:::tick-1sec
{
	printf("%Y", walltimestamp);
	printa(" %@9d %@8d %@8d %@8d\n", @query, @exec, @commit, @abort);
	clear(@query);
	clear(@exec);
	clear(@commit);
	clear(@abort);
}

dtrace:::END
{
	printf("%-20s", "TOTAL");
	printa(" %@9d %@8d %@8d %@8d\n", @queries, @execs, @commits, @aborts);

	/* What the last row began to count is in the totals already. */
	trunc(@query);
	trunc(@exec);
	trunc(@commit);
	trunc(@abort);
}
