//! A connection to explain, and the packet that opens it.

use std::net::{IpAddr, Ipv4Addr};

use op25b_common::Tunnel;
use thiserror::Error;

use crate::{datapath::probe::Packet, policy::Nat64};

/// The port of an explanation if none is given, or the policy blocks none.
pub(super) const SMTP: u16 = 25;

/// The well-known address of a DS-Lite subscriber's end (RFC 6333, section 5.7).
const B4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 2));

/// The most tunnels in one another that the program parses.
const MOST_TUNNELS: usize = 2;
/// The most tags that it parses.
const MOST_TAGS: usize = 4;
/// One more than the highest VLAN id; the ids 0 and 4095 are reserved and on no tag of a customer, but may arrive.
const VLAN_IDS: u16 = 4096;

/// A connection to explain. [`Connection::from`] has the defaults of all members but the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The source of the packet as it arrives: in a tunnel, of the outer packet.
    pub(crate) source: IpAddr,
    /// The destination; a sample destination if none is given.
    pub(crate) destination: Option<IpAddr>,
    /// The destination's TCP port.
    pub(crate) port: u16,
    /// The interface that the packet arrives on; the subscriber interfaces if none is given.
    pub(crate) interface: Option<String>,
    /// The VLAN ids of its tags, the outermost first.
    pub(crate) vlan: Vec<u16>,
    /// The tunnels that it is in, the outermost first.
    pub(crate) tunnels: Vec<Tunnel>,
    /// The sources inside each of them; those that follow from the kind and the outer source may be missing.
    pub(crate) inner_sources: Vec<IpAddr>,
}

/// Why there is no such packet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Impossible {
    /// Source and destination are of different families, and nothing translates.
    #[error("{source_address} and {destination} are of different address families")]
    Families {
        source_address: IpAddr,
        destination: IpAddr,
    },
    /// The outer packet of a tunnel is of the other family.
    #[error("the outer packet of {tunnel} is {outer}, and its source {source_address} is not")]
    Outer {
        tunnel: &'static str,
        outer: &'static str,
        source_address: IpAddr,
    },
    /// The inner packet of a tunnel is of the other family.
    #[error("the inner packet of {tunnel} is {inner}, and its source {source_address} is not")]
    Inner {
        tunnel: &'static str,
        inner: &'static str,
        source_address: IpAddr,
    },
    /// The inner source does not follow from the outer one.
    #[error("the inner source of {tunnel} decides as well: give it with `--inner-source IP`")]
    NoInnerSource { tunnel: &'static str },
    /// There are more inner sources than tunnels.
    #[error("there are more inner sources than tunnels")]
    TooManySources,
    /// The program parses fewer tunnels.
    #[error("more than {MOST_TUNNELS} tunnels in one another are not parsed: they are `uninspectable`")]
    TooManyTunnels,
    /// The program parses fewer tags.
    #[error("more than {MOST_TAGS} VLAN tags are not parsed: such a frame is `uninspectable`")]
    TooManyTags,
    /// It is no VLAN id.
    #[error("{0} is not a VLAN id: those are 0 to 4095")]
    VlanId(u16),
    /// An uplink interface receives what comes from the Internet.
    #[error(
        "{interface} is an uplink interface, where packets come from the Internet: give the subscriber as the destination"
    )]
    Uplink { interface: String },
}

impl Connection {
    /// From a source to the port of mail at a sample destination.
    pub(crate) fn from(source: IpAddr) -> Self {
        Self {
            source,
            destination: None,
            port: SMTP,
            interface: None,
            vlan: Vec::new(),
            tunnels: Vec::new(),
            inner_sources: Vec::new(),
        }
    }

    /// The packet that opens it. `sample` finds a destination for a source, if none is given.
    pub(super) fn packet<E: From<Impossible>>(
        &self,
        nat64: &Nat64,
        sample: impl FnOnce(IpAddr) -> Result<IpAddr, E>,
    ) -> Result<Packet, E> {
        let (tunnels, sources) = self.sources(nat64)?;
        let innermost = sources.last().copied().unwrap_or(self.source);
        let destination = match self.destination {
            None => sample(innermost)?,
            Some(destination) => nat64.reached_from(innermost, destination),
        };
        if destination.is_ipv4() != innermost.is_ipv4() {
            return Err(E::from(Impossible::Families {
                source_address: innermost,
                destination,
            }));
        }
        Ok(Packet {
            sources,
            destination,
            port: self.port,
            vlan: self.vlan.clone(),
            tunnels,
        })
    }

