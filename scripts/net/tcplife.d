#!/usr/sbin/dtrace -s
/*
 * tcplife.d - TCP connections and how long they lasted.
 *
 * Usage:     tcplife.d               until ^C: a line when a connection's end is reached
 * Needs:     tcp provider.
 *
 *   MS             milliseconds from established to closed; connections older than the script are not shown
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%24s:%-5s %24s:%-5s %10s\n", "LOCAL", "PORT", "REMOTE", "PORT", "MS");
}

tcp:::connect-established, tcp:::accept-established
{
	born[args[1]->cs_cid] = timestamp;
	laddr[args[1]->cs_cid] = args[3]->tcps_laddr;
	lport[args[1]->cs_cid] = args[3]->tcps_lport;
	raddr[args[1]->cs_cid] = args[3]->tcps_raddr;
	rport[args[1]->cs_cid] = args[3]->tcps_rport;
}

/* A system may have forgotten a port by the end: all is printed as it was at the beginning. */
tcp:::state-change
/args[3]->tcps_state == TCP_STATE_CLOSED && args[5]->tcps_state != TCP_STATE_LISTEN && born[args[1]->cs_cid]/
{
	printf("%24s:%-5d %24s:%-5d %10d\n", laddr[args[1]->cs_cid], lport[args[1]->cs_cid],
	    raddr[args[1]->cs_cid], rport[args[1]->cs_cid], (timestamp - born[args[1]->cs_cid]) / 1000000);
}

tcp:::state-change
/args[3]->tcps_state == TCP_STATE_CLOSED && born[args[1]->cs_cid]/
{
	born[args[1]->cs_cid] = 0;
	laddr[args[1]->cs_cid] = 0;
	lport[args[1]->cs_cid] = 0;
	raddr[args[1]->cs_cid] = 0;
	rport[args[1]->cs_cid] = 0;
}
