//! From a tunnel's outer packet to the IP packet inside.
//!
//! One level is looked into. A tunnel inside a tunnel hides what it carries.

use op25b_common::{Reason, Tunnel};

use super::{Bytes, MAX_OFFSET, Network, Ports, Upper, ethernet, ipv4, ipv6};

// Protocol numbers (IANA).
const IPV4: u32 = 4;
const IPV6: u32 = 41;
const GRE: u32 = 47;
const UDP: u32 = 17;

/// Flags of GRE that is not looked into: any version but 0, and routing, which was in RFC 1701 only (RFC 2784 section 2.3
/// has receivers discard it).
const GRE_OTHER: u16 = 0x4007;

const UDP_LENGTH: u32 = 8;
/// RFC 2661 section 8.1.
const L2TP_PORT: u16 = 1701;

/// Fragments that start before this, in units of 8 bytes, could overwrite inner headers while the packet is put together;
/// real ones start hundreds of bytes in.
const FIRST_HARMLESS_FRAGMENT: u32 = 16;

/// What is inside a tunnel.
pub struct Inner {
    /// Where its IP header starts, and of which kind it is; `None` if it cannot be read: then only the outer addresses
    /// are known.
    pub network: Option<(Network, u32)>,
    /// What stands behind that header.
    pub upper: Upper,
    /// Its source and destination port; 0 if they are hidden, as the compiler may load what is not set, and verifiers before
    /// Linux 6.3 refuse that.
    pub ports: [u16; 2],
    /// Whether its ports cannot be read.
    pub is_hidden: bool,
    /// The tunnel it is in.
    pub kind: Tunnel,
    /// The tunnel that starts in there and hides the rest.
    pub nested: Option<Tunnel>,
}

/// Looks into the packet with this upper layer, if it is one of the `enabled` tunnels.
///
/// `skip_extensions` is [`ipv6::behind_extensions`], however it is called.
///
/// # Errors
///
/// The reason why there is no TCP to ask about: `not_tcp` or `later_fragment`.
#[inline(always)]
pub fn inner<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &Upper,
    enabled: u8,
    skip_extensions: impl Fn(&mut Upper),
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
    let Some((network, offset)) = payload(bytes, outer, upper, kind)? else {
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
    let behind = match network {
        Network::V4 => ipv4::upper(bytes, offset),
        Network::V6 => ipv6::header(bytes, offset),
    };
    let Ok(mut behind) = behind else {
        return Err(Reason::NotTcp);
    };
    behind.end = behind.end.min(upper.end);
    if network == Network::V6 {
        skip_extensions(&mut behind);
    }
    let nested = nested(bytes, network, &behind).filter(|kind| kind.bit() & enabled != 0);
    let ports = if nested.is_none() {
        behind.ports(bytes)?
    } else {
        Ports::Hidden
    };
    let (ports, is_hidden) = match ports {
        Ports::Known { source, destination } => ([source, destination], false),
        Ports::Hidden => ([0; 2], true),
    };
    Ok(Inner {
        network: Some((network, offset)),
        upper: behind,
        ports,
        is_hidden,
        kind,
        nested,
    })
}

/// Whether a packet with this protocol number may be one of the `enabled` tunnels. Packets of both families with a number
/// that is a tunnel's in one of them are.
#[inline(always)]
pub fn is_looked_into(protocol: u32, enabled: u8) -> bool {
    match protocol {
        UDP => enabled & Tunnel::L2tp.bit() != 0,
        IPV4 | IPV6 | GRE => enabled != 0,
        _ => false,
    }
}

/// The kind of tunnel with this protocol number.
#[inline(always)]
fn kind(outer: Network, protocol: u32) -> Option<Tunnel> {
    match (outer, protocol) {
        (Network::V4, IPV4) => Some(Tunnel::V4InV4),
        (Network::V4, IPV6) => Some(Tunnel::V6InV4),
        (Network::V6, IPV4) => Some(Tunnel::V4InV6),
        (_, GRE) => Some(Tunnel::Gre),
        (_, UDP) => Some(Tunnel::L2tp),
        _ => None,
    }
}

/// The kind of tunnel that stands inside a tunnel.
#[inline(always)]
fn nested<B: Bytes>(bytes: &B, network: Network, upper: &Upper) -> Option<Tunnel> {
    let kind = kind(network, upper.protocol)?;
    let is_another = match kind {
        Tunnel::L2tp => upper.fragment_offset != 0 || udp_port(bytes, upper) != Some(L2TP_PORT),
        Tunnel::Gre => upper.fragment_offset != 0 || upper.is_hidden == 0 && is_other_gre(bytes, upper),
        Tunnel::V4InV4 | Tunnel::V4InV6 | Tunnel::V6InV4 => false,
    };
    (!is_another).then_some(kind)
}

