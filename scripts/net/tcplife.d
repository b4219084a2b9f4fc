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
}

tcp:::state-change
/args[3]->tcps_state == TCP_STATE_CLOSED && born[args[1]->cs_cid]/
{
	printf("%24s:%-5d %24s:%-5d %10d\n", args[3]->tcps_laddr, args[3]->tcps_lport, args[3]->tcps_raddr,
	    args[3]->tcps_rport, (timestamp - born[args[1]->cs_cid]) / 1000000);
	born[args[1]->cs_cid] = 0;
}
