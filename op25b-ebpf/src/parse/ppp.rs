//! `PPPoE` sessions (RFC 2516) and the PPP protocol field (RFC 1661).

use super::{Bytes, Network};

/// RFC 2516 section 4: version, type, code, session and length, before the PPP protocol.
pub const PPPOE_LENGTH: u32 = 6;
/// The longest PPP protocol field.
pub const MAX_PPP_LENGTH: u32 = 2;

/// The last byte of the protocol number of IPv4 (RFC 1332).
pub const PPP_IPV4: u8 = 0x21;
/// The last byte of the protocol number of IPv6 (RFC 5072).
pub const PPP_IPV6: u8 = 0x57;

/// Reads the PPP protocol of the `PPPoE` session header at `offset`: the network layer, and the length of the protocol
/// field. `None` for another protocol than IP.
#[inline(always)]
pub fn parse_pppoe<B: Bytes>(bytes: &B, offset: u32) -> Option<(Network, u32)> {
    // Both bytes at once: a frame that ends after the first holds no IP, whatever the first is.
    let protocol: [u8; MAX_PPP_LENGTH as usize] = bytes.bytes(offset + PPPOE_LENGTH)?;
    let (network, length) = parse_ppp(|at| protocol.get(at as usize).copied())?;
    Some((network?, length))
}

/// Reads the PPP protocol field, byte by byte from its first one on: the network layer, `None` for another protocol than
/// IP, and how many bytes the field takes. `None` if there are not so many bytes.
#[inline(always)]
pub fn parse_ppp(byte: impl Fn(u32) -> Option<u8>) -> Option<(Option<Network>, u32)> {
    // RFC 1661 section 6.5: a compressed protocol field is one odd byte; a whole one starts with an even byte. The last
    // byte of either identifies IPv4 and IPv6.
    let length = if byte(0)? == 0 { 2 } else { 1 };
    let network = match byte(length - 1)? {
        PPP_IPV4 => Some(Network::V4),
        PPP_IPV6 => Some(Network::V6),
        _ => None,
    };
    Some((network, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(protocol: &[u8]) -> Option<(Network, u32)> {
        let frame = [&[0x11, 0, 0, 1, 0, 0][..], protocol].concat();
        parse_pppoe(&&frame[..], 0)
    }

    #[test]
    fn ip_is_recognized_with_a_whole_and_with_a_compressed_protocol_field() {
        assert_eq!(parse(&[0x00, 0x21]), Some((Network::V4, 2)));
        assert_eq!(parse(&[0x00, 0x57]), Some((Network::V6, 2)));
        assert_eq!(parse(&[0x21, 0x45]), Some((Network::V4, 1)));
        assert_eq!(parse(&[0x57, 0x60]), Some((Network::V6, 1)));
    }

    #[test]
    fn another_protocol_or_a_frame_that_ends_in_it_is_not_ip() {
        // LCP, and a whole field that is cut off after its first byte.
        assert_eq!(parse(&[0xc0, 0x21]), None);
        assert_eq!(parse(&[0x00]), None);
        assert_eq!(parse(&[0x21]), None);
        assert_eq!(parse(&[]), None);
    }
}
