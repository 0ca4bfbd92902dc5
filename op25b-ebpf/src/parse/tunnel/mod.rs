//! From a tunnel's outer packet to the IP packet inside.
//!
//! Each call goes one level down; [`starts_tunnel`] is for the level that is not parsed any more.
//!
//! A new kind of [`Tunnel`] needs an arm in `protocol` and in `parse_payload`, to which the compiler points, and is
//! recognized in `kinds`: the assertion below fails until it is.

mod gre;
pub mod l2tp;

use op25b_common::{Reason, Tunnel};

use super::{
    Bytes, FIRST_HARMLESS_FRAGMENT, MAX_OFFSET, Network, UpperLayer,
    ipv4::{self, parse_ipv4},
    ipv6::{self, parse_ipv6},
};

// Protocol numbers (IANA).
const IPV4: u32 = 4;
const IPV6: u32 = 41;
const GRE: u32 = 47;
/// UDP's.
pub const UDP: u32 = 17;

/// The packet inside a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// Its IP version.
    pub network: Network,
    /// Where its IP header starts; 0 if that cannot be read. Every field is always set: the compiler may load one that is not,
    /// which the verifier refuses.
    pub offset: u32,
    /// Whether the source that counts cannot be read.
    pub is_unaddressed: bool,
    /// Its upper layer.
    pub upper: UpperLayer,
    /// The tunnel that it is in, as a set of kinds: several if the headers do not show which one it is.
    pub kinds: u8,
}

/// What a tunnel's headers lead to.
enum Payload {
    /// The header of an IP packet should start here.
    Ip(Network, u32),
    /// Something that is no IP packet.
    Other,
    /// The packet ends before.
    Cut,
    /// More headers than are parsed, and there may be an IP packet after them.
    Hidden,
}

/// Finds the packet in this upper layer, if that is one of the `enabled` tunnels; an error if there is none (`not_tcp` or
/// `later_fragment`).
///
/// `skip_extensions` is [`super::extensions::skip_extensions`], however it is called.
#[inline(always)]
pub fn parse_tunnel<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &UpperLayer,
    enabled: u8,
    skip_extensions: impl Fn(&mut UpperLayer),
) -> Result<Inner, Reason> {
    let kinds = kinds(outer, upper.protocol) & enabled;
    if kinds == 0 {
        return Err(Reason::NotTcp);
    }
    let hidden = |kinds, is_unaddressed| Inner {
        network: outer,
        offset: 0,
        is_unaddressed,
        upper: *upper,
        kinds,
    };
    if upper.fragment_offset >= FIRST_HARMLESS_FRAGMENT {
        return Err(Reason::LaterFragment);
    }
    if upper.fragment_offset != 0 {
        // Most fragments of UDP are of another port than L2TP's: they are their sender's. Of the others no honest sender
        // makes fragments that are this short.
        return Ok(hidden(kinds, kinds & (OUTER_DECIDES | Tunnel::L2tp.bit()) == 0));
    }
    // A first fragment that ends before the inner header hides whose packet it is.
    let is_unaddressed = upper.is_fragment != 0 && kinds & OUTER_DECIDES == 0;
    if upper.is_hidden != 0 {
        return Ok(hidden(kinds, is_unaddressed));
    }
    let Some(kind) = parse_kind(bytes, outer, upper)? else {
        return Ok(hidden(kinds, is_unaddressed));
    };
    if kind.bit() & enabled == 0 {
        return Err(Reason::NotTcp);
    }
    let (network, offset) = match parse_payload(bytes, outer, upper, kind) {
        Payload::Ip(network, offset) => (network, offset),
        Payload::Other => return Err(Reason::NotTcp),
        Payload::Cut => return Ok(hidden(kind.bit(), is_unaddressed)),
        Payload::Hidden => return Ok(hidden(kind.bit(), true)),
    };
    let header_length = match network {
        Network::V4 => ipv4::HEADER_LENGTH,
        Network::V6 => ipv6::HEADER_LENGTH,
    };
    if offset > MAX_OFFSET
        || offset + header_length > upper.end
        || bytes.byte(offset + header_length - 1).is_none()
    {
        return Ok(hidden(kind.bit(), is_unaddressed));
    }
    let inner = match network {
        Network::V4 => parse_ipv4(bytes, offset),
        Network::V6 => parse_ipv6(bytes, offset),
    };
    let Ok(mut inner) = inner else {
        return Err(Reason::NotTcp);
    };
    inner.end = inner.end.min(upper.end);
    if network == Network::V6 {
        skip_extensions(&mut inner);
    }
    Ok(Inner {
        network,
        offset,
        is_unaddressed: false,
        upper: inner,
        kinds: kind.bit(),
    })
}

/// The tunnels in which the outer source alone decides.
///
/// DS-Lite (RFC 6333 section 6.6): inner sources are private and the same for everybody; the subscriber is the sender of the
/// outer packet. In the other tunnels the inner source is the subscriber's own address, and the outer one may be a
/// concentrator's.
const OUTER_DECIDES: u8 = Tunnel::V4InV6.bit();

