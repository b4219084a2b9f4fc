#!/usr/sbin/dtrace -s
/*
 * papcpu2.d - what Apache's requests wait for: who was taken off the processor, for how long, serving what, in which
 *             Perl sub.
 *
 * Usage:     papcpu2.d               until ^C: a line for each time off the processor, the sums at the end
 *            papcpu2.d 1000          only times of 1000 microseconds or more
 * Needs:     as papcpu.d.
 *
 *   PID, EXECNAME   the process          US   microseconds off the processor
 *   URI             of the request       SUB  the sub that was running and where; `-`: the server outside any sub
 *
 * A request waits here for the disk, for another server (PostgreSQL), for a lock, or for a processor.
 *
 * Example (the web shop of ci/services-web under ab):
 *      PID EXECNAME           US  URI              SUB (FILE:LINE)
 *     7015 /usr/sbin/apach     4041  /shop/list       cmp_price (/srv/shop/Shop/Model.pm:7)
 *     7015 /usr/sbin/apach      789  /shop/list       page (/srv/shop/Shop/View.pm:7)
 *     7017 /usr/sbin/apach    20081  /shop/slow       wait_backend (/srv/shop/Shop/Model.pm:21)
 *     7015 /usr/sbin/apach    21536  /shop/slow       wait_backend (/srv/shop/Shop/Model.pm:21)
 *     7017 /usr/sbin/apach     2909  /shop/list       cmp_price (/srv/shop/Shop/Model.pm:7)
 *   ...
 *         SUM us  URI                  SUB
 *         111817  /shop/list           top
 *         189977  /shop/slow           cmp_price
 *         194324  /shop/slow           top
 *         211502  /shop/list           cmp_price
 *        2950809  /shop/slow           wait_backend
 */

#pragma D option quiet
#pragma D option defaultargs
#pragma D option zdefs
#pragma D option strsize=128

self uint64_t request;
self uint64_t off;
self uint64_t sub[uint64_t];
self uint64_t file[uint64_t];
self uint64_t line[uint64_t];

dtrace:::BEGIN
{
	printf("%6s %-12s %8s  %-16s %s\n", "PID", "EXECNAME", "US", "URI", "SUB (FILE:LINE)");
}

/* The URI's text is taken at once: where threads are switched no page can be fetched. */
ap*:::process-request-entry
{
	self->request = arg0;
	self->uri = copyinstr(arg1);
	self->depth = 0;
}

perl*::Perl_dtrace_probe_call:sub-entry,
perlxs*:DTrace.so::sub-entry
/self->request/
{
	self->sub[self->depth + 1] = arg0;
	self->file[self->depth + 1] = arg1;
	self->line[self->depth + 1] = arg2;
	self->depth++;
}

/* A frame whose return was not seen. */
perl*::Perl_dtrace_probe_call:sub-return,
perlxs*:DTrace.so::sub-return
/self->depth > 1 && self->sub[self->depth] != arg0/
{
	self->depth--;
}

perl*::Perl_dtrace_probe_call:sub-return,
perlxs*:DTrace.so::sub-return
/self->depth > 0/
{
	self->depth--;
}

/*
 * All that is shown is taken here, in the thread that leaves: its memory is not there any more (not yet) at on-cpu.
 * A stock perl is looked at; which of these two clauses comes first makes no difference.
 */
perlsub*:::off-cpu
/self->request/
{
	self->off = timestamp;
	self->name = arg0 != 0 ? copyinstr(arg0) : "-";
	self->where = arg0 != 0 ? copyinstr(arg1) : "-";
	self->at = (uint64_t)arg4;
}

sched:::off-cpu
/self->request && self->off == 0/
{
	self->off = timestamp;
	self->name = "-";
	self->where = "-";
	self->at = 0;
}

sched:::off-cpu
/self->request && self->depth > 0/
{
	self->name = copyinstr(self->sub[self->depth]);
	self->where = copyinstr(self->file[self->depth]);
	self->at = self->line[self->depth];
}

/* Clocks of two processors may differ by a little: never less than nothing. */
sched:::on-cpu
/self->off && timestamp > self->off && (timestamp - self->off) / 1000 >= $1/
{
	this->us = (timestamp - self->off) / 1000;
	printf("%6d %-12s %8d  %-16s %s (%s:%d)\n", pid, execname, this->us, self->uri, self->name, self->where,
	    self->at);
	@[self->uri, self->name] = sum(this->us);
}

sched:::on-cpu
/self->off/
{
	self->off = 0;
}

ap*:::process-request-return
{
	self->request = 0;
	self->off = 0;
	self->uri = 0;
	self->depth = 0;
}

dtrace:::END
{
	printf("\n%12s  %-20s %s\n", "SUM us", "URI", "SUB");
	printa("%@12d  %-20s %s\n", @);
}
