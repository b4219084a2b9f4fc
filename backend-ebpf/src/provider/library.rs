//! The D types of the kernel providers' arguments, and how Linux' structures become them.
//!
//! The types are those of illumos' D libraries, as far as Linux has what they hold.

use duotrace_core::backend::LibraryPart;

/// Parts in order of dependence.
pub const LIBRARY: &[LibraryPart<'static>] = &[
    // The virtual providers' types stand with their data.
    LibraryPart {
        words: "request_rec conn_rec process-request read-request proxy-run ap*",
        text: include_str!("../../providers/ap.d"),
    },
    LibraryPart {
        words: "proc: sched: :create wakeup signal- off-cpu enqueue dequeue change-pri",
        text: r#"
translator psinfo_t < struct task_struct *T > {
	pr_nlwp = T->signal->nr_threads;
	pr_pid = T->tgid;
	pr_ppid = T->real_parent->tgid;
	pr_uid = T->cred->uid.val;
	pr_euid = T->cred->euid.val;
	pr_gid = T->cred->gid.val;
	pr_egid = T->cred->egid.val;
	pr_addr = (uintptr_t)T;
	pr_fname = stringof(T->comm);
	pr_psargs = stringof(T->comm);
	pr_dmodel = 2;
};
translator lwpsinfo_t < struct task_struct *T > {
	pr_flag = (T->flags & 0x200000 ? 0x1000 : 0) | (T->pid == 0 ? PR_IDLE : 0);
	pr_stype = 0;
	pr_clname = T->policy == 1 || T->policy == 2 ? "RT" : T->policy == 6 ? "DL" : "TS";
	pr_bindpset = 0;
	pr_lwpid = T->pid;
	pr_addr = (uintptr_t)T;
	pr_pri = T->prio;
	pr_onpro = T->wake_cpu;
	pr_name = stringof(T->comm);
};
translator cpuinfo_t < struct task_struct *T > {
	cpu_id = T->wake_cpu;
	cpu_pset = 0;
	cpu_chip = 0;
	cpu_lgrp = 0;
};
inline int CLD_EXITED = 1;
inline int CLD_KILLED = 2;
inline int CLD_DUMPED = 3;
inline int PR_ISSYS = 0x1000;
"#,
    },
    LibraryPart {
        words: "fileinfo_t fds io:",
        text: r#"
typedef struct fileinfo {
	string fi_name;
	string fi_dirname;
	string fi_pathname;
	offset_t fi_offset;
	string fi_fs;
	string fi_mount;
	int fi_oflags;
} fileinfo_t;
inline int O_ACCMODE = 0x3;
inline int O_RDONLY = 0;
inline int O_WRONLY = 01;
inline int O_RDWR = 02;
inline int O_CREAT = 0100;
inline int O_EXCL = 0200;
inline int O_NOCTTY = 0400;
inline int O_TRUNC = 01000;
inline int O_APPEND = 02000;
inline int O_NONBLOCK = 04000;
inline int O_NDELAY = 04000;
inline int O_DSYNC = 010000;
inline int O_LARGEFILE = 0100000;
inline int O_NOFOLLOW = 0400000;
inline int O_CLOEXEC = 02000000;
inline int O_SYNC = 04010000;
inline int O_RSYNC = 04010000;
/* What is in no directory (SB_NOUSER): pipes, sockets. */
translator fileinfo_t < struct file *F > {
	fi_name = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    basename(d_path(&F->f_path));
	fi_dirname = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    dirname(d_path(&F->f_path));
	fi_pathname = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    d_path(&F->f_path);
	fi_offset = F == NULL ? 0 : F->f_pos;
	fi_fs = F == NULL ? "<none>" : stringof(F->f_path.dentry->d_sb->s_type->name);
	fi_mount = F == NULL ? "<none>" : "<unknown>";
	fi_oflags = F == NULL ? 0 : F->f_flags;
};
inline fileinfo_t fds[int D] = xlate <fileinfo_t> ((struct file *)(D >= 0 && curthread->files != NULL &&
    D < curthread->files->fdt->max_fds ? curthread->files->fdt->fd[D] : NULL));
"#,
    },
    LibraryPart {
        words: "io: bufinfo_t devinfo_t B_READ B_WRITE",
        text: r#"
inline int B_BUSY = 0x000001;
inline int B_DONE = 0x000002;
inline int B_ERROR = 0x000004;
inline int B_PAGEIO = 0x000010;
inline int B_PHYS = 0x000020;
inline int B_READ = 0x000040;
inline int B_WRITE = 0x000100;
inline int B_ASYNC = 0x000400;
typedef struct bufinfo {
	int b_flags;
	size_t b_bcount;
	uintptr_t b_addr;
	uint64_t b_blkno;
	uint64_t b_lblkno;
	size_t b_resid;
	size_t b_bufsize;
	uintptr_t b_iodone;
	int b_error;
	dev_t b_edev;
} bufinfo_t;
typedef struct devinfo {
	int dev_major;
	int dev_minor;
	int dev_instance;
	string dev_name;
	string dev_statname;
	string dev_pathname;
} devinfo_t;
/* A request gets its `part` just after block_io_start; when it is done, its bios are gone. */
translator bufinfo_t < struct request *R > {
	b_flags = (R->cmd_flags & 0xff) == 0 ? B_READ : (R->cmd_flags & 1) ? B_WRITE : 0;
	b_bcount = R->__data_len;
	b_addr = (uintptr_t)R;
	b_blkno = R->__sector;
	b_lblkno = R->__sector;
	b_resid = 0;
	b_bufsize = R->__data_len;
	b_iodone = (uintptr_t)R->end_io;
	b_error = 0;
	b_edev = R->part != NULL ? R->part->bd_dev : R->bio != NULL ? R->bio->bi_bdev->bd_dev : 0;
};
translator devinfo_t < struct request *R > {
	dev_major = R->q->disk->major;
	dev_minor = R->part != NULL ? R->part->bd_dev & 0xfffff :
	    R->bio != NULL ? R->bio->bi_bdev->bd_dev & 0xfffff : R->q->disk->first_minor;
	dev_instance = R->q->disk->first_minor;
	dev_name = stringof(R->q->disk->disk_name);
	dev_statname = stringof(R->q->disk->disk_name);
	dev_pathname = strjoin("/dev/", stringof(R->q->disk->disk_name));
};
translator fileinfo_t < struct request *R > {
	fi_name = "<none>";
	fi_dirname = "<none>";
	fi_pathname = "<none>";
	fi_offset = 0;
	fi_fs = "<none>";
	fi_mount = "<none>";
	fi_oflags = 0;
};
"#,
    },
    LibraryPart {
        words: "ip: tcp: udp: connect- accept- state-change pktinfo_t csinfo_t ipinfo_t ifinfo_t ipv4info_t ipv6info_t udpinfo_t \
            udpsinfo_t tcpinfo_t tcpsinfo_t tcplsinfo_t TCP_STATE_ tcp_state_string",
        text: r#"
typedef struct pktinfo { uintptr_t pkt_addr; } pktinfo_t;
typedef struct csinfo { uintptr_t cs_addr; uint64_t cs_cid; pid_t cs_pid; } csinfo_t;
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
	uint8_t ipv6_hlim;
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
translator pktinfo_t < struct sk_buff *S > { pkt_addr = (uintptr_t)S; };
translator csinfo_t < struct sk_buff *S > { cs_addr = (uintptr_t)S->sk; cs_cid = (uint64_t)S->sk; cs_pid = pid; };
translator ipinfo_t < struct sk_buff *S > {
	ip_ver = ((struct iphdr *)(S->head + S->network_header))->version;
	ip_plength = ((struct iphdr *)(S->head + S->network_header))->version == 4
	    ? ntohs(((struct iphdr *)(S->head + S->network_header))->tot_len)
	    - 4 * ((struct iphdr *)(S->head + S->network_header))->ihl
	    : ntohs(((struct ipv6hdr *)(S->head + S->network_header))->payload_len);
	ip_saddr = ((struct iphdr *)(S->head + S->network_header))->version == 4
	    ? inet_ntoa(&((struct iphdr *)(S->head + S->network_header))->saddr) : "<ipv6>";
	ip_daddr = ((struct iphdr *)(S->head + S->network_header))->version == 4
	    ? inet_ntoa(&((struct iphdr *)(S->head + S->network_header))->daddr) : "<ipv6>";
};
translator ifinfo_t < struct sk_buff *S > {
	if_name = stringof(S->dev->name);
	if_local = S->dev->flags & 8 ? 1 : 0;
	if_ipstack = 0;
	if_addr = (uintptr_t)S->dev;
};
translator ipv4info_t < struct sk_buff *S > {
	ipv4_ver = ((struct iphdr *)(S->head + S->network_header))->version;
	ipv4_ihl = 4 * ((struct iphdr *)(S->head + S->network_header))->ihl;
	ipv4_tos = ((struct iphdr *)(S->head + S->network_header))->tos;
	ipv4_length = ntohs(((struct iphdr *)(S->head + S->network_header))->tot_len);
	ipv4_ident = ntohs(((struct iphdr *)(S->head + S->network_header))->id);
	ipv4_flags = ntohs(((struct iphdr *)(S->head + S->network_header))->frag_off) >> 13;
	ipv4_offset = ntohs(((struct iphdr *)(S->head + S->network_header))->frag_off) & 0x1fff;
	ipv4_ttl = ((struct iphdr *)(S->head + S->network_header))->ttl;
	ipv4_protocol = ((struct iphdr *)(S->head + S->network_header))->protocol;
	ipv4_protostr = ((struct iphdr *)(S->head + S->network_header))->protocol == 6 ? "TCP"
	    : ((struct iphdr *)(S->head + S->network_header))->protocol == 17 ? "UDP"
	    : ((struct iphdr *)(S->head + S->network_header))->protocol == 1 ? "ICMP" : "<unknown>";
	ipv4_checksum = ntohs(((struct iphdr *)(S->head + S->network_header))->check);
	ipv4_saddr = inet_ntoa(&((struct iphdr *)(S->head + S->network_header))->saddr);
	ipv4_daddr = inet_ntoa(&((struct iphdr *)(S->head + S->network_header))->daddr);
	ipv4_hdr = (uintptr_t)(S->head + S->network_header);
};
translator ipv6info_t < struct sk_buff *S > {
	ipv6_ver = ((struct ipv6hdr *)(S->head + S->network_header))->version;
	ipv6_plen = ntohs(((struct ipv6hdr *)(S->head + S->network_header))->payload_len);
	ipv6_nexthdr = ((struct ipv6hdr *)(S->head + S->network_header))->nexthdr;
	ipv6_hlim = ((struct ipv6hdr *)(S->head + S->network_header))->hop_limit;
	ipv6_hdr = (uintptr_t)(S->head + S->network_header);
};
translator udpsinfo_t < struct sk_buff *S > { udps_addr = (uintptr_t)S->sk; };
translator udpinfo_t < struct sk_buff *S > {
	udp_sport = ntohs(((struct udphdr *)(S->head + S->transport_header))->source);
	udp_dport = ntohs(((struct udphdr *)(S->head + S->transport_header))->dest);
	udp_length = ntohs(((struct udphdr *)(S->head + S->transport_header))->len);
	udp_checksum = ntohs(((struct udphdr *)(S->head + S->transport_header))->check);
	udp_hdr = (uintptr_t)(S->head + S->transport_header);
};
translator tcpsinfo_t < struct sk_buff *S > {
	tcps_addr = (uintptr_t)S->sk;
	tcps_lport = S->sk == NULL ? 0 : S->sk->__sk_common.skc_num;
	tcps_rport = S->sk == NULL ? 0 : ntohs(S->sk->__sk_common.skc_dport);
	tcps_state = S->sk == NULL ? TCP_STATE_CLOSED : S->sk->__sk_common.skc_state;
};
translator tcpinfo_t < struct sk_buff *S > {
	tcp_sport = ntohs(((struct tcphdr *)(S->head + S->transport_header))->source);
	tcp_dport = ntohs(((struct tcphdr *)(S->head + S->transport_header))->dest);
	tcp_seq = ntohl(((struct tcphdr *)(S->head + S->transport_header))->seq);
	tcp_ack = ntohl(((struct tcphdr *)(S->head + S->transport_header))->ack_seq);
	tcp_offset = 4 * ((struct tcphdr *)(S->head + S->transport_header))->doff;
	tcp_flags = *((uint8_t *)(S->head + S->transport_header) + 13);
	tcp_window = ntohs(((struct tcphdr *)(S->head + S->transport_header))->window);
	tcp_checksum = ntohs(((struct tcphdr *)(S->head + S->transport_header))->check);
	tcp_urgent = ntohs(((struct tcphdr *)(S->head + S->transport_header))->urg_ptr);
	tcp_hdr = (uintptr_t)(S->head + S->transport_header);
};
translator pktinfo_t < struct sock *K > { pkt_addr = 0; };
translator csinfo_t < struct sock *K > { cs_addr = (uintptr_t)K; cs_cid = (uint64_t)K; cs_pid = pid; };
translator ipinfo_t < struct sock *K > {
	ip_ver = K->__sk_common.skc_family == 2 ? 4 : 6;
	ip_plength = 0;
	ip_saddr = inet_ntoa(&K->__sk_common.skc_rcv_saddr);
	ip_daddr = inet_ntoa(&K->__sk_common.skc_daddr);
};
translator tcpsinfo_t < struct sock *K > {
	tcps_addr = (uintptr_t)K;
	tcps_lport = K->__sk_common.skc_num;
	tcps_rport = ntohs(K->__sk_common.skc_dport);
	tcps_laddr = inet_ntoa(&K->__sk_common.skc_rcv_saddr);
	tcps_raddr = inet_ntoa(&K->__sk_common.skc_daddr);
	tcps_state = K->__sk_common.skc_state;
};
/* Of state-change: the kernel tells of it before it stores the new state, which is arg2. */
translator tcpsinfo_t < struct inet_sock *K > {
	tcps_addr = (uintptr_t)K;
	tcps_lport = K->sk.__sk_common.skc_num;
	tcps_rport = ntohs(K->sk.__sk_common.skc_dport);
	tcps_laddr = inet_ntoa(&K->sk.__sk_common.skc_rcv_saddr);
	tcps_raddr = inet_ntoa(&K->sk.__sk_common.skc_daddr);
	tcps_state = (int32_t)arg2;
};
translator tcplsinfo_t < struct inet_sock *K > { tcps_state = (int32_t)arg1; };
translator tcpinfo_t < struct sock *K > {
	tcp_sport = K->__sk_common.skc_num;
	tcp_dport = ntohs(K->__sk_common.skc_dport);
};
"#,
    },
];
