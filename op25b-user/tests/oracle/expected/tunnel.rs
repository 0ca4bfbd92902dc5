//! The segment inside a tunnel.

use etherparse::{EtherType, IpNumber, ip_number};

use super::{
    bytes::{Bytes, FARTHEST},
    link::{self, Family, Link},
    network::{self, Network, NoNetwork, Upper},
    segment::{self, Addresses, Reading, Segment},
};
use crate::{
    policy::{Policy, Tunnel},
    verdict::Reason,
};

/// Fragments that begin with at most so many times eight bytes of the packet can reach the headers inside.
const EARLY: u16 = 15;

/// UDP's port of L2TP (RFC 2661).
const L2TP_PORT: u16 = 1701;

/// The kinds of tunnel that a protocol may stand for, of those that the policy enables. The headers after it say which one it
/// is.
pub fn kinds(policy: &Policy, outer: Family, protocol: Option<u8>) -> Vec<Tunnel> {
    let Some(protocol) = protocol else {
        return Vec::new();
    };
    let kinds: &[Tunnel] = match (outer, IpNumber(protocol)) {
        (Family::V4, ip_number::IPV4) => &[Tunnel::V4InV4],
        (Family::V4, ip_number::IPV6) => &[Tunnel::V6InV4],
        (Family::V6, ip_number::IPV4) => &[Tunnel::V4InV6],
        (Family::V6, ip_number::IPV6) => &[Tunnel::V6InV6],
        (_, ip_number::GRE) => &[Tunnel::Gre, Tunnel::EthernetInGre],
        (_, ip_number::UDP) => &[Tunnel::L2tp],
        _ => &[],
    };
    let is_enabled = |kind: &Tunnel| policy.looks_into(*kind);
    kinds.iter().copied().filter(is_enabled).collect()
}

/// What a tunnel's own headers lead to.
enum Inner {
    Packet(Family, usize),
    /// Something that is no IP packet.
    Other,
    /// More headers than are skipped.
    Hidden,
    /// The packet ends before.
    Cut,
}

/// How a packet was reached, and what it may be.
#[derive(Clone, Copy)]
pub struct Way<'k> {
    /// The kinds of tunnel that it may be.
    kinds: &'k [Tunnel],
    /// The addresses so far: those of the packet itself, unless it is in a tunnel in which the outer source decides.
    addresses: Addresses,
    /// How many tunnels it is in.
    depth: usize,
}

impl<'k> Way<'k> {
    /// A packet in no tunnel.
    pub fn new(kinds: &'k [Tunnel], addresses: Addresses) -> Self {
        Self {
            kinds,
            addresses,
            depth: 0,
        }
    }
}

/// Reads the packet in a tunnel.
pub fn read(
    policy: &Policy,
    bytes: Bytes<'_>,
    link: Link,
    outer: &Network,
    upper: Upper,
    way: Way<'_>,
) -> Reading {
    let kinds = way.kinds;
    let is_outer_sources = kinds == [Tunnel::V4InV6];
    match upper.fragment_offset {
        0 => (),
        // UDP is anybody's, and L2TP's port is in the first fragment.
        1..=EARLY if is_outer_sources || kinds == [Tunnel::L2tp] => {
            return Reading::Hidden(way.addresses);
        }
        1..=EARLY => return Reading::Unaddressed,
        _ => return Reading::Ended(Reason::LaterFragment),
    }
    // Of a first fragment without the inner header, the inner source is in another one.
    let cut = || {
        if upper.fragmented && !is_outer_sources {
            Reading::Unaddressed
        } else {
            Reading::Hidden(way.addresses)
        }
    };
    let Some(at) = upper.at.filter(|at| *at <= FARTHEST) else {
        return cut();
    };
    let bytes = bytes.until(outer.end);
    let Some((kind, inner)) = headers(bytes, outer.family, kinds, at) else {
        return cut();
    };
    if kind.is_none_or(|kind| !kinds.contains(&kind)) {
        return Reading::Ended(Reason::NotTcp);
    }
    let inner = match inner {
        Inner::Packet(family, at) if at <= FARTHEST => network::read(bytes, at, family),
        Inner::Other => return Reading::Ended(Reason::NotTcp),
        Inner::Hidden => return Reading::Unaddressed,
        Inner::Packet(..) | Inner::Cut => return cut(),
    };
    match inner {
        Ok(inner) => read_inner(policy, bytes, link, &inner, kind == Some(Tunnel::V4InV6), &way),
        Err(NoNetwork::Short) => cut(),
        Err(NoNetwork::Version) => Reading::Ended(Reason::NotTcp),
    }
}

