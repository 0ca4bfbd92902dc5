//! The IPv4 header (RFC 791).

use op25b_common::Reason;

use super::{Bytes, OPEN_END, UpperLayer};

/// The header's length without options.
pub const HEADER_LENGTH: u32 = 20;
/// Where the packet's total length stands.
pub const TOTAL_LENGTH_OFFSET: u32 = 2;
const FRAGMENT_OFFSET: usize = 6;
const PROTOCOL_OFFSET: usize = 9;
/// Where the source address stands; the destination's follows it.
pub const SOURCE_OFFSET: u32 = 12;
/// Where the destination address stands.
pub const DESTINATION_OFFSET: u32 = 16;

/// The 13 bits that count where a fragment starts, in units of 8 bytes.
const FRAGMENT_OFFSET_MASK: u16 = 0x1fff;
/// The bit for "another fragment follows".
const MORE_FRAGMENTS: u16 = 0x2000;

/// Reads the IPv4 header at `offset`; an error if there is none (`not_ip`).
#[inline(always)]
pub fn parse_ipv4<B: Bytes>(bytes: &B, offset: u32) -> Result<UpperLayer, Reason> {
    let header: [u8; HEADER_LENGTH as usize] = bytes.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    if version != 4 {
        return Err(Reason::NotIp);
    }
    let header_length = u32::from(header[0] & 0x0f) * 4;
    let fragment = u16::from_be_bytes([header[FRAGMENT_OFFSET], header[FRAGMENT_OFFSET + 1]]);
    let total_length = u16::from_be_bytes([
        header[TOTAL_LENGTH_OFFSET as usize],
        header[TOTAL_LENGTH_OFFSET as usize + 1],
    ]);
    Ok(UpperLayer {
        offset: offset + header_length,
        end: end(offset, total_length),
        fragment_offset: u32::from(fragment & FRAGMENT_OFFSET_MASK),
        protocol: u32::from(header[PROTOCOL_OFFSET]),
        is_fragment: u32::from(fragment & (FRAGMENT_OFFSET_MASK | MORE_FRAGMENTS) != 0),
        is_hidden: u32::from(header_length < HEADER_LENGTH),
    })
}

/// Where the packet at `offset` with this total length ends.
#[inline(always)]
fn end(offset: u32, total_length: u16) -> u32 {
    if total_length == 0 {
        // The kernel itself writes 0 for aggregated packets over 64 KiB (Linux `iph_totlen`), and so leaves the end open.
        OPEN_END
    } else {
        offset + u32::from(total_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(change: impl FnOnce(&mut [u8; 20])) -> [u8; 20] {
        let mut header = [
            0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1,
        ];
        change(&mut header);
        header
    }

    fn parse(change: impl FnOnce(&mut [u8; 20])) -> Result<UpperLayer, Reason> {
        let frame = [&[0; 14][..], &header(change)].concat();
        parse_ipv4(&&frame[..], 14)
    }

    const PLAIN: UpperLayer = UpperLayer {
        offset: 34,
        end: 54,
        fragment_offset: 0,
        protocol: 6,
        is_fragment: 0,
        is_hidden: 0,
    };

    #[test]
    fn a_plain_header_leads_to_the_upper_layer() {
        assert_eq!(parse(|_| ()), Ok(PLAIN));
    }

    #[test]
    fn options_are_skipped() {
        let upper = UpperLayer { offset: 74, ..PLAIN };
        assert_eq!(parse(|header| header[0] = 0x4f), Ok(upper));
    }

    #[test]
    fn a_header_length_below_20_bytes_hides_the_upper_layer() {
        let upper = UpperLayer {
            offset: 30,
            is_hidden: 1,
            ..PLAIN
        };
        assert_eq!(parse(|header| header[0] = 0x44), Ok(upper));
    }

    #[test]
    fn fragments_are_recognized() {
        let fragment = |fragment_offset| UpperLayer {
            fragment_offset,
            is_fragment: 1,
            ..PLAIN
        };
        assert_eq!(parse(|header| header[6] = 0x20), Ok(fragment(0)));
        assert_eq!(parse(|header| header[7] = 1), Ok(fragment(1)));
        assert_eq!(
            parse(|header| header[6..8].copy_from_slice(&[0x3f, 0xff])),
            Ok(fragment(0x1fff))
        );
        // "Don't fragment" and the reserved bit make no fragment.
        assert_eq!(parse(|header| header[6] = 0xc0), Ok(PLAIN));
    }

    #[test]
    fn a_total_length_of_0_leaves_the_end_open() {
        let upper = UpperLayer {
            end: OPEN_END,
            ..PLAIN
        };
        assert_eq!(parse(|header| header[3] = 0), Ok(upper));
    }

    #[test]
    fn another_version_or_a_cut_header_is_not_ip() {
        assert_eq!(parse(|header| header[0] = 0x65), Err(Reason::NotIp));
        assert_eq!(parse_ipv4(&&header(|_| ())[..19], 0), Err(Reason::NotIp));
    }
}
