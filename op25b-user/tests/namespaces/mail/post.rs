//! The environment of a test with real mail clients: a lab with domains whose mail servers are blocked, and customers with and
//! without `PPPoE`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use op25b_testlab::{
    filter::Filter,
    lab::{Family, HOST_END, Host, Servers},
    line,
    name_server::{MailDomain, NameServer},
};

use crate::support::{foreign_program::ForeignProgram, scene::Scene};

/// How a customer's packets reach the filter.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// As a failure names it.
    pub words: &'static str,
    pub host: Host,
    pub family: Family,
}

pub const LINES: [Line; 4] = [
    Line {
        words: "IPv4",
        host: Host::Subscriber,
        family: Family::V4,
    },
    Line {
        words: "IPv6",
        host: Host::Subscriber,
        family: Family::V6,
    },
    Line {
        words: "IPv4 in PPPoE in QinQ",
        host: Host::Pppoe,
        family: Family::V4,
    },
    Line {
        words: "IPv6 in PPPoE in QinQ",
        host: Host::Pppoe,
        family: Family::V6,
    },
];
/// The hosts of these.
pub const CUSTOMERS: [Host; 2] = [Host::Subscriber, Host::Pppoe];

/// An `action:`, and how the attempt to connect ends with it.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    block: &'static str,
    end: fn(Family) -> &'static str,
}

/// The ends in the words of the C library.
impl Action {
    pub const RESET: Self = Self {
        block: "action: reset",
        end: |_| "Connection refused",
    };
    /// Linux's errors for ICMP type 3 code 13 and `ICMPv6` type 1 code 1.
    pub const PROHIBIT: Self = Self {
        block: "action: prohibit, prohibit_from: [198.51.100.1, '2001:db8:100::1']",
        end: |family| match family {
            Family::V4 => "No route to host",
            Family::V6 => "Permission denied",
        },
    };
    pub const DROP: Self = Self {
        block: "action: drop",
        end: |_| "Connection timed out",
    };

    pub fn end(self, family: Family) -> &'static str {
        (self.end)(family)
    }
}

/// What a domain shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// That mail is delivered while there is no filter.
    Open,
    /// Its second mail server is one that the policy lets everybody reach.
    Second,
    /// Neither is.
    Neither,
}

impl Domain {
    const ALL: [Self; 3] = [Self::Open, Self::Second, Self::Neither];

    /// Its mail servers, the preferred one first. No two domains share a blocked one, as clients remember those that failed.
    pub fn exchangers(self, family: Family) -> Vec<IpAddr> {
        match self {
            Self::Open => vec![Host::Internet.address(family)],
            Self::Second => vec![mail_server(family, 0), Host::Relay.address(family)],
            Self::Neither => vec![mail_server(family, 1), mail_server(family, 2)],
        }
    }

    fn name(self, family: Family) -> String {
        format!("{self:?}-{}.lab.example", family.name()).to_lowercase()
    }

    /// Who reads mail there. The address tells the messages of a test apart.
    pub fn recipient(self, line: &Line) -> String {
        let host = line.host.name();
        format!("{host}@{}", self.name(line.family))
    }
}

/// More addresses of the Internet's mail server.
fn mail_server(family: Family, index: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, 26 + index).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 1, u16::from(index)).into(),
    }
}

/// Where clients ask for names.
pub fn resolver() -> IpAddr {
    Host::Internet.address(Family::V4)
}

/// A scene with mail.
pub struct Post {
    pub scene: Scene,
    pub servers: Servers,
    _name_server: NameServer,
    _lines: [line::Line; 2],
    _programs: Vec<ForeignProgram>,
}

impl Post {
    pub fn new() -> Self {
        let scene = Scene::new();
        let servers = Servers::start(&scene.lab).unwrap();
        let internet = scene.lab.host(Host::Internet);
        for family in Family::BOTH {
            for index in 0..3 {
                let address = mail_server(family, index).to_string();
                let ip = internet
                    .command("ip")
                    .args(["addr", "add", &address, "dev", HOST_END])
                    .status();
                assert!(ip.unwrap().success(), "{address}");
            }
        }
        let domains: Vec<_> = Domain::ALL
            .into_iter()
            .flat_map(|domain| {
                Family::BOTH.map(|family| MailDomain {
                    name: domain.name(family),
                    exchangers: domain.exchangers(family),
                })
            })
            .collect();
        let name_server = NameServer::start(internet, &domains).unwrap();
        // A veth end drops what a native program at the other end sends back, unless it has one, too. Hardware does not.
        let programs = CUSTOMERS
            .map(|customer| ForeignProgram::attach(scene.lab.host(customer), HOST_END, true))
            .into();
        let lines = [
            (Host::Subscriber, line::Framing::Ethernet),
            (Host::Pppoe, line::Framing::PppoeInQinq),
        ];
        let lines = lines.map(|(host, framing)| line::Line::start(&scene.lab, host, framing).unwrap());
        Self {
            scene,
            servers,
            _name_server: name_server,
            _lines: lines,
            _programs: programs,
        }
    }

    /// Enforces an action.
    pub fn filter(&self, action: Action) -> Filter {
        let policy = format!(
            "\
version: 1
interfaces:
  - {{ name: sub0, role: subscriber, xdp: native }}
  - {{ name: access0, role: subscriber, xdp: native }}
block: {{ {} }}
pools: [{{ name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }}]
relays: [{{ name: post, prefixes: [192.0.2.25, 2001:db8:2::25] }}]
",
            action.block
        );
        self.scene.filter(&self.scene.policy(&policy))
    }
}