/// The kind of a tunnel of one of these kinds, whose headers start at `at`, none if it is none of any; and what the headers
/// lead to. Empty if the packet ends before they tell the kind.
fn headers(bytes: Bytes<'_>, outer: Family, kinds: &[Tunnel], at: usize) -> Option<(Option<Tunnel>, Inner)> {
    let kind = *kinds.first()?;
    match kind {
        Tunnel::V4InV4 | Tunnel::V4InV6 => Some((Some(kind), Inner::Packet(Family::V4, at))),
        Tunnel::V6InV4 | Tunnel::V6InV6 => Some((Some(kind), Inner::Packet(Family::V6, at))),
        Tunnel::Gre | Tunnel::EthernetInGre => gre(bytes, at, outer),
        Tunnel::L2tp if bytes.number(at + 2)? != L2TP_PORT => Some((None, Inner::Other)),
        Tunnel::L2tp => Some((Some(kind), l2tp(bytes, at).unwrap_or(Inner::Cut))),
    }
}

fn read_inner(
    policy: &Policy,
    bytes: Bytes<'_>,
    link: Link,
    inner: &Network,
    is_outer_sources: bool,
    way: &Way<'_>,
) -> Reading {
    let mut addresses = Addresses {
        destination: inner.destination,
        ..way.addresses
    };
    // DS-Lite: many customers have the same private address inside.
    if !is_outer_sources {
        addresses.outer[way.depth] = Some(addresses.source);
        addresses.source = inner.source;
    }
    let Some(upper) = inner.upper else {
        return Reading::Hidden(addresses);
    };
    let kinds = kinds(policy, inner.family, upper.protocol);
    let reading = match (kinds.is_empty(), way.depth) {
        (true, _) => segment::tcp(bytes, link, inner, upper, addresses),
        (false, 0) => {
            let way = Way {
                kinds: &kinds,
                addresses,
                depth: 1,
            };
            read(policy, bytes, link, inner, upper, way)
        }
        (false, _) => read_third(bytes.until(inner.end), inner, upper, &kinds, addresses),
    };
    match reading {
        Reading::Known(segment) => Reading::Known(Segment {
            tunnelled: true,
            ..segment
        }),
        other => other,
    }
}

/// A packet in two tunnels that may be a third one: nothing inside is read.
fn read_third(
    bytes: Bytes<'_>,
    outer: &Network,
    upper: Upper,
    kinds: &[Tunnel],
    addresses: Addresses,
) -> Reading {
    if upper.fragment_offset > EARLY {
        return Reading::Ended(Reason::LaterFragment);
    }
    let start = upper.at.filter(|_| upper.fragment_offset == 0);
    let is_tunnel = match start.and_then(|at| headers(bytes, outer.family, kinds, at)) {
        Some((kind, _)) => kind.is_some_and(|kind| kinds.contains(&kind)),
        // What does not show UDP's port is ordinary UDP.
        None => kinds != [Tunnel::L2tp],
    };
    if is_tunnel {
        Reading::Hidden(addresses)
    } else {
        Reading::Ended(Reason::NotTcp)
    }
}

