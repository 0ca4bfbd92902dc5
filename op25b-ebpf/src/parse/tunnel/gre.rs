//! GRE (RFC 2784, RFC 2890).

use op25b_common::Reason;

use super::{Bytes, Network, UpperLayer, inside};

/// Flags of GRE that is not parsed: any version but 0, and routing, which was in RFC 1701 only (RFC 2784 section 2.3 has
/// receivers discard it).
const GRE_OTHER: u16 = 0x4007;

const BASE_LENGTH: u32 = 4;

/// Whether it is GRE that is not parsed whatever it carries: above all PPTP's (RFC 2637), which subscribers use.
#[inline(always)]
pub(super) fn is_other_gre<B: Bytes>(bytes: &B, upper: &UpperLayer) -> bool {
    inside(bytes, upper, upper.offset).is_some_and(|flags| u16::from_be_bytes(flags) & GRE_OTHER != 0)
}

/// Reads a GRE header: the payload's IP version and where it starts; `None` if the packet ends before.
#[inline(always)]
pub(super) fn parse_gre<B: Bytes>(
    bytes: &B,
    outer: Network,
    upper: &UpperLayer,
) -> Result<Option<(Network, u32)>, Reason> {
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
        // Linux's tunnels take this for a packet of the outer one's kind, after a redirect header unless an IPv4 header
        // stands there (`gre_parse_header`).
        PROTOCOL_WCCP if flags == 0 => {
            let offset = upper.offset + BASE_LENGTH;
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
    Ok(Some((network, upper.offset + BASE_LENGTH + optional * 4)))
}
