//! PPP in `L2TPv2` in UDP (RFC 2661).

use op25b_common::{Reason, Tunnel};

use super::{Bytes, Payload, UpperLayer, inside};
use crate::parse::ppp::parse_ppp;

const UDP_LENGTH: u32 = 8;
/// The port to which an L2TP access concentrator sends (RFC 2661 section 8.1).
pub const L2TP_PORT: u16 = 1701;

/// The kind of tunnel that the UDP header announces; `None` if the packet ends before it does.
#[inline(always)]
pub(super) fn parse_kind<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Result<Option<Tunnel>, Reason> {
    let Some([_, _, a, b]) = inside(bytes, upper, upper.offset) else {
        return Ok(None);
    };
    match u16::from_be_bytes([a, b]) {
        L2TP_PORT => Ok(Some(Tunnel::L2tp)),
        _ => Err(Reason::NotTcp),
    }
}

/// Reads the headers of an `L2TPv2` data message (RFC 2661 section 3.1) and of the PPP frame in it.
#[inline(always)]
pub(super) fn parse_message<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Payload {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;
    /// RFC 1662 section 3.1: address and control, which peers may agree to leave out.
    const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];

    let mut position = upper.offset + UDP_LENGTH;
    let Some(flags) = inside(bytes, upper, position) else {
        return Payload::Cut;
    };
    let flags = u16::from_be_bytes(flags);
    if flags & CONTROL != 0 || flags & VERSION != 2 {
        return Payload::Other;
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
            return Payload::Cut;
        };
        position += 2 + u32::from(u16::from_be_bytes(size));
    }
    if inside(bytes, upper, position) == Some(ADDRESS_AND_CONTROL) {
        position += 2;
    }
    let byte = |at| inside(bytes, upper, position + at).map(|[byte]| byte);
    match parse_ppp(byte) {
        Some((Some(network), length)) => Payload::Ip(network, position + length),
        Some((None, _)) => Payload::Other,
        None => Payload::Cut,
    }
}