/// RFC 2784 and RFC 2890: the kind of tunnel, none if it is none, and what it leads to; empty if the header cannot be read.
fn gre(bytes: Bytes<'_>, at: usize, outer: Family) -> Option<(Option<Tunnel>, Inner)> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 0x0007;
    /// What Linux's tunnels take for a packet of the outer one's family.
    const WCCP: u16 = 0x883e;
    /// Transparent Ethernet bridging.
    const ETHERNET: u16 = 0x6558;

    let (flags, protocol) = (bytes.number(at)?, bytes.number(at + 2)?);
    if flags & (VERSION | ROUTING) != 0 {
        return Some((None, Inner::Other));
    }
    if flags == 0 && protocol == WCCP {
        let inner = bytes.byte(at + 4).map_or(Inner::Cut, |first| {
            let redirect = if first >> 4 == 4 { 0 } else { 4 };
            Inner::Packet(outer, at + 4 + redirect)
        });
        return Some((Some(Tunnel::Gre), inner));
    }
    let optional = [CHECKSUM, KEY, SEQUENCE].map(|flag| if flags & flag == 0 { 0 } else { 4 });
    let inner = at + 4 + optional.iter().sum::<usize>();
    if protocol == ETHERNET {
        let inner = ethernet(bytes, inner).unwrap_or(Inner::Cut);
        return Some((Some(Tunnel::EthernetInGre), inner));
    }
    Some(match Family::of_ether_type(protocol) {
        Some(family) => (Some(Tunnel::Gre), Inner::Packet(family, inner)),
        None => (None, Inner::Other),
    })
}

/// An Ethernet frame as on the line; empty if it ends before its packet.
fn ethernet(bytes: Bytes<'_>, frame: usize) -> Option<Inner> {
    /// Addresses, before the `EtherType`.
    const ADDRESSES: usize = 12;
    const PPPOE_SESSION: u16 = 0x8864;

    let mut at = frame + ADDRESSES;
    let (mut tags, mut encapsulated) = (0, false);
    loop {
        let ether_type = bytes.number(at)?;
        at += 2;
        if link::is_tag(EtherType(ether_type)) {
            if tags == link::TAGS {
                return Some(Inner::Hidden);
            }
            at += 2;
            tags += 1;
            continue;
        }
        if ether_type < link::FIRST_ETHER_TYPE
            && !encapsulated
            && bytes.get(at, 8)?.starts_with(&link::LLC_SNAP)
        {
            at += 6;
            encapsulated = true;
            continue;
        }
        if ether_type != PPPOE_SESSION {
            return Some(match Family::of_ether_type(ether_type) {
                Some(family) => Inner::Packet(family, at),
                None => Inner::Other,
            });
        }
        let ppp = at + 6;
        // No session's frame is shorter than a whole protocol field.
        bytes.get(ppp, 2)?;
        return Some(match link::ppp(bytes, ppp)? {
            Some((family, length)) => Inner::Packet(family, ppp + length),
            None => Inner::Other,
        });
    }
}

/// RFC 2661 in UDP; empty if it cannot be read. UDP's and L2TP's own lengths are not used.
fn l2tp(bytes: Bytes<'_>, udp: usize) -> Option<Inner> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;

    let flags = bytes.number(udp + 8)?;
    if flags & CONTROL != 0 || flags & VERSION != 2 {
        return Some(Inner::Other);
    }
    let mut at = udp + 8 + 2;
    if flags & LENGTH != 0 {
        at += 2;
    }
    at += 4;
    if flags & SEQUENCE != 0 {
        at += 4;
    }
    if flags & OFFSET != 0 {
        at += 2 + usize::from(bytes.number(at)?);
    }
    // Address and control field of HDLC-like framing (RFC 1662).
    if bytes.get(at, 2) == Some(&[0xff, 0x03]) {
        at += 2;
    }
    Some(match link::ppp(bytes, at)? {
        Some((family, length)) => Inner::Packet(family, at + length),
        None => Inner::Other,
    })
}
