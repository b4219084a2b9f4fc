#!/usr/sbin/dtrace -s
/*
 * pcpu.d - where every Perl on the machine spends its processor time: subs, sampled.
 *
 * Usage:     pcpu.d                  until ^C: the 20 hottest every 5 seconds, and at the end
 * Needs:     a perl with probes (see perl.d): built with -Dusedtrace (5.24 or later), with the module Devel::DTrace, or
 *            duotrace's for stock packages.
 *
 *   SAMPLES  997 a second for each processor that runs the sub (not what it calls in Perl; XS and built-in functions
 *            count for the sub that calls them)
 *
 * A stock perl is looked at 997 times a second (perlsub*:::profile-997), which costs its programs nothing that they
 * notice. Where perl has the probes itself, the sub is known from its calls and returns: time in a sub that was called
 * before the script began is not seen then, and every call costs two probes.
 *
 * Example (the web shop of ci/services-web under ab):
 *   2026 Nov 23 18:59:20  processor time of Perl subs
 *    SAMPLES  SUB (FILE:LINE)
 *   ...
 *         14  ask (/srv/shop/Shop/Model.pm:16)
 *         19  escape (/srv/shop/Shop/View.pm:4)
 *         22  page (/srv/shop/Shop/View.pm:7)
 *         28  row (/srv/shop/Shop/View.pm:5)
 *        725  cmp_price (/srv/shop/Shop/Model.pm:7)
 *        827  top (/srv/shop/Shop/Model.pm:8)
 */

#pragma D option quiet
#pragma D option zdefs
#pragma D option strsize=128

/* A sample may come while a frame is being filled in: `depth` is what makes it count. */
self uint64_t sub[uint64_t];
self uint64_t file[uint64_t];
self uint64_t line[uint64_t];
self int depth;

perlsub*:::profile-997
/arg0 != 0/
{
	@[copyinstr(arg0), copyinstr(arg1), (uint64_t)arg2] = count();
}

perl*::Perl_dtrace_probe_call:sub-entry,
perlxs*:DTrace.so::sub-entry
{
	self->sub[self->depth + 1] = arg0;
	self->file[self->depth + 1] = arg1;
	self->line[self->depth + 1] = arg2;
	self->depth++;
}

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

profile:::profile-997
/self->depth > 0 && self->sub[self->depth]/
{
	@[copyinstr(self->sub[self->depth]), copyinstr(self->file[self->depth]), self->line[self->depth]] = count();
}

profile:::tick-5sec, dtrace:::END
{
	trunc(@, 20);
	printf("%Y  processor time of Perl subs\n%8s  %s\n", walltimestamp, "SAMPLES", "SUB (FILE:LINE)");
	printa("%@8d  %s (%s:%d)\n", @);
	trunc(@);
}