impl Inner {
    /// Whether its IP header cannot be read.
    #[must_use]
    #[inline(always)]
    pub const fn is_hidden(&self) -> bool {
        self.offset == 0
    }

    /// Whether the outer source alone decides on it.
    #[must_use]
    #[inline(always)]
    pub const fn is_its_outer_sources(&self) -> bool {
        self.kinds & OUTER_DECIDES != 0
    }
}

/// The kinds of tunnels that packets with this protocol number may be.
#[inline(always)]
#[must_use]
pub const fn kinds(outer: Network, protocol: u32) -> u8 {
    match (outer, protocol) {
        (Network::V4, IPV4) => Tunnel::V4InV4.bit(),
        (Network::V4, IPV6) => Tunnel::V6InV4.bit(),
        (Network::V6, IPV4) => Tunnel::V4InV6.bit(),
        (Network::V6, IPV6) => Tunnel::V6InV6.bit(),
        (_, GRE) => Tunnel::Gre.bit() | Tunnel::EthernetInGre.bit(),
        (_, UDP) => Tunnel::L2tp.bit(),
        _ => 0,
    }
}

/// The protocol number of the packets that carry this tunnel.
const fn protocol(tunnel: Tunnel) -> u32 {
    match tunnel {
        Tunnel::V4InV4 | Tunnel::V4InV6 => IPV4,
        Tunnel::V6InV4 | Tunnel::V6InV6 => IPV6,
        Tunnel::Gre | Tunnel::EthernetInGre => GRE,
        Tunnel::L2tp => UDP,
    }
}

// Every tunnel is recognized, on the fast path as well.
const _: () = {
    let mut number = 0;
    while number < Tunnel::ALL.len() {
        let tunnel = Tunnel::ALL[number];
        let protocol = protocol(tunnel);
        let kinds = kinds(Network::V4, protocol) | kinds(Network::V6, protocol);
        assert!(kinds & tunnel.bit() != 0, "a tunnel without a parser");
        number += 1;
    }
};

/// The kind of tunnel of a packet whose protocol number is a tunnel's; `None` if the packet ends before it shows, an error if
/// it is none.
#[inline(always)]
fn parse_kind<B: Bytes>(bytes: &B, outer: Network, upper: &UpperLayer) -> Result<Option<Tunnel>, Reason> {
    match (outer, upper.protocol) {
        (Network::V4, IPV4) => Ok(Some(Tunnel::V4InV4)),
        (Network::V4, IPV6) => Ok(Some(Tunnel::V6InV4)),
        (Network::V6, IPV4) => Ok(Some(Tunnel::V4InV6)),
        (Network::V6, IPV6) => Ok(Some(Tunnel::V6InV6)),
        (_, GRE) => gre::parse_kind(bytes, upper),
        (_, UDP) => l2tp::parse_kind(bytes, upper),
        _ => Err(Reason::NotTcp),
    }
}

/// The kinds of tunnels that may start in this upper layer, of those that are `enabled`; an error if none does (`not_tcp` or
/// `later_fragment`).
///
/// The answer is [`parse_tunnel`]'s, but that what may be ordinary UDP is taken for it.
#[inline(always)]
pub fn starts_tunnel<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &UpperLayer,
    enabled: u8,
) -> Result<u8, Reason> {
    let kinds = kinds(outer, upper.protocol) & enabled;
    if upper.fragment_offset >= FIRST_HARMLESS_FRAGMENT {
        return Err(Reason::LaterFragment);
    }
    let kind = if upper.fragment_offset != 0 || upper.is_hidden != 0 {
        None
    } else {
        parse_kind(bytes, outer, upper)?
    };
    match kind {
        Some(kind) if kind.bit() & enabled != 0 => Ok(kind.bit()),
        None if upper.protocol != UDP && kinds != 0 => Ok(kinds),
        _ => Err(Reason::NotTcp),
    }
}

/// What the headers of this kind of tunnel lead to.
#[inline(always)]
fn parse_payload<B: Bytes>(bytes: &B, outer: Network, upper: &UpperLayer, kind: Tunnel) -> Payload {
    match kind {
        Tunnel::V4InV4 | Tunnel::V4InV6 => Payload::Ip(Network::V4, upper.offset),
        Tunnel::V6InV4 | Tunnel::V6InV6 => Payload::Ip(Network::V6, upper.offset),
        Tunnel::Gre => gre::parse_ip(bytes, outer, upper),
        Tunnel::EthernetInGre => gre::parse_ethernet(bytes, upper),
        Tunnel::L2tp => l2tp::parse_message(bytes, upper),
    }
}

/// The bytes at an offset, if they are the packet's.
#[inline(always)]
fn inside<B: Bytes, const N: usize>(bytes: &B, upper: &UpperLayer, offset: u32) -> Option<[u8; N]> {
    if offset > MAX_OFFSET || offset + N as u32 > upper.end {
        return None;
    }
    bytes.bytes(offset)
}

#[cfg(test)]
mod tests;
