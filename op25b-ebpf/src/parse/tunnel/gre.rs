//! GRE (RFC 2784, RFC 2890).

use core::cell::Cell;

use op25b_common::{Reason, Tunnel};

use super::{Bytes, Network, Payload, UpperLayer, inside};
use crate::parse::ethernet::{NoNetwork, Usual, parse_link};

/// Flags of GRE that is not parsed: any version but 0, above all PPTP's (RFC 2637), which subscribers use; and routing, which
/// was in RFC 1701 only (RFC 2784 section 2.3 has receivers discard it).
const GRE_OTHER: u16 = 0x4007;
const CHECKSUM: u16 = 0x8000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;

const BASE_LENGTH: u32 = 4;

// Protocol types, which are EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Packets that routers redirect to web caches (draft-wilson-wrec-wccp-v2).
const WCCP: u16 = 0x883e;
/// Transparent Ethernet bridging (RFC 1701).
const ETHERNET: u16 = 0x6558;

/// The kind of tunnel that the header announces; `None` if the packet ends before it does.
#[inline(always)]
pub(super) fn parse_kind<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Result<Option<Tunnel>, Reason> {
    let Some([flags, protocol]) = parse_base(bytes, upper) else {
        return Ok(None);
    };
    match protocol {
        _ if flags & GRE_OTHER != 0 => Err(Reason::NotTcp),
        IPV4 | IPV6 => Ok(Some(Tunnel::Gre)),
        // Linux's tunnels take this for a packet of the outer one's version (`gre_parse_header`).
        WCCP if flags == 0 => Ok(Some(Tunnel::Gre)),
        ETHERNET => Ok(Some(Tunnel::EthernetInGre)),
        _ => Err(Reason::NotTcp),
    }
}

/// The IP packet after a header of [`Tunnel::Gre`].
#[inline(always)]
pub(super) fn parse_ip<B: Bytes>(bytes: &B, outer: Network, upper: &UpperLayer) -> Payload {
    let Some([flags, protocol]) = parse_base(bytes, upper) else {
        return Payload::Cut;
    };
    let network = match protocol {
        IPV4 => Network::V4,
        IPV6 => Network::V6,
        // After a redirect header, unless an IPv4 header stands there.
        _ => {
            const REDIRECT_LENGTH: u32 = 4;
            let offset = upper.offset + BASE_LENGTH;
            let Some([first]) = inside(bytes, upper, offset) else {
                return Payload::Cut;
            };
            let redirect = if first >> 4 == 4 { 0 } else { REDIRECT_LENGTH };
            return Payload::Ip(outer, offset + redirect);
        }
    };
    Payload::Ip(network, upper.offset + header_length(flags))
}

/// The IP packet in the Ethernet frame after a header of [`Tunnel::EthernetInGre`], after the same tags and `PPPoE` as in a
/// frame on the line.
#[inline(always)]
pub(super) fn parse_ethernet<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Payload {
    let Some([flags, _]) = parse_base(bytes, upper) else {
        return Payload::Cut;
    };
    let frame = Inside {
        bytes,
        upper,
        is_cut: Cell::new(false),
    };
    match parse_link(&frame, upper.offset + header_length(flags), &Usual) {
        Ok((network, link)) => Payload::Ip(network, link.length),
        Err(NoNetwork::Hidden(_)) => Payload::Hidden,
        Err(NoNetwork::Other(_)) if frame.is_cut.get() => Payload::Cut,
        Err(NoNetwork::Other(_)) => Payload::Other,
    }
}

/// Flags and protocol type.
#[inline(always)]
fn parse_base<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Option<[u16; 2]> {
    let [a, b, c, d] = inside(bytes, upper, upper.offset)?;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

/// The length of the header with the optional fields that these flags announce.
#[inline(always)]
fn header_length(flags: u16) -> u32 {
    let optional = [CHECKSUM, KEY, SEQUENCE];
    BASE_LENGTH + 4 * optional.iter().filter(|bit| flags & **bit != 0).count() as u32
}

/// The bytes of an outer packet, and whether something was read beyond its end.
struct Inside<'b, B> {
    bytes: &'b B,
    upper: &'b UpperLayer,
    is_cut: Cell<bool>,
}

impl<B: Bytes> Bytes for Inside<'_, B> {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let bytes = inside(self.bytes, self.upper, offset);
        if bytes.is_none() {
            self.is_cut.set(true);
        }
        bytes
    }
}