/// The network layer that the tunnel's payload starts with, and where; `None` if it cannot be read.
#[inline(always)]
fn payload<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &Upper,
    kind: Tunnel,
) -> Result<Option<(Network, u32)>, Reason> {
    match kind {
        Tunnel::V4InV4 | Tunnel::V4InV6 => Ok(Some((Network::V4, upper.offset))),
        Tunnel::V6InV4 => Ok(Some((Network::V6, upper.offset))),
        Tunnel::Gre => gre(bytes, outer, upper),
        Tunnel::L2tp => l2tp(bytes, upper),
    }
}

/// Whether it is GRE that is not looked into whatever it carries: above all PPTP's (RFC 2637), which subscribers use.
#[inline(always)]
fn is_other_gre<B: Bytes>(bytes: &B, upper: &Upper) -> bool {
    inside(bytes, upper, upper.offset).is_some_and(|flags| u16::from_be_bytes(flags) & GRE_OTHER != 0)
}

/// Reads a GRE header (RFC 2784, RFC 2890).
#[inline(always)]
fn gre<B: Bytes>(bytes: &B, outer: Network, upper: &Upper) -> Result<Option<(Network, u32)>, Reason> {
    const CHECKSUM: u16 = 0x8000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const PROTOCOL_IPV4: u16 = 0x0800;
    const PROTOCOL_IPV6: u16 = 0x86dd;
    /// Packets that routers redirect to web caches (draft-wilson-wrec-wccp-v2).
    const PROTOCOL_WCCP: u16 = 0x883e;
    const REDIRECT_LENGTH: u32 = 4;

    let Some([a, b, c, d]) = inside(bytes, upper, upper.offset) else {
        return Ok(None);
    };
    let flags = u16::from_be_bytes([a, b]);
    if flags & GRE_OTHER != 0 {
        return Err(Reason::NotTcp);
    }
    let network = match u16::from_be_bytes([c, d]) {
        PROTOCOL_IPV4 => Network::V4,
        PROTOCOL_IPV6 => Network::V6,
        // Linux's tunnels take this for a packet of the outer one's kind, behind a redirect header unless an IPv4 header
        // stands there (`gre_parse_header`).
        PROTOCOL_WCCP if flags == 0 => {
            let offset = upper.offset + 4;
            let Some([first]) = inside(bytes, upper, offset) else {
                return Ok(None);
            };
            let redirect = if first >> 4 == 4 { 0 } else { REDIRECT_LENGTH };
            return Ok(Some((outer, offset + redirect)));
        }
        _ => return Err(Reason::NotTcp),
    };
    let optional = [CHECKSUM, KEY, SEQUENCE]
        .iter()
        .filter(|bit| flags & **bit != 0)
        .count() as u32;
    Ok(Some((network, upper.offset + 4 + optional * 4)))
}

/// Reads the headers of an `L2TPv2` data message (RFC 2661 section 3.1) and of the PPP frame in it.
#[inline(always)]
fn l2tp<B: Bytes>(bytes: &B, upper: &Upper) -> Result<Option<(Network, u32)>, Reason> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;
    /// RFC 1662 section 3.1: address and control, which peers may agree to leave out.
    const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];

    match udp_port(bytes, upper) {
        Some(L2TP_PORT) => {}
        Some(_) => return Err(Reason::NotTcp),
        None => return Ok(None),
    }
    let mut position = upper.offset + UDP_LENGTH;
    let Some(flags) = inside(bytes, upper, position) else {
        return Ok(None);
    };
    let flags = u16::from_be_bytes(flags);
    if flags & CONTROL != 0 || flags & VERSION != 2 {
        return Err(Reason::NotTcp);
    }
    // Flags, then tunnel and session, and what the flags announce.
    position += 2 + 4;
    if flags & LENGTH != 0 {
        position += 2;
    }
    if flags & SEQUENCE != 0 {
        position += 4;
    }
    if flags & OFFSET != 0 {
        let Some(size) = inside(bytes, upper, position) else {
            return Ok(None);
        };
        position += 2 + u32::from(u16::from_be_bytes(size));
    }
    if inside(bytes, upper, position) == Some(ADDRESS_AND_CONTROL) {
        position += 2;
    }
    let byte = |at| inside(bytes, upper, position + at).map(|[byte]| byte);
    let Some((network, length)) = ethernet::ppp(byte) else {
        return Ok(None);
    };
    match network {
        Some(network) => Ok(Some((network, position + length))),
        None => Err(Reason::NotTcp),
    }
}

/// The destination port of the UDP header.
#[inline(always)]
fn udp_port<B: Bytes>(bytes: &B, upper: &Upper) -> Option<u16> {
    inside(bytes, upper, upper.offset).map(|[_, _, a, b]: [u8; 4]| u16::from_be_bytes([a, b]))
}

/// The bytes at an offset, if they are the packet's.
#[inline(always)]
fn inside<B: Bytes, const N: usize>(bytes: &B, upper: &Upper, offset: u32) -> Option<[u8; N]> {
    if offset > MAX_OFFSET || offset + N as u32 > upper.end {
        return None;
    }
    bytes.bytes(offset)
}
