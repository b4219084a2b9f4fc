#!/usr/sbin/dtrace -s
/*
 * papcpu.d - processor time of Apache's requests by URI and Perl sub, sampled.
 *
 * Usage:     papcpu.d                until ^C: the 20 hottest every 5 seconds, and at the end
 * Needs:     an Apache with the probes of provider ap and a mod_perl whose libperl has probes: their own, or duotrace's
 *            for stock packages.
 *
 *   SAMPLES  997 a second for each processor that works for the request while the sub runs; `-` is the server outside
 *            any sub
 *
 * Example (the web shop of ci/services-web under ab):
 *   2026 Nov 23 18:59:24  processor time of requests
 *    SAMPLES  URI                  SUB (FILE:LINE)
 *   ...
 *         21  /shop/list           - (-:0)
 *         25  /shop/list           page (/srv/shop/Shop/View.pm:7)
 *         45  /shop/list           row (/srv/shop/Shop/View.pm:5)
 *        489  /shop/list           cmp_price (/srv/shop/Shop/Model.pm:7)
 *        526  /shop/slow           cmp_price (/srv/shop/Shop/Model.pm:7)
 *        615  /shop/slow           top (/srv/shop/Shop/Model.pm:8)
 *        647  /shop/list           top (/srv/shop/Shop/Model.pm:8)
 */

#pragma D option quiet
#pragma D option zdefs
#pragma D option strsize=128

self uint64_t request;
/* A sample may come while a frame is being filled in: `depth` is what makes it count. */
self uint64_t sub[uint64_t];
self uint64_t file[uint64_t];
self uint64_t line[uint64_t];
/* Is this a perl whose calls are seen? */
self int calls;

/* The URI's text is taken at once: it is there now, and a sample may not be able to read it. */
ap*:::process-request-entry
{
	self->request = arg0;
	self->uri = copyinstr(arg1);
	self->depth = 0;
	self->sub[0] = 0;
}

/* A stock perl: looked at. */
perlsub*:::profile-997
/self->request && arg0 != 0/
{
	@[self->uri, copyinstr(arg0), copyinstr(arg1), (uint64_t)arg2] = count();
}

perlsub*:::profile-997
/self->request && arg0 == 0/
{
	@[self->uri, "-", "-", 0] = count();
}

/* A perl that has the probes itself: calls and returns. */
perl*::Perl_dtrace_probe_call:sub-entry,
perlxs*:DTrace.so::sub-entry
/self->request/
{
	self->calls = 1;
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

profile:::profile-997
/self->request && self->depth > 0/
{
	@[self->uri, copyinstr(self->sub[self->depth]), copyinstr(self->file[self->depth]),
	    self->line[self->depth]] = count();
}

profile:::profile-997
/self->request && self->calls && self->depth == 0/
{
	@[self->uri, "-", "-", 0] = count();
}

ap*:::process-request-return
{
	self->request = 0;
	self->uri = 0;
	self->depth = 0;
}

profile:::tick-5sec, dtrace:::END
{
	trunc(@, 20);
	printf("%Y  processor time of requests\n%8s  %-20s %s\n", walltimestamp, "SAMPLES", "URI", "SUB (FILE:LINE)");
	printa("%@8d  %-20s %s (%s:%d)\n", @);
	trunc(@);
}
