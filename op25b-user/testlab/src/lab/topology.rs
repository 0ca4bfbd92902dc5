//! The lab's topology: hosts, links and addresses.
//!
//! ```text
//!  subscriber ──── sub0 ┐                  ┌ up0 ──── internet
//!  corporate ──── corp0 ├── router, op25b ─┤
//!  pppoe ─────── access0┘                  └ relay0 ─ relay
//! ```
//!
//! All addresses are documentation prefixes (RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host of the lab: a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Host {
    /// A customer with a dynamic address.
    Subscriber,
    /// A company with a fixed block and its own mail server.
    Corporate,
    /// A customer whose frames reach the router in `QinQ` and `PPPoE`. The kernel of this host does not use them; frames
    /// are crafted.
    Pppoe,
    /// The ISP's edge, where op25b runs.
    Router,
    /// The rest of the Internet, with a mail server and a web server.
    Internet,
    /// The ISP's own mail relay.
    Relay,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Subscriber,
        Self::Corporate,
        Self::Pppoe,
        Self::Router,
        Self::Internet,
        Self::Relay,
    ];

    /// Its name, as in the namespace's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Corporate => "corporate",
            Self::Pppoe => "pppoe",
            Self::Router => "router",
            Self::Internet => "internet",
            Self::Relay => "relay",
        }
    }

    /// The router's interface towards it; the router has none towards itself.
    #[must_use]
    pub fn router_end(self) -> Option<&'static str> {
        let link = LINKS.iter().find(|link| link.host == self)?;
        Some(link.router_end)
    }

    /// Its address of a family; the router is not asked, as it has one for each link.
    #[must_use]
    pub fn address(self, family: Family) -> IpAddr {
        let (v4, v6) = match self {
            Self::Subscriber => (SUBSCRIBER.host4, SUBSCRIBER.host6),
            Self::Corporate => (CORPORATE.host4, CORPORATE.host6),
            Self::Internet | Self::Router => (INTERNET.host4, INTERNET.host6),
            Self::Relay => (RELAY.host4, RELAY.host6),
            Self::Pppoe => (PPPOE4, PPPOE6),
        };
        match family {
            Family::V4 => v4.into(),
            Family::V6 => v6.into(),
        }
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `IPv4`.
    V4,
    /// `IPv6`.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// As it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// A link between the router and one host.
pub(super) struct Link {
    pub host: Host,
    /// The router's end. The host's is always `eth0`.
    pub router_end: &'static str,
    pub addresses: Option<Addresses>,
}

/// The addresses on both ends of a link.
pub(super) struct Addresses {
    pub host4: Ipv4Addr,
    pub router4: Ipv4Addr,
    pub length4: u8,
    pub host6: Ipv6Addr,
    pub router6: Ipv6Addr,
    pub length6: u8,
}

const SUBSCRIBER: Addresses = Addresses {
    host4: Ipv4Addr::new(198, 51, 100, 10),
    router4: Ipv4Addr::new(198, 51, 100, 1),
    length4: 25,
    host6: Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x10),
    router6: Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1),
    length6: 64,
};
const CORPORATE: Addresses = Addresses {
    host4: Ipv4Addr::new(198, 51, 100, 138),
    router4: Ipv4Addr::new(198, 51, 100, 137),
    length4: 29,
    host6: Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 0x10),
    router6: Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 1),
    length6: 64,
};
const INTERNET: Addresses = Addresses {
    host4: Ipv4Addr::new(203, 0, 113, 25),
    router4: Ipv4Addr::new(203, 0, 113, 1),
    length4: 24,
    host6: Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x25),
    router6: Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 1),
    length6: 64,
};
const RELAY: Addresses = Addresses {
    host4: Ipv4Addr::new(192, 0, 2, 25),
    router4: Ipv4Addr::new(192, 0, 2, 1),
    length4: 24,
    host6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x25),
    router6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1),
    length6: 64,
};
const PPPOE4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 202);
const PPPOE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x102, 0, 0, 0, 0, 0x10);

pub(super) const LINKS: [Link; 5] = [
    Link {
        host: Host::Subscriber,
        router_end: "sub0",
        addresses: Some(SUBSCRIBER),
    },
    Link {
        host: Host::Corporate,
        router_end: "corp0",
        addresses: Some(CORPORATE),
    },
    Link {
        host: Host::Pppoe,
        router_end: ACCESS,
        addresses: None,
    },
    Link {
        host: Host::Internet,
        router_end: "up0",
        addresses: Some(INTERNET),
    },
    Link {
        host: Host::Relay,
        router_end: "relay0",
        addresses: Some(RELAY),
    },
];

/// The router's interface where the crafted frames come in.
pub const ACCESS: &str = "access0";
/// Every host's only interface.
pub const HOST_END: &str = "eth0";

/// `ip -batch` input that joins the hosts, each command in the namespace that `namespace` names.
pub(super) fn joining(namespace: impl Fn(Host) -> String) -> Vec<(Host, String)> {
    let router = Host::Router;
    let mut commands = Vec::new();
    for host in Host::ALL {
        commands.push((host, "link set lo up".to_owned()));
    }
    for Link {
        host,
        router_end,
        addresses,
    } in &LINKS
    {
        let host = *host;
        let peer = namespace(host);
        commands.push((
            router,
            format!("link add {router_end} type veth peer name {HOST_END} netns {peer}"),
        ));
        commands.push((router, format!("link set {router_end} up")));
        commands.push((host, format!("link set {HOST_END} up")));
        let Some(a) = addresses else { continue };
        for (on, end, v4, v6) in [
            (router, *router_end, a.router4, a.router6),
            (host, HOST_END, a.host4, a.host6),
        ] {
            commands.push((on, format!("addr add {v4}/{} dev {end}", a.length4)));
            // Nothing else on the link can have the same address: it can be used at once.
            commands.push((on, format!("addr add {v6}/{} dev {end} nodad", a.length6)));
        }
        commands.push((host, format!("route add default via {}", a.router4)));
        commands.push((host, format!("route add ::/0 via {}", a.router6)));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documentation_prefixes_are_used() {
        for host in Host::ALL {
            let IpAddr::V4(v4) = host.address(Family::V4) else {
                panic!("{host:?} has no IPv4 address")
            };
            let IpAddr::V6(v6) = host.address(Family::V6) else {
                panic!("{host:?} has no IPv6 address")
            };
            assert!(v4.is_documentation(), "{v4}");
            assert_eq!(v6.segments()[..2], [0x2001, 0xdb8], "{v6}");
        }
    }
}
