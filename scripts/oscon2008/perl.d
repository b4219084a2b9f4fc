#!/usr/sbin/dtrace -s
/*
 * perl.d - the subs of every Perl on the machine: how often they are called, how long they take; or the flow of calls.
 *
 * Usage:     perl.d                  until ^C: a table every 5 seconds, and one at the end
 *            perl.d flow             calls and returns as they happen, indented
 *            dtrace -s perl.d -c 'perl script.pl'
 * Needs:     a perl with probes: built with -Dusedtrace, with the module Devel::DTrace loaded (name perlxs in place of
 *            perl where both are), or duotrace's for stock packages.
 *
 *   CALLS  calls        AVG us, SUM us  elapsed time from call to return, with that of what was called
 *
 * A sub is told apart by its name, and by file and line: of its first statement, or of the call with Devel::DTrace,
 * whose names have no package either. XS subs and built-in functions have no probes. A return that is not seen (no
 * known way is left) is made up for at the next return of a sub below it: its call is counted but not timed, and AVG is
 * that of the timed ones.
 *
 * Every call costs two traps: a program that calls hundreds of thousands of subs a second becomes several times slower.
 * pcpu.d samples.
 *
 * Example (the web shop of ci/services-web under ab):
 *   2026 Nov 23 18:59:15  Perl subs
 *       CALLS    AVG us       SUM us  SUB (FILE:LINE)
 *      236575         8      2044709  cmp_price (/srv/shop/Shop/Model.pm:7)
 *        4273        21        93165  escape (/srv/shop/Shop/View.pm:4)
 *        4001        46       186559  row (/srv/shop/Shop/View.pm:5)
 *         273     26510      7184338  handler (/srv/shop/Shop.pm:8)
 *         272      1047       285035  page (/srv/shop/Shop/View.pm:7)
 *         182     27001      4887273  top (/srv/shop/Shop/Model.pm:8)
 *          91     49140      4373536  slow (/srv/shop/Shop.pm:16)
 *   ...
 * Example (perl.d flow):
 *   7015 -> handler
 *   7015   -> item
 *   7015     -> by_id
 *   7015       -> ask
 *   7015         -> prepare
 *   7015           -> _new_sth
 *   7015           <- _new_sth
 *   7015         <- prepare
 *   7015       <- ask
 *   7015     <- by_id
 *   7015     -> page
 */

#pragma D option quiet
#pragma D option defaultargs
#pragma D option strsize=128
#pragma D option aggsortrev

/* The first assignment would make them int. */
self uint64_t start[uint64_t];
self uint64_t sub[uint64_t];

perl*:::sub-entry
{
	self->depth++;
	self->start[self->depth] = timestamp;
	self->sub[self->depth] = arg0;
	@calls[copyinstr(arg0), copyinstr(arg1), arg2] = count();
}

perl*:::sub-entry
/$$1 == "flow"/
{
	printf("%5d %*s-> %s\n", pid, 2 * (self->depth - 1), "", copyinstr(arg0));
}

/* Frames whose return was not seen: the one that returns is further down. */
perl*:::sub-return
/self->depth > 1 && self->sub[self->depth] != arg0/
{
	self->start[self->depth] = 0;
	self->depth--;
}

perl*:::sub-return
/self->depth > 1 && self->sub[self->depth] != arg0/
{
	self->start[self->depth] = 0;
	self->depth--;
}

perl*:::sub-return
/self->depth > 1 && self->sub[self->depth] != arg0/
{
	self->start[self->depth] = 0;
	self->depth--;
}

perl*:::sub-return
/$$1 == "flow" && self->depth > 0/
{
	printf("%5d %*s<- %s\n", pid, 2 * (self->depth - 1), "", copyinstr(arg0));
}

perl*:::sub-return
/self->depth > 0 && self->start[self->depth] && self->sub[self->depth] == arg0/
{
	this->us = (timestamp - self->start[self->depth]) / 1000;
	@average[copyinstr(arg0), copyinstr(arg1), arg2] = avg(this->us);
	@sum[copyinstr(arg0), copyinstr(arg1), arg2] = sum(this->us);
}

/* A return without a call: it was called before the script began. */
perl*:::sub-return
/self->depth > 0/
{
	self->start[self->depth] = 0;
	self->sub[self->depth] = 0;
	self->depth--;
}

profile:::tick-5sec, dtrace:::END
/$$1 != "flow"/
{
	printf("%Y  Perl subs\n%9s %9s %12s  %s\n", walltimestamp, "CALLS", "AVG us", "SUM us", "SUB (FILE:LINE)");
	printa("%@9d %@9d %@12d  %s (%s:%d)\n", @calls, @average, @sum);
	trunc(@calls);
	trunc(@average);
	trunc(@sum);
}
