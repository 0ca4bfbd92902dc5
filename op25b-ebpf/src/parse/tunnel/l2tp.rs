//! PPP in `L2TPv2` in UDP (RFC 2661).

use op25b_common::Reason;

use super::{Bytes, Network, UpperLayer, inside};
use crate::parse::ppp::parse_ppp;

const UDP_LENGTH: u32 = 8;
/// RFC 2661 section 8.1.
const L2TP_PORT: u16 = 1701;

/// Whether this UDP packet is L2TP's.
#[inline(always)]
pub(super) fn is_l2tp<B: Bytes>(bytes: &B, upper: &UpperLayer) -> bool {
    parse_udp_port(bytes, upper) == Some(L2TP_PORT)
}

/// Reads the headers of an `L2TPv2` data message (RFC 2661 section 3.1) and of the PPP frame in it: the payload's IP version
/// and where it starts; `None` if the packet ends before.
#[inline(always)]
pub(super) fn parse_l2tp<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Result<Option<(Network, u32)>, Reason> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;
    /// RFC 1662 section 3.1: address and control, which peers may agree to leave out.
    const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];

    match parse_udp_port(bytes, upper) {
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
    let Some((network, length)) = parse_ppp(byte) else {
        return Ok(None);
    };
    match network {
        Some(network) => Ok(Some((network, position + length))),
        None => Err(Reason::NotTcp),
    }
}

/// Reads the destination port of the UDP header.
#[inline(always)]
fn parse_udp_port<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Option<u16> {
    inside(bytes, upper, upper.offset).map(|[_, _, a, b]: [u8; 4]| u16::from_be_bytes([a, b]))
}