    /// The tunnels, and the source of the packet at each level, the outermost first.
    fn sources(&self, nat64: &Nat64) -> Result<(Vec<Tunnel>, Vec<IpAddr>), Impossible> {
        if self.vlan.len() > MOST_TAGS {
            return Err(Impossible::TooManyTags);
        }
        if let Some(id) = self.vlan.iter().find(|id| **id >= VLAN_IDS) {
            return Err(Impossible::VlanId(*id));
        }
        let mut tunnels = self.tunnels.clone();
        let is_to_v4 = self.destination.is_some_and(|destination| destination.is_ipv4());
        if tunnels.is_empty() && self.source.is_ipv6() && is_to_v4 && nat64.prefixes().is_empty() {
            // DS-Lite: nothing else carries IPv4 from an IPv6 source.
            tunnels.push(Tunnel::V4InV6);
        }
        if tunnels.len() > MOST_TUNNELS {
            return Err(Impossible::TooManyTunnels);
        }
        if self.inner_sources.len() > tunnels.len() {
            return Err(Impossible::TooManySources);
        }
        let mut sources = vec![self.source];
        let mut outer = self.source;
        for (level, tunnel) in tunnels.iter().enumerate() {
            let name = tunnel.name();
            let (outer_is_v6, inner_is_v6) = families(*tunnel);
            if outer_is_v6.is_some_and(|is_v6| is_v6 != outer.is_ipv6()) {
                return Err(Impossible::Outer {
                    tunnel: name,
                    outer: family(outer.is_ipv4()),
                    source_address: outer,
                });
            }
            // What carries either family carries what it is asked for.
            let is_last = level + 1 == tunnels.len();
            let wanted = self
                .destination
                .filter(|_| is_last && nat64.prefixes().is_empty());
            let inner_is_v6 = inner_is_v6.or(wanted.map(|destination| destination.is_ipv6()));
            let inner = match self.inner_sources.get(level) {
                Some(given) => *given,
                None if *tunnel == Tunnel::V4InV6 => B4,
                // The subscriber's own address on both levels, or a concentrator's, which has no say.
                None if inner_is_v6.is_none_or(|is_v6| is_v6 == outer.is_ipv6()) => outer,
                None => return Err(Impossible::NoInnerSource { tunnel: name }),
            };
            if inner_is_v6.is_some_and(|is_v6| is_v6 != inner.is_ipv6()) {
                return Err(Impossible::Inner {
                    tunnel: name,
                    inner: family(inner.is_ipv4()),
                    source_address: inner,
                });
            }
            sources.push(inner);
            outer = inner;
        }
        Ok((tunnels, sources))
    }
}

fn family(is_v6: bool) -> &'static str {
    if is_v6 { "IPv6" } else { "IPv4" }
}

