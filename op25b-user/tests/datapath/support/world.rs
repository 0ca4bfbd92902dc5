//! The addresses of the tables: one small ISP, in both address families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use op25b::datapath::Decision;

use super::{
    OTHER_PORT, blocked, exempt,
    framing::Framing,
    packet::{Ends, Packet, between},
    relay,
};

pub const POOLS: &str = "pools:\n- { name: residential, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }\n";
pub const RELAYS: &str = "relays: [{ name: post1, prefixes: [192.0.2.25, 2001:db8::25] }]\n";
pub const EXEMPTIONS: &str =
    "exemptions: [{ customer: Example KK, prefixes: [198.51.100.8/29, 2001:db8:108::/48] }]\n";

/// The ISP's policy, with a `block` section or none.
pub fn policy(block: &str) -> String {
    [block, POOLS, RELAYS, EXEMPTIONS].concat()
}

/// Addresses of one family.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub name: &'static str,
    /// In the pool.
    pub subscriber: IpAddr,
    /// In the pool and in the exemption.
    pub exempt: IpAddr,
    /// In neither.
    pub stranger: IpAddr,
    /// A mail server outside.
    pub server: IpAddr,
    /// The ISP's own.
    pub relay: IpAddr,
}

pub const V4: World = World {
    name: "IPv4",
    subscriber: IpAddr::V4(Ipv4Addr::new(198, 51, 101, 7)),
    exempt: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)),
    stranger: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200)),
    server: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 80)),
    relay: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25)),
};

pub const V6: World = World {
    name: "IPv6",
    subscriber: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 7)),
    exempt: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x108, 0, 0, 0, 0, 9)),
    stranger: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00d, 0, 0, 0, 0, 1)),
    server: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xfeed, 0, 0, 0, 0, 80)),
    relay: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25)),
};

pub const WORLDS: [World; 2] = [V4, V6];

impl World {
    /// From the subscriber to a mail server outside: what is blocked on port 25.
    pub fn outbound(&self) -> Ends {
        between(self.subscriber, self.server)
    }

    /// From outside the pool to a mail server outside.
    pub fn foreign(&self) -> Ends {
        between(self.stranger, self.server)
    }

    /// The rows that need whole packets only.
    pub fn packets(&self) -> Vec<(&'static str, Packet, Decision)> {
        vec![
            (
                "a subscriber's SYN to port 25 is blocked",
                self.outbound().syn(25),
                blocked(0),
            ),
            (
                "a subscriber's SYN to port 587 is other_port",
                self.outbound().syn(587),
                OTHER_PORT,
            ),
            (
                "a subscriber's UDP to port 25 is not_tcp",
                self.outbound().udp(25),
                super::NOT_TCP,
            ),
            (
                "a SYN from outside the pool is not_pooled",
                self.foreign().syn(25),
                super::NOT_POOLED,
            ),
            (
                "a subscriber reaches the relay",
                between(self.subscriber, self.relay).syn(25),
                relay(0),
            ),
            (
                "an exempt customer reaches every server",
                between(self.exempt, self.server).syn(25),
                exempt(0),
            ),
        ]
    }
}

/// A packet in bare Ethernet.
pub fn bare(packet: &Packet) -> Vec<u8> {
    Framing::default().frame(packet)
}
