#!/usr/sbin/dtrace -s
/*
 * perl-lines.d - where Perl spends its processor time, by line, without a probe on every call.
 *
 * Usage:     perl-lines.d            until ^C: the 20 hottest lines every 5 seconds, and at the end
 * Needs:     duotrace's probes of stock perls (perl*:::enter; no other DTrace has it).
 *
 *   SAMPLES  997 a second for each processor that runs the line, and whatever the line does in C; with mod_perl also
 *            what the server does for the request after its handler, which goes to the handler's last line
 *
 * oscon2008/pcpu.d knows the sub, for two traps a call. This one traps where C enters Perl (each handler that mod_perl
 * calls, the start of a script) and looks 997 times a second: it costs a busy server nothing that can be measured. A
 * script that began before is not seen until C calls a sub in it.
 *
 * Example (the web shop of ci/services-web):
 *   2026 Nov 23 18:58:38  processor time of Perl lines
 *    SAMPLES  FILE:LINE
 *   ...
 *         20  /srv/shop/Shop/View.pm:4
 *         21  /usr/lib/perl5/DBI.pm:1301
 *        107  /srv/shop/Shop/Model.pm:19
 *        139  /srv/shop/Shop/Model.pm:7
 *        194  /srv/shop/Shop/Model.pm:8
 */

#pragma D option quiet
#pragma D option zdefs
#pragma D option strsize=128

self uint64_t cop;
self uint64_t line;
self uint64_t file;

perl*:::enter
{
	self->cop = arg0;
	self->line = arg1;
	self->file = arg2;
}

/* What a web server does outside its requests is not Perl's; nor is a request that Perl has no part in. */
ap*:::process-request-return
/self->cop/
{
	self->cop = 0;
}

profile:::profile-997
/self->cop/
{
	this->at = *(uint64_t *)copyin(self->cop, 8);
	@[copyinstr(*(uint64_t *)copyin(this->at + self->file, 8)), *(uint32_t *)copyin(this->at + self->line, 4)] =
	    count();
}

profile:::tick-5sec, dtrace:::END
{
	trunc(@, 20);
	printf("%Y  processor time of Perl lines\n%8s  %s\n", walltimestamp, "SAMPLES", "FILE:LINE");
	printa("%@8d  %s:%d\n", @);
	trunc(@);
}