/// Whether the outer and the inner packet of a tunnel are IPv6; nothing where they may be either.
fn families(tunnel: Tunnel) -> (Option<bool>, Option<bool>) {
    match tunnel {
        Tunnel::V4InV6 => (Some(true), Some(false)),
        Tunnel::V6InV4 => (Some(false), Some(true)),
        Tunnel::V4InV4 => (Some(false), Some(false)),
        Tunnel::V6InV6 => (Some(true), Some(true)),
        Tunnel::Gre | Tunnel::EthernetInGre | Tunnel::L2tp => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Nat64Prefix;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The packet of a connection, or why there is none; a sample destination is of the source's family.
    fn packet(connection: &Connection, nat64: &Nat64) -> Result<Packet, Impossible> {
        connection.packet(nat64, |source| {
            Ok(address(if source.is_ipv4() {
                "203.0.113.1"
            } else {
                "2001:db8:f::1"
            }))
        })
    }

    fn sources(packet: &Packet) -> Vec<String> {
        packet.sources.iter().map(ToString::to_string).collect()
    }

    fn tunnelled(source: &str, tunnels: &[Tunnel]) -> Connection {
        Connection {
            tunnels: tunnels.to_vec(),
            ..Connection::from(address(source))
        }
    }

    #[test]
    fn ipv4_from_an_ipv6_source_is_ds_lite_unless_the_policy_translates() {
        let mut connection = Connection::from(address("2001:db8:100::1"));
        connection.destination = Some(address("203.0.113.1"));
        let softwire = packet(&connection, &Nat64::default()).unwrap();
        assert_eq!(softwire.tunnels, [Tunnel::V4InV6]);
        assert_eq!(sources(&softwire), ["2001:db8:100::1", "192.0.0.2"]);
        // The inner source is the same for everybody.
        assert_eq!(softwire.deciding_sources(), [address("2001:db8:100::1")]);

        let nat64 = Nat64::new(vec![Nat64Prefix::new("64:ff9b::/96".parse().unwrap()).unwrap()]);
        let translated = packet(&connection, &nat64).unwrap();
        assert_eq!(translated.tunnels, []);
        assert_eq!(translated.destination, address("64:ff9b::203.0.113.1"));
        connection.tunnels = vec![Tunnel::V4InV6];
        let asked_for = packet(&connection, &nat64).unwrap();
        assert_eq!(asked_for.destination, address("203.0.113.1"));
    }

    #[test]
    fn the_inner_source_is_the_outer_one_where_it_can_be_and_is_asked_for_where_it_cannot() {
        for tunnel in [Tunnel::V4InV4, Tunnel::Gre, Tunnel::EthernetInGre, Tunnel::L2tp] {
            let found = packet(&tunnelled("198.51.100.1", &[tunnel]), &Nat64::default()).unwrap();
            assert_eq!(sources(&found), ["198.51.100.1"; 2], "{tunnel}");
            assert_eq!(found.deciding_sources().len(), 2, "{tunnel}");
        }
        let mut sixrd = tunnelled("198.51.100.1", &[Tunnel::V6InV4]);
        let refused = packet(&sixrd, &Nat64::default()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the inner source of 6in4 decides as well: give it with `--inner-source IP`"
        );
        sixrd.inner_sources = vec![address("2001:db8:100::1")];
        let found = packet(&sixrd, &Nat64::default()).unwrap();
        assert_eq!(found.destination, address("2001:db8:f::1"));
        // What carries either family carries the one of the destination.
        let mut gre = tunnelled("198.51.100.1", &[Tunnel::Gre]);
        gre.destination = Some(address("2001:db8::25"));
        assert!(packet(&gre, &Nat64::default()).is_err());
        gre.inner_sources = vec![address("2001:db8:100::1")];
        assert_eq!(
            sources(&packet(&gre, &Nat64::default()).unwrap())[1],
            "2001:db8:100::1"
        );
    }

    #[test]
    fn tunnels_in_tunnels_have_a_source_at_each_level() {
        let both = tunnelled("2001:db8:100::1", &[Tunnel::V4InV6, Tunnel::V4InV4]);
        let found = packet(&both, &Nat64::default()).unwrap();
        assert_eq!(sources(&found), ["2001:db8:100::1", "192.0.0.2", "192.0.0.2"]);
        let deciding = [address("192.0.0.2"), address("2001:db8:100::1")];
        assert_eq!(found.deciding_sources(), deciding);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused =
            |connection: &Connection| packet(connection, &Nat64::default()).unwrap_err().to_string();
        let mut mixed = Connection::from(address("198.51.100.1"));
        mixed.destination = Some(address("2001:db8::25"));
        assert_eq!(
            refused(&mixed),
            "198.51.100.1 and 2001:db8::25 are of different address families"
        );
        assert_eq!(
            refused(&tunnelled("198.51.100.1", &[Tunnel::V4InV6])),
            "the outer packet of 4in6 is IPv6, and its source 198.51.100.1 is not"
        );
        let mut inner = tunnelled("2001:db8::1", &[Tunnel::V4InV6]);
        inner.inner_sources = vec![address("2001:db8::2")];
        assert_eq!(
            refused(&inner),
            "the inner packet of 4in6 is IPv4, and its source 2001:db8::2 is not"
        );
        inner.inner_sources = vec![address("192.0.0.2"); 2];
        assert_eq!(refused(&inner), "there are more inner sources than tunnels");
        let many = tunnelled("198.51.100.1", &[Tunnel::V4InV4; 3]);
        assert!(refused(&many).starts_with("more than 2 tunnels"));
        for (vlan, why) in [
            (vec![4096], "4096 is not a VLAN id"),
            (vec![1; 5], "more than 4 VLAN tags"),
        ] {
            let tagged = Connection {
                vlan,
                ..Connection::from(address("198.51.100.1"))
            };
            assert!(refused(&tagged).starts_with(why), "{}", refused(&tagged));
        }
    }
}
