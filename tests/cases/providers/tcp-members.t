Connections and packets: addresses, ports, states and flags, of what is sent and of what comes in.
options: -q
program: deeds tcp
--- script
int opens;
tcp:::connect-request
/pid == $target/
{
	port = args[3]->tcps_rport;
	printf("%s %d %d %d\n", args[3]->tcps_raddr, args[3]->tcps_local, args[4]->tcp_dport == args[3]->tcps_rport,
	    args[4]->tcp_flags & (TH_SYN | TH_ACK));
}
tcp:::receive
/port && args[4]->tcp_dport == port && args[4]->tcp_flags & TH_SYN && !seen++/
{
	printf("%s %d %d\n", args[2]->ip_daddr, args[3]->tcps_lport == port, args[2]->ip_ver);
}
tcp:::connect-established
/args[3]->tcps_rport == port/
{
	printf("%d\n", args[3]->tcps_active);
	printf("%d %d %d %d\n", args[3]->tcps_mss > 500, args[3]->tcps_cwnd > 0, args[3]->tcps_rto >= 200,
	    args[3]->tcps_snxt - args[3]->tcps_suna);
}
tcp:::send
/args[4]->tcp_dport == port && args[3]->tcps_retransmit/
{
	printf("sent again\n");
}
mib:::tcpActiveOpens /pid == $target/ { opens += arg0; }
END { printf("%d\n", opens); }
--- stdout
127.0.0.1 1 1 2
127.0.0.1 1 4
1
1 1 1 0
1
