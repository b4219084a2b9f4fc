/*
 * What ip, tcp and udp tell: of packets (struct sk_buff) and of connections (struct sock).
 */
typedef struct pktinfo { uintptr_t pkt_addr; } pktinfo_t;
typedef struct csinfo { uintptr_t cs_addr; uint64_t cs_cid; pid_t cs_pid; zoneid_t cs_zoneid; } csinfo_t;
typedef struct ipinfo {
	uint8_t ip_ver;
	uint32_t ip_plength;
	string ip_saddr;
	string ip_daddr;
} ipinfo_t;
typedef struct ifinfo { string if_name; int8_t if_local; uintptr_t if_ipstack; uintptr_t if_addr; } ifinfo_t;
typedef struct ipv4info {
	uint8_t ipv4_ver;
	uint8_t ipv4_ihl;
	uint8_t ipv4_tos;
	uint16_t ipv4_length;
	uint16_t ipv4_ident;
	uint8_t ipv4_flags;
	uint16_t ipv4_offset;
	uint8_t ipv4_ttl;
	uint8_t ipv4_protocol;
	string ipv4_protostr;
	uint16_t ipv4_checksum;
	uint32_t ipv4_src;
	uint32_t ipv4_dst;
	string ipv4_saddr;
	string ipv4_daddr;
	uintptr_t ipv4_hdr;
} ipv4info_t;
typedef struct ipv6info {
	uint8_t ipv6_ver;
	uint8_t ipv6_tclass;
	uint32_t ipv6_flow;
	uint16_t ipv6_plen;
	uint8_t ipv6_nexthdr;
	string ipv6_nextstr;
	uint8_t ipv6_hlim;
	in6_addr_t *ipv6_src;
	in6_addr_t *ipv6_dst;
	string ipv6_saddr;
	string ipv6_daddr;
	uintptr_t ipv6_hdr;
} ipv6info_t;
typedef struct udpinfo {
	uint16_t udp_sport;
	uint16_t udp_dport;
	uint16_t udp_length;
	uint16_t udp_checksum;
	uintptr_t udp_hdr;
} udpinfo_t;
typedef struct udpsinfo { uintptr_t udps_addr; } udpsinfo_t;
typedef struct tcpinfo {
	uint16_t tcp_sport;
	uint16_t tcp_dport;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint8_t tcp_offset;
	uint8_t tcp_flags;
	uint16_t tcp_window;
	uint16_t tcp_checksum;
	uint16_t tcp_urgent;
	uintptr_t tcp_hdr;
} tcpinfo_t;
typedef struct tcpsinfo {
	uintptr_t tcps_addr;
	int tcps_local;
	int tcps_active;
	uint16_t tcps_lport;
	uint16_t tcps_rport;
	string tcps_laddr;
	string tcps_raddr;
	int32_t tcps_state;
	uint32_t tcps_suna;
	uint32_t tcps_snxt;
	uint32_t tcps_rack;
	uint32_t tcps_rnxt;
	uint32_t tcps_swnd;
	int32_t tcps_snd_ws;
	uint32_t tcps_rwnd;
	int32_t tcps_rcv_ws;
	uint32_t tcps_cwnd;
	uint32_t tcps_cwnd_ssthresh;
	uint32_t tcps_rto;
	uint32_t tcps_mss;
	int tcps_retransmit;
} tcpsinfo_t;
typedef struct tcplsinfo { int32_t tcps_state; } tcplsinfo_t;
inline int TH_FIN = 0x01;
inline int TH_SYN = 0x02;
inline int TH_RST = 0x04;
inline int TH_PUSH = 0x08;
inline int TH_ACK = 0x10;
inline int TH_URG = 0x20;
inline int TH_ECE = 0x40;
inline int TH_CWR = 0x80;
inline int TCP_STATE_CLOSED = 7;
inline int TCP_STATE_IDLE = 7;
inline int TCP_STATE_LISTEN = 10;
inline int TCP_STATE_SYN_SENT = 2;
inline int TCP_STATE_SYN_RECEIVED = 3;
inline int TCP_STATE_ESTABLISHED = 1;
inline int TCP_STATE_CLOSE_WAIT = 8;
inline int TCP_STATE_FIN_WAIT_1 = 4;
inline int TCP_STATE_CLOSING = 11;
inline int TCP_STATE_LAST_ACK = 9;
inline int TCP_STATE_FIN_WAIT_2 = 5;
inline int TCP_STATE_TIME_WAIT = 6;
inline string tcp_state_string[int32_t state] =
    state == TCP_STATE_CLOSED ? "state-closed" :
    state == TCP_STATE_LISTEN ? "state-listen" :
    state == TCP_STATE_SYN_SENT ? "state-syn-sent" :
    state == TCP_STATE_SYN_RECEIVED ? "state-syn-received" :
    state == TCP_STATE_ESTABLISHED ? "state-established" :
    state == TCP_STATE_CLOSE_WAIT ? "state-close-wait" :
    state == TCP_STATE_FIN_WAIT_1 ? "state-fin-wait-1" :
    state == TCP_STATE_CLOSING ? "state-closing" :
    state == TCP_STATE_LAST_ACK ? "state-last-ack" :
    state == TCP_STATE_FIN_WAIT_2 ? "state-fin-wait-2" :
    state == TCP_STATE_TIME_WAIT ? "state-time-wait" :
    "<unknown>";
