//! The IPv6 header (RFC 8200), without its extension headers: see [`super::extensions`].

use op25b_common::Reason;

use super::{Bytes, OPEN_END, UpperLayer};

/// The header's length.
pub const HEADER_LENGTH: u32 = 40;
/// Where the payload length stands.
pub const PAYLOAD_LENGTH_OFFSET: u32 = 4;
const NEXT_HEADER_OFFSET: usize = 6;
/// Where the source address stands; the destination's follows it.
pub const SOURCE_OFFSET: u32 = 8;
/// Where the destination address stands.
pub const DESTINATION_OFFSET: u32 = 24;

/// Reads the IPv6 header at `offset`; an error if there is none (`not_ip`). The protocol of the result may be an extension
/// header's.
#[inline(always)]
pub fn parse_ipv6<B: Bytes>(bytes: &B, offset: u32) -> Result<UpperLayer, Reason> {
    let header: [u8; NEXT_HEADER_OFFSET + 2] = bytes.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    // The last byte is read: a header that is cut short is no IPv6 header.
    if version != 6 || bytes.byte(offset + HEADER_LENGTH - 1).is_none() {
        return Err(Reason::NotIp);
    }
    let payload_length = u16::from_be_bytes([
        header[PAYLOAD_LENGTH_OFFSET as usize],
        header[PAYLOAD_LENGTH_OFFSET as usize + 1],
    ]);
    let payload = offset + HEADER_LENGTH;
    Ok(UpperLayer {
        offset: payload,
        // RFC 2675: a jumbogram writes 0 here and its length elsewhere, and so leaves the end open.
        end: if payload_length == 0 {
            OPEN_END
        } else {
            payload + u32::from(payload_length)
        },
        protocol: u32::from(header[NEXT_HEADER_OFFSET]),
        ..UpperLayer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> [u8; 40] {
        let mut header = [0; 40];
        header[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, 6, 64]);
        header
    }

    #[test]
    fn a_header_leads_to_the_next_one() {
        let upper = UpperLayer {
            offset: 40,
            end: 60,
            protocol: 6,
            ..UpperLayer::default()
        };
        assert_eq!(parse_ipv6(&&header()[..], 0), Ok(upper));
    }

    #[test]
    fn a_payload_length_of_0_leaves_the_end_open() {
        let mut header = header();
        header[5] = 0;
        let upper = parse_ipv6(&&header[..], 0);
        assert_eq!(upper.map(|upper| upper.end), Ok(OPEN_END));
    }

    #[test]
    fn another_version_or_a_cut_header_is_not_ip() {
        let mut other = header();
        other[0] = 0x45;
        assert_eq!(parse_ipv6(&&other[..], 0), Err(Reason::NotIp));
        for length in 0..40 {
            assert_eq!(parse_ipv6(&&header()[..length], 0), Err(Reason::NotIp));
        }
    }
}
