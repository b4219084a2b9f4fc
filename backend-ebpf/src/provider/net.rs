//! `ip`, `tcp` and `udp`: packets as they are handed to and taken from devices, and states of connections.

use super::composite::{Composite, field, is, one_of, word};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Test};

/// `ETH_P_IP` and `ETH_P_IPV6` as they stand in `sk_buff.protocol` of a little-endian machine.
const PROTOCOLS: [i32; 2] = [0x0008, 0xdd86];
const IPPROTO_TCP: i32 = 6;
const IPPROTO_UDP: i32 = 17;

/// Where packets leave and arrive, as tracepoints.
const SEND: &str = "net_dev_queue";
const RECEIVE: &str = "netif_receive_skb";

fn protocol(btf: &Btf) -> Option<Test> {
    one_of(field(btf, word(0), "sk_buff", "protocol"), &PROTOCOLS)
}

/// The network header of the packet in the first word; of one that comes in it is where the data begin.
fn header(btf: &Btf, tracepoint: &str) -> Option<ArgSource> {
    if tracepoint == RECEIVE {
        return field(btf, word(0), "sk_buff", "data");
    }
    let head = field(btf, word(0), "sk_buff", "head")?;
    let offset = field(btf, word(0), "sk_buff", "network_header")?;
    Some(ArgSource::Sum(Box::new(head), Box::new(offset)))
}

/// The number of the protocol within an IPv4 packet, or an IPv6 packet without extensions.
fn inner(btf: &Btf, tracepoint: &str) -> Option<ArgSource> {
    let v6 = Test::is(field(btf, word(0), "sk_buff", "protocol")?, PROTOCOLS[1]);
    let at = |offset| Some(header(btf, tracepoint)?.field(offset, 1, false));
    Some(ArgSource::Select(Box::new(v6), Box::new(at(6)?), Box::new(at(9)?)))
}

fn packet(btf: &Btf, name: &'static str, tracepoint: &'static str) -> Composite {
    Composite::new(name, tracepoint)
        .when(protocol(btf))
        .translated("pktinfo_t *", "struct sk_buff *", word(0))
        .also("csinfo_t *", "struct sk_buff *")
        .also("ipinfo_t *", "struct sk_buff *")
}

/// `ip:::send` and `ip:::receive`.
pub fn ip(btf: &Btf) -> Vec<Composite> {
    let probe = |name, tracepoint| {
        packet(btf, name, tracepoint)
            .also("ifinfo_t *", "struct sk_buff *")
            .also("ipv4info_t *", "struct sk_buff *")
            .also("ipv6info_t *", "struct sk_buff *")
    };
    vec![probe("send", SEND), probe("receive", RECEIVE)]
}

/// `udp:::send` and `udp:::receive`.
pub fn udp(btf: &Btf) -> Vec<Composite> {
    let probe = |name, tracepoint| {
        packet(btf, name, tracepoint)
            .when(is(inner(btf, tracepoint), IPPROTO_UDP))
            .also("udpsinfo_t *", "struct sk_buff *")
            .also("udpinfo_t *", "struct sk_buff *")
    };
    vec![probe("send", SEND), probe("receive", RECEIVE)]
}

/// Packets by their flags, and changes of state.
pub fn tcp(btf: &Btf) -> Vec<Composite> {
    const SYN: u32 = 0x02;
    const RST: u32 = 0x04;
    const ACK: u32 = 0x10;
    let of_tcp = |name, tracepoint| {
        packet(btf, name, tracepoint)
            .when(is(inner(btf, tracepoint), IPPROTO_TCP))
            .also("tcpsinfo_t *", "struct sk_buff *")
            .also("tcpinfo_t *", "struct sk_buff *")
    };
    // Of an IPv4 header without options (20 bytes) or an IPv6 header (40): where the flags are.
    let flags = |tracepoint, mask: u32| {
        let v6 = Test::is(field(btf, word(0), "sk_buff", "protocol")?, PROTOCOLS[1]);
        let at = |offset| Some(header(btf, tracepoint)?.field(offset, 1, false));
        let flags = ArgSource::Select(Box::new(v6), Box::new(at(40 + 13)?), Box::new(at(20 + 13)?));
        Some(ArgSource::Bits { from: Box::new(flags), shift: 0, mask })
    };
    let with = |name, tracepoint, mask, value: u32| {
        of_tcp(name, tracepoint).when(is(flags(tracepoint, mask), value as i32))
    };
    let state = |name, old: Option<i32>, new: Option<i32>| {
        // Of a change both states are asked for, and the socket still has the old one: see the library's translators.
        let connection = if (old, new) == (None, None) { "struct inet_sock *" } else { "struct sock *" };
        let mut probe = Composite::new(name, "inet_sock_set_state");
        // sock.sk_protocol: not every connection is TCP's.
        probe = probe.when(is(field(btf, word(0), "sock", "sk_protocol"), IPPROTO_TCP));
        if let Some(old) = old {
            probe = probe.when(is(word(1), old));
        }
        if let Some(new) = new {
            probe = probe.when(is(word(2), new));
        }
        probe
            .translated("pktinfo_t *", "struct sock *", word(0))
            .also("csinfo_t *", "struct sock *")
            .also("ipinfo_t *", "struct sock *")
            .also("tcpsinfo_t *", connection)
            .also("tcpinfo_t *", "struct sock *")
    };
    const ESTABLISHED: i32 = 1;
    const SYN_SENT: i32 = 2;
    const SYN_RECV: i32 = 3;
    vec![
        of_tcp("send", SEND),
        of_tcp("receive", RECEIVE),
        with("connect-request", SEND, SYN | ACK, SYN),
        with("connect-refused", RECEIVE, RST, RST),
        with("accept-refused", SEND, RST, RST),
        state("connect-established", Some(SYN_SENT), Some(ESTABLISHED)),
        state("accept-established", Some(SYN_RECV), Some(ESTABLISHED)),
        state("state-change", None, None)
            .also("tcplsinfo_t *", "struct inet_sock *")
            .arg("int", word(1))
            .arg("int", word(2)),
    ]
}