/*
 * Where the headers of a packet are. One that is sent begins with that of the link (data is where mac_header says), one
 * that comes in has lost it, and its other offsets are not set yet.
 */
inline uchar_t *__network[struct sk_buff *S] =
    S->data == S->head + S->mac_header ? S->head + S->network_header : S->data;
inline struct iphdr *__ip4[struct sk_buff *S] = (struct iphdr *)__network[S];
inline struct ipv6hdr *__ip6[struct sk_buff *S] = (struct ipv6hdr *)__network[S];
inline uchar_t *__transport[struct sk_buff *S] =
    __network[S] + (__ip4[S]->version == 4 ? 4 * __ip4[S]->ihl : 40);
inline struct udphdr *__udp[struct sk_buff *S] = (struct udphdr *)__transport[S];
inline struct tcphdr *__tcp[struct sk_buff *S] = (struct tcphdr *)__transport[S];
inline int __received[struct sk_buff *S] = S->data != S->head + S->mac_header;
inline string __protocol[int P] = P == 6 ? "TCP" : P == 17 ? "UDP" : P == 1 ? "ICMP" : P == 58 ? "ICMPv6" : "<unknown>";
/*
 * A connection's socket in full, or NULL: that of a request (NEW_SYN_RECV, 12) and what is left of a closed one
 * (TIME_WAIT, 6) are smaller structures.
 */
inline struct tcp_sock *__full[struct sock *K] = K != NULL && K->__sk_common.skc_state != 12 &&
    K->__sk_common.skc_state != 6 ? (struct tcp_sock *)K : NULL;
/* The timeout of retransmissions is in ticks of the kernel's: milliseconds. */
inline struct inet_connection_sock *__connection[struct sock *K] = (struct inet_connection_sock *)__full[K];
inline string __from[struct sk_buff *S] = __ip4[S]->version == 4 ? inet_ntoa(&__ip4[S]->saddr) :
    inet_ntoa6((void *)&__ip6[S]->saddr);
inline string __to[struct sk_buff *S] = __ip4[S]->version == 4 ? inet_ntoa(&__ip4[S]->daddr) :
    inet_ntoa6((void *)&__ip6[S]->daddr);
inline string __local[struct sock *K] = K->__sk_common.skc_family == 2 ?
    inet_ntoa(&K->__sk_common.skc_rcv_saddr) : inet_ntoa6((void *)&K->__sk_common.skc_v6_rcv_saddr);
inline string __remote[struct sock *K] = K->__sk_common.skc_family == 2 ?
    inet_ntoa(&K->__sk_common.skc_daddr) : inet_ntoa6((void *)&K->__sk_common.skc_v6_daddr);
