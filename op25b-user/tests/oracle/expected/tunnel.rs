//! The segment inside a tunnel.

use etherparse::{IpNumber, ip_number};

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

/// The kind of tunnel that a protocol stands for, if the policy enables it. UDP's port is not seen here.
pub fn kind(policy: &Policy, outer: Family, protocol: u8) -> Option<Tunnel> {
    let kind = match (outer, IpNumber(protocol)) {
        (Family::V4, ip_number::IPV4) => Tunnel::V4InV4,
        (Family::V4, ip_number::IPV6) => Tunnel::V6InV4,
        (Family::V6, ip_number::IPV4) => Tunnel::V4InV6,
        (_, ip_number::GRE) => Tunnel::Gre,
        (_, ip_number::UDP) => Tunnel::L2tp,
        _ => return None,
    };
    policy.looks_into(kind).then_some(kind)
}

/// What a tunnel's own headers lead to.
enum Inner {
    Packet(Family, usize),
    /// Something that is no IP packet.
    Other,
    Unreadable,
}

/// Reads the packet in a tunnel.
pub fn read(
    policy: &Policy,
    bytes: Bytes<'_>,
    link: Link,
    outer: &Network,
    upper: Upper,
    kind: Tunnel,
) -> Reading {
    // Of a fragment without the inner header, the inner source is in another one.
    let hidden = || {
        if upper.fragmented && kind != Tunnel::V4InV6 {
            Reading::Unaddressed
        } else {
            Reading::Hidden(Addresses::of(outer))
        }
    };
    match upper.fragment_offset {
        0 => (),
        1..=EARLY => return hidden(),
        _ => return Reading::Ended(Reason::LaterFragment),
    }
    let Some(at) = upper.at.filter(|at| *at <= FARTHEST) else {
        return hidden();
    };
    let bytes = bytes.until(outer.end);
    let inner = match kind {
        Tunnel::V4InV4 | Tunnel::V4InV6 => Inner::Packet(Family::V4, at),
        Tunnel::V6InV4 => Inner::Packet(Family::V6, at),
        Tunnel::Gre => gre(bytes, at, outer.family).unwrap_or(Inner::Unreadable),
        Tunnel::L2tp => l2tp(bytes, at).unwrap_or(Inner::Unreadable),
    };
    let inner = match inner {
        Inner::Packet(family, at) if at <= FARTHEST => network::read(bytes, at, family),
        Inner::Other => return Reading::Ended(Reason::NotTcp),
        Inner::Packet(..) | Inner::Unreadable => return hidden(),
    };
    match inner {
        Ok(inner) => read_inner(policy, bytes, link, outer, &inner, kind),
        Err(NoNetwork::Short) => hidden(),
        Err(NoNetwork::Version) => Reading::Ended(Reason::NotTcp),
    }
}

fn read_inner(
    policy: &Policy,
    bytes: Bytes<'_>,
    link: Link,
    outer: &Network,
    inner: &Network,
    tunnel: Tunnel,
) -> Reading {
    let addresses = Addresses {
        // DS-Lite: many customers have the same private address inside.
        source: if tunnel == Tunnel::V4InV6 {
            outer.source
        } else {
            inner.source
        },
        destination: inner.destination,
    };
    let Some(upper) = inner.upper else {
        return Reading::Hidden(addresses);
    };
    let nested = upper
        .protocol
        .and_then(|protocol| kind(policy, inner.family, protocol));
    let is_nested = match nested {
        Some(Tunnel::L2tp) => {
            let bytes = bytes.until(inner.end);
            let port = upper.at.and_then(|at| bytes.number(at + 2));
            upper.fragment_offset == 0 && port == Some(L2TP_PORT)
        }
        Some(Tunnel::Gre) => {
            // Version and routing; which protocol it carries makes no difference.
            let flags = upper.at.and_then(|at| bytes.until(inner.end).number(at));
            upper.fragment_offset == 0 && flags.is_none_or(|flags| flags & 0x4007 == 0)
        }
        other => other.is_some(),
    };
    if is_nested {
        return Reading::Hidden(addresses);
    }
    match segment::tcp(bytes, link, inner, upper, addresses) {
        Reading::Known(segment) => Reading::Known(Segment {
            tunnelled: true,
            ..segment
        }),
        other => other,
    }
}

/// RFC 2784 and RFC 2890; empty if it cannot be read.
fn gre(bytes: Bytes<'_>, at: usize, outer: Family) -> Option<Inner> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 0x0007;
    /// What Linux's tunnels take for a packet of the outer one's family.
    const WCCP: u16 = 0x883e;

    let (flags, protocol) = (bytes.number(at)?, bytes.number(at + 2)?);
    if flags & (VERSION | ROUTING) != 0 {
        return Some(Inner::Other);
    }
    if flags == 0 && protocol == WCCP {
        let redirect = if bytes.byte(at + 4)? >> 4 == 4 { 0 } else { 4 };
        return Some(Inner::Packet(outer, at + 4 + redirect));
    }
    let optional = [CHECKSUM, KEY, SEQUENCE].map(|flag| if flags & flag == 0 { 0 } else { 4 });
    let inner = at + 4 + optional.iter().sum::<usize>();
    Some(match Family::of_ether_type(protocol) {
        Some(family) => Inner::Packet(family, inner),
        None => Inner::Other,
    })
}

/// RFC 2661 in UDP; empty if it cannot be read. UDP's and L2TP's own lengths are not used.
fn l2tp(bytes: Bytes<'_>, udp: usize) -> Option<Inner> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;

    if bytes.number(udp + 2)? != L2TP_PORT {
        return Some(Inner::Other);
    }
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
