//! The D types of the kernel providers' arguments, and how Linux' structures become them.
//!
//! The texts are in `providers/*.d`. The types are those of illumos' D libraries, as far as Linux has what they hold.

use duotrace_core::backend::LibraryPart;

/// Parts in order of dependence.
pub const LIBRARY: &[LibraryPart<'static>] = &[
    // The virtual providers' types stand with their data.
    LibraryPart {
        words: "request_rec conn_rec process-request read-request proxy-run ap*",
        text: include_str!("../../providers/ap.d"),
    },
    LibraryPart {
        words: "proc: sched: :create wakeup signal- off-cpu enqueue dequeue change-pri surrender",
        text: include_str!("../../providers/process.d"),
    },
    LibraryPart { words: "fileinfo_t fds io:", text: include_str!("../../providers/files.d") },
    LibraryPart {
        words: "io: bufinfo_t devinfo_t B_READ B_WRITE",
        text: include_str!("../../providers/io.d"),
    },
    LibraryPart {
        words: "ip: tcp: udp: connect- accept- state-change pktinfo_t csinfo_t ipinfo_t ifinfo_t ipv4info_t \
            ipv6info_t udpinfo_t udpsinfo_t tcpinfo_t tcpsinfo_t tcplsinfo_t TCP_STATE_ tcp_state_string",
        text: include_str!("../../providers/net.d"),
    },
];
