//! From a tunnel's outer packet to the IP packet inside.
//!
//! One level is parsed. A tunnel inside a tunnel hides what it carries.
//!
//! A new kind of [`Tunnel`] needs an arm in `protocol`, `nested` and `parse_payload`; the assertion below fails until `kind`
//! and [`proto_may_be_tunnel`] recognize its packets too.

mod gre;
mod l2tp;

use op25b_common::{Reason, Tunnel};

use super::{
    Bytes, FIRST_HARMLESS_FRAGMENT, MAX_OFFSET, Network, UpperLayer,
    ipv4::{self, parse_ipv4},
    ipv6::{self, parse_ipv6},
    tcp::{Ports, parse_ports},
};

// Protocol numbers (IANA).
const IPV4: u32 = 4;
const IPV6: u32 = 41;
const GRE: u32 = 47;
const UDP: u32 = 17;

/// The packet inside a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// Its IP version, and where its IP header starts; `None` if it cannot be read: then only the outer addresses are
    /// known.
    pub network: Option<(Network, u32)>,
    /// Its upper layer.
    pub upper: UpperLayer,
    /// Its source and destination port; 0 if they are hidden, as the compiler may load what is not set, and verifiers before
    /// Linux 6.3 refuse that.
    pub ports: [u16; 2],
    /// Whether its ports cannot be read.
    pub is_hidden: bool,
    /// The tunnel that it is in.
    pub kind: Tunnel,
    /// The tunnel that starts in there and hides the rest.
    pub nested: Option<Tunnel>,
}

/// Parses the packet in this upper layer, if that is one of the `enabled` tunnels; an error if there is no TCP in it
/// (`not_tcp` or `later_fragment`).
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
    let Some(kind) = kind(outer, upper.protocol).filter(|kind| kind.bit() & enabled != 0) else {
        return Err(Reason::NotTcp);
    };
    let hidden = Inner {
        network: None,
        upper: *upper,
        ports: [0; 2],
        is_hidden: true,
        kind,
        nested: None,
    };
    if upper.fragment_offset >= FIRST_HARMLESS_FRAGMENT {
        return Err(Reason::LaterFragment);
    }
    if upper.fragment_offset != 0 || upper.is_hidden != 0 {
        return Ok(hidden);
    }
    let Some((network, offset)) = parse_payload(bytes, outer, upper, kind)? else {
        return Ok(hidden);
    };
    let header_length = match network {
        Network::V4 => ipv4::HEADER_LENGTH,
        Network::V6 => ipv6::HEADER_LENGTH,
    };
    if offset > MAX_OFFSET
        || offset + header_length > upper.end
        || bytes.byte(offset + header_length - 1).is_none()
    {
        return Ok(hidden);
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
    let nested = nested(bytes, network, &inner).filter(|kind| kind.bit() & enabled != 0);
    let ports = if nested.is_none() {
        parse_ports(bytes, network, &inner)?
    } else {
        Ports::Hidden
    };
    let (ports, is_hidden) = match ports {
        Ports::Known { source, destination } => ([source, destination], false),
        Ports::Hidden => ([0; 2], true),
    };
    Ok(Inner {
        network: Some((network, offset)),
        upper: inner,
        ports,
        is_hidden,
        kind,
        nested,
    })
}

/// Whether a packet with this protocol number may be one of the `enabled` tunnels. That includes packets of either IP
/// version with a number that is a tunnel's in one of them.
#[inline(always)]
#[must_use]
pub const fn proto_may_be_tunnel(protocol: u32, enabled: u8) -> bool {
    match protocol {
        UDP => enabled & Tunnel::L2tp.bit() != 0,
        IPV4 | IPV6 | GRE => enabled != 0,
        _ => false,
    }
}

/// The protocol number of the packets that carry this tunnel.
const fn protocol(tunnel: Tunnel) -> u32 {
    match tunnel {
        Tunnel::V4InV4 | Tunnel::V4InV6 => IPV4,
        Tunnel::V6InV4 => IPV6,
        Tunnel::Gre => GRE,
        Tunnel::L2tp => UDP,
    }
}

/// The kind of tunnel that packets with this protocol number are.
#[inline(always)]
const fn kind(outer: Network, protocol: u32) -> Option<Tunnel> {
    match (outer, protocol) {
        (Network::V4, IPV4) => Some(Tunnel::V4InV4),
        (Network::V4, IPV6) => Some(Tunnel::V6InV4),
        (Network::V6, IPV4) => Some(Tunnel::V4InV6),
        (_, GRE) => Some(Tunnel::Gre),
        (_, UDP) => Some(Tunnel::L2tp),
        _ => None,
    }
}

// Every tunnel is recognized, on the fast path as well.
const _: () = {
    let mut number = 0;
    while number < Tunnel::ALL.len() {
        let tunnel = Tunnel::ALL[number];
        let protocol = protocol(tunnel);
        assert!(proto_may_be_tunnel(protocol, tunnel.bit()));
        let in_v4 = matches!(kind(Network::V4, protocol), Some(kind) if kind as u8 == tunnel as u8);
        let in_v6 = matches!(kind(Network::V6, protocol), Some(kind) if kind as u8 == tunnel as u8);
        assert!(in_v4 || in_v6);
        number += 1;
    }
};

/// The kind of tunnel that starts inside a tunnel.
#[inline(always)]
fn nested<B: Bytes>(bytes: &B, network: Network, upper: &UpperLayer) -> Option<Tunnel> {
    let kind = kind(network, upper.protocol)?;
    let is_another = match kind {
        Tunnel::L2tp => upper.fragment_offset != 0 || !l2tp::is_l2tp(bytes, upper),
        Tunnel::Gre => upper.fragment_offset != 0 || upper.is_hidden == 0 && gre::is_other_gre(bytes, upper),
        Tunnel::V4InV4 | Tunnel::V4InV6 | Tunnel::V6InV4 => false,
    };
    (!is_another).then_some(kind)
}

/// The IP version of the tunnel's payload, and where that starts; `None` if it cannot be read.
#[inline(always)]
fn parse_payload<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &UpperLayer,
    kind: Tunnel,
) -> Result<Option<(Network, u32)>, Reason> {
    match kind {
        Tunnel::V4InV4 | Tunnel::V4InV6 => Ok(Some((Network::V4, upper.offset))),
        Tunnel::V6InV4 => Ok(Some((Network::V6, upper.offset))),
        Tunnel::Gre => gre::parse_gre(bytes, outer, upper),
        Tunnel::L2tp => l2tp::parse_l2tp(bytes, upper),
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
