#!/usr/sbin/dtrace -s
/*
 * tcpconn.d - TCP connections as they are made and accepted.
 *
 * Usage:     tcpconn.d               until ^C
 * Needs:     tcp provider.
 *
 *   PID            of the process (0: the connection came while another was on the processor)
 *   DIR            connect or accept
 *   LOCAL REMOTE   address:port
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%7s %-8s %24s:%-5s %24s:%-5s\n", "PID", "DIR", "LOCAL", "PORT", "REMOTE", "PORT");
}

tcp:::connect-established
{
	printf("%7d %-8s %24s:%-5d %24s:%-5d\n", (int)args[1]->cs_pid, "connect", args[3]->tcps_laddr,
	    args[3]->tcps_lport, args[3]->tcps_raddr, args[3]->tcps_rport);
}

tcp:::accept-established
{
	printf("%7d %-8s %24s:%-5d %24s:%-5d\n", (int)args[1]->cs_pid, "accept", args[3]->tcps_laddr,
	    args[3]->tcps_lport, args[3]->tcps_raddr, args[3]->tcps_rport);
}