translator pktinfo_t < struct sk_buff *S > { pkt_addr = (uintptr_t)S; };
translator csinfo_t < struct sk_buff *S > { cs_addr = (uintptr_t)S->sk; cs_cid = (uint64_t)S->sk; cs_pid = pid; cs_zoneid = 0; };
translator ipinfo_t < struct sk_buff *S > {
	ip_ver = __ip4[S]->version;
	ip_plength = __ip4[S]->version == 4 ? ntohs(__ip4[S]->tot_len) - 4 * __ip4[S]->ihl :
	    ntohs(__ip6[S]->payload_len);
	ip_saddr = __from[S];
	ip_daddr = __to[S];
};
translator ifinfo_t < struct sk_buff *S > {
	if_name = stringof(S->dev->name);
	if_local = S->dev->flags & 8 ? 1 : 0;
	if_ipstack = 0;
	if_addr = (uintptr_t)S->dev;
};
translator ipv4info_t < struct sk_buff *S > {
	ipv4_ver = __ip4[S]->version;
	ipv4_ihl = 4 * __ip4[S]->ihl;
	ipv4_tos = __ip4[S]->tos;
	ipv4_length = ntohs(__ip4[S]->tot_len);
	ipv4_ident = ntohs(__ip4[S]->id);
	ipv4_flags = ntohs(__ip4[S]->frag_off) >> 13;
	ipv4_offset = ntohs(__ip4[S]->frag_off) & 0x1fff;
	ipv4_ttl = __ip4[S]->ttl;
	ipv4_protocol = __ip4[S]->protocol;
	ipv4_protostr = __protocol[__ip4[S]->protocol];
	ipv4_checksum = ntohs(__ip4[S]->check);
	ipv4_src = __ip4[S]->saddr;
	ipv4_dst = __ip4[S]->daddr;
	ipv4_saddr = inet_ntoa(&__ip4[S]->saddr);
	ipv4_daddr = inet_ntoa(&__ip4[S]->daddr);
	ipv4_hdr = (uintptr_t)__ip4[S];
};
translator ipv6info_t < struct sk_buff *S > {
	ipv6_ver = __ip6[S]->version;
	ipv6_tclass = (ntohl(*(uint32_t *)__ip6[S]) >> 20) & 0xff;
	ipv6_flow = ntohl(*(uint32_t *)__ip6[S]) & 0xfffff;
	ipv6_plen = ntohs(__ip6[S]->payload_len);
	ipv6_nexthdr = __ip6[S]->nexthdr;
	ipv6_nextstr = __protocol[__ip6[S]->nexthdr];
	ipv6_hlim = __ip6[S]->hop_limit;
	ipv6_src = (in6_addr_t *)&__ip6[S]->saddr;
	ipv6_dst = (in6_addr_t *)&__ip6[S]->daddr;
	ipv6_saddr = inet_ntoa6((void *)&__ip6[S]->saddr);
	ipv6_daddr = inet_ntoa6((void *)&__ip6[S]->daddr);
	ipv6_hdr = (uintptr_t)__ip6[S];
};
translator udpsinfo_t < struct sk_buff *S > { udps_addr = (uintptr_t)S->sk; };
translator udpinfo_t < struct sk_buff *S > {
	udp_sport = ntohs(__udp[S]->source);
	udp_dport = ntohs(__udp[S]->dest);
	udp_length = ntohs(__udp[S]->len);
	udp_checksum = ntohs(__udp[S]->check);
	udp_hdr = (uintptr_t)__udp[S];
};
/* A packet that comes in has no socket yet: its own addresses say what the connection is. */
translator tcpsinfo_t < struct sk_buff *S > {
	tcps_addr = (uintptr_t)S->sk;
	tcps_local = S->dev->flags & 8 ? 1 : 0;
	tcps_lport = ntohs(__received[S] ? __tcp[S]->dest : __tcp[S]->source);
	tcps_rport = ntohs(__received[S] ? __tcp[S]->source : __tcp[S]->dest);
	tcps_laddr = __received[S] ? __to[S] : __from[S];
	tcps_raddr = __received[S] ? __from[S] : __to[S];
	tcps_state = S->sk == NULL ? TCP_STATE_CLOSED : S->sk->__sk_common.skc_state == 12 ? TCP_STATE_SYN_RECEIVED :
	    S->sk->__sk_common.skc_state;
	tcps_suna = __full[S->sk] == NULL ? 0 : __full[S->sk]->snd_una;
	tcps_snxt = __full[S->sk] == NULL ? 0 : __full[S->sk]->snd_nxt;
	tcps_rack = __full[S->sk] == NULL ? 0 : __full[S->sk]->rcv_wup;
	tcps_rnxt = __full[S->sk] == NULL ? 0 : __full[S->sk]->rcv_nxt;
	tcps_swnd = __full[S->sk] == NULL ? 0 : __full[S->sk]->snd_wnd;
	tcps_snd_ws = __full[S->sk] == NULL ? 0 : __full[S->sk]->rx_opt.snd_wscale;
	tcps_rwnd = __full[S->sk] == NULL ? 0 : __full[S->sk]->rcv_wnd;
	tcps_rcv_ws = __full[S->sk] == NULL ? 0 : __full[S->sk]->rx_opt.rcv_wscale;
	tcps_cwnd = __full[S->sk] == NULL ? 0 : __full[S->sk]->snd_cwnd;
	tcps_cwnd_ssthresh = __full[S->sk] == NULL ? 0 : __full[S->sk]->snd_ssthresh;
	tcps_rto = __full[S->sk] == NULL ? 0 : __connection[S->sk]->icsk_rto * __tick_ns / 1000000;
	tcps_mss = __full[S->sk] == NULL ? 0 : __full[S->sk]->mss_cache;
	/* What is sent for the first time is what is to be sent next. */
	tcps_retransmit = __full[S->sk] != NULL && !__received[S] &&
	    (int32_t)(ntohl(__tcp[S]->seq) - __full[S->sk]->snd_nxt) < 0;
};
translator tcpinfo_t < struct sk_buff *S > {
	tcp_sport = ntohs(__tcp[S]->source);
	tcp_dport = ntohs(__tcp[S]->dest);
	tcp_seq = ntohl(__tcp[S]->seq);
	tcp_ack = ntohl(__tcp[S]->ack_seq);
	tcp_offset = 4 * __tcp[S]->doff;
	tcp_flags = *(__transport[S] + 13);
	tcp_window = ntohs(__tcp[S]->window);
	tcp_checksum = ntohs(__tcp[S]->check);
	tcp_urgent = ntohs(__tcp[S]->urg_ptr);
	tcp_hdr = (uintptr_t)__tcp[S];
};
translator pktinfo_t < struct sock *K > { pkt_addr = 0; };
translator csinfo_t < struct sock *K > { cs_addr = (uintptr_t)K; cs_cid = (uint64_t)K; cs_pid = pid; cs_zoneid = 0; };
translator ipinfo_t < struct sock *K > {
	ip_ver = K->__sk_common.skc_family == 2 ? 4 : 6;
	ip_plength = 0;
	ip_saddr = __local[K];
	ip_daddr = __remote[K];
};
translator tcpsinfo_t < struct sock *K > {
	tcps_addr = (uintptr_t)K;
	tcps_local = __local[K] == __remote[K];
	/* connect-established or accept-established. */
	tcps_active = probename == "connect-established";
	tcps_lport = K->__sk_common.skc_num;
	tcps_rport = ntohs(K->__sk_common.skc_dport);
	tcps_laddr = __local[K];
	tcps_raddr = __remote[K];
	tcps_state = K->__sk_common.skc_state;
	tcps_suna = __full[K] == NULL ? 0 : __full[K]->snd_una;
	tcps_snxt = __full[K] == NULL ? 0 : __full[K]->snd_nxt;
	tcps_rack = __full[K] == NULL ? 0 : __full[K]->rcv_wup;
	tcps_rnxt = __full[K] == NULL ? 0 : __full[K]->rcv_nxt;
	tcps_swnd = __full[K] == NULL ? 0 : __full[K]->snd_wnd;
	tcps_snd_ws = __full[K] == NULL ? 0 : __full[K]->rx_opt.snd_wscale;
	tcps_rwnd = __full[K] == NULL ? 0 : __full[K]->rcv_wnd;
	tcps_rcv_ws = __full[K] == NULL ? 0 : __full[K]->rx_opt.rcv_wscale;
	tcps_cwnd = __full[K] == NULL ? 0 : __full[K]->snd_cwnd;
	tcps_cwnd_ssthresh = __full[K] == NULL ? 0 : __full[K]->snd_ssthresh;
	tcps_rto = __full[K] == NULL ? 0 : __connection[K]->icsk_rto * __tick_ns / 1000000;
	tcps_mss = __full[K] == NULL ? 0 : __full[K]->mss_cache;
	tcps_retransmit = 0;
};
/* Of state-change: the kernel tells of it before it stores the new state, which is arg2. */
translator tcpsinfo_t < struct inet_sock *K > {
	tcps_addr = (uintptr_t)K;
	tcps_local = __local[&K->sk] == __remote[&K->sk];
	tcps_lport = K->sk.__sk_common.skc_num;
	tcps_rport = ntohs(K->sk.__sk_common.skc_dport);
	tcps_laddr = __local[&K->sk];
	tcps_raddr = __remote[&K->sk];
	tcps_state = (int32_t)arg2;
	tcps_suna = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->snd_una;
	tcps_snxt = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->snd_nxt;
	tcps_rack = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->rcv_wup;
	tcps_rnxt = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->rcv_nxt;
	tcps_swnd = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->snd_wnd;
	tcps_snd_ws = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->rx_opt.snd_wscale;
	tcps_rwnd = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->rcv_wnd;
	tcps_rcv_ws = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->rx_opt.rcv_wscale;
	tcps_cwnd = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->snd_cwnd;
	tcps_cwnd_ssthresh = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->snd_ssthresh;
	tcps_rto = __full[&K->sk] == NULL ? 0 : __connection[&K->sk]->icsk_rto * __tick_ns / 1000000;
	tcps_mss = __full[&K->sk] == NULL ? 0 : __full[&K->sk]->mss_cache;
	tcps_retransmit = 0;
};
translator tcplsinfo_t < struct inet_sock *K > { tcps_state = (int32_t)arg1; };
translator tcpinfo_t < struct sock *K > {
	tcp_sport = K->__sk_common.skc_num;
	tcp_dport = ntohs(K->__sk_common.skc_dport);
};
