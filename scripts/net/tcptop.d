#!/usr/sbin/dtrace -s
/*
 * tcptop.d - bytes of TCP by peer and port.
 *
 * Usage:     tcptop.d                until ^C
 * Needs:     tcp provider.
 *
 *   SENT RECEIVED  bytes of the segments' payload (sent again: counted again), the most sent last
 */

#pragma D option quiet

tcp:::send
{
	this->bytes = args[2]->ip_plength - args[4]->tcp_offset;
	@sent[args[2]->ip_saddr, args[4]->tcp_sport, args[2]->ip_daddr, args[4]->tcp_dport] = sum(this->bytes);
	@received[args[2]->ip_saddr, args[4]->tcp_sport, args[2]->ip_daddr, args[4]->tcp_dport] = sum(0);
}

tcp:::receive
{
	this->bytes = args[2]->ip_plength - args[4]->tcp_offset;
	@received[args[2]->ip_daddr, args[4]->tcp_dport, args[2]->ip_saddr, args[4]->tcp_sport] = sum(this->bytes);
	@sent[args[2]->ip_daddr, args[4]->tcp_dport, args[2]->ip_saddr, args[4]->tcp_sport] = sum(0);
}

dtrace:::END
{
	printf("%24s:%-5s %24s:%-5s %12s %12s\n", "LOCAL", "PORT", "REMOTE", "PORT", "SENT", "RECEIVED");
	printa("%24s:%-5d %24s:%-5d %@12d %@12d\n", @sent, @received);
}
