//! The TCP header (RFC 9293 section 3.1): ports and flags.

use op25b_common::Reason;

use super::{Bytes, FIRST_HARMLESS_FRAGMENT, MAX_OFFSET, Network, UpperLayer};

/// Protocol number of TCP, in IPv4's protocol and IPv6's next header field.
pub const TCP: u32 = 6;

/// The header's length without options.
pub const HEADER_LENGTH: u32 = 20;

/// The first bytes of the header, which hold the ports.
const PORTS_LENGTH: u32 = 4;
/// Where the data offset stands; the flags follow it.
const DATA_OFFSET: u32 = 12;
/// Where the flags stand.
pub const FLAGS_OFFSET: u32 = DATA_OFFSET + 1;

/// The sender has no more data.
pub const FIN: u32 = 0x01;
/// Opens a connection.
pub const SYN: u32 = 0x02;
/// Ends a connection at once.
pub const RST: u32 = 0x04;
/// Acknowledges data.
pub const ACK: u32 = 0x10;

/// The ports of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// They are these.
    Known {
        /// The source port.
        source: u16,
        /// The destination port.
        destination: u16,
    },
    /// They cannot be read: row `uninspectable` of the verdict table.
    Hidden,
}

impl Ports {
    /// The value for packets without ports.
    pub const NONE: Self = Self::Known {
        source: 0,
        destination: 0,
    };
}

/// Reads the ports of an upper layer that is TCP; an error for one that is not (`not_tcp`), or that is a fragment after its
/// packet's TCP header (`later_fragment`).
#[inline(always)]
pub fn parse_ports<B: Bytes>(bytes: &B, network: Network, upper: &UpperLayer) -> Result<Ports, Reason> {
    if upper.protocol != TCP {
        return Err(Reason::NotTcp);
    }
    let first_harmless = match network {
        // RFC 3128: the TCP header is longer than 8 bytes, so the fragment at offset 1 could overwrite the flags of a
        // harmless first one.
        Network::V4 => 2,
        // Extension headers may precede the TCP header in the first fragment.
        Network::V6 => FIRST_HARMLESS_FRAGMENT,
    };
    if upper.fragment_offset >= first_harmless {
        return Err(Reason::LaterFragment);
    }
    if upper.fragment_offset != 0 {
        return Ok(Ports::Hidden);
    }
    // RFC 1858: what lies after the packet's own end is padding, not ports.
    if upper.is_hidden != 0 || upper.offset > MAX_OFFSET || upper.offset + PORTS_LENGTH > upper.end {
        return Ok(Ports::Hidden);
    }
    match bytes.bytes(upper.offset) {
        Some([a, b, c, d]) => Ok(Ports::Known {
            source: u16::from_be_bytes([a, b]),
            destination: u16::from_be_bytes([c, d]),
        }),
        None => Ok(Ports::Hidden),
    }
}

/// Reads the flags; `None` if the packet ends before them.
#[inline(always)]
pub fn parse_flags<B: Bytes>(bytes: &B, upper: &UpperLayer) -> Option<u8> {
    let at = upper.offset + DATA_OFFSET;
    if at + 1 >= upper.end {
        return None;
    }
    // Two bytes: of a single byte at an unknown offset, the verifier would not see that it is in the frame.
    bytes.bytes(at).map(|[_data_offset, flags]| flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::OPEN_END;

    const SEGMENT: [u8; 20] = [
        0xc0, 0x01, 0x00, 0x19, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12, 0xff, 0xff, 0, 0, 0, 0,
    ];

    fn upper() -> UpperLayer {
        UpperLayer {
            end: 20,
            protocol: TCP,
            ..UpperLayer::default()
        }
    }

    #[test]
    fn ports_and_flags_are_read() {
        let ports = Ports::Known {
            source: 0xc001,
            destination: 25,
        };
        assert_eq!(parse_ports(&&SEGMENT[..], Network::V4, &upper()), Ok(ports));
        assert_eq!(parse_flags(&&SEGMENT[..], &upper()), Some(0x12));
    }

    #[test]
    fn another_protocol_is_not_tcp() {
        let upper = UpperLayer {
            protocol: 17,
            ..upper()
        };
        assert_eq!(
            parse_ports(&&SEGMENT[..], Network::V4, &upper),
            Err(Reason::NotTcp)
        );
    }

    #[test]
    fn early_fragments_hide_their_ports_and_those_beyond_have_none() {
        let ports_at = |network, fragment_offset| {
            let upper = UpperLayer {
                fragment_offset,
                is_fragment: 1,
                ..upper()
            };
            parse_ports(&&SEGMENT[..], network, &upper)
        };
        assert_eq!(ports_at(Network::V4, 1), Ok(Ports::Hidden));
        assert_eq!(ports_at(Network::V4, 2), Err(Reason::LaterFragment));
        for offset in 1..16 {
            assert_eq!(ports_at(Network::V6, offset), Ok(Ports::Hidden));
        }
        assert_eq!(ports_at(Network::V6, 16), Err(Reason::LaterFragment));
    }

    #[test]
    fn ports_after_the_end_of_packet_or_frame_or_beyond_the_limit_are_hidden() {
        let padded = UpperLayer { end: 3, ..upper() };
        assert_eq!(
            parse_ports(&&SEGMENT[..], Network::V4, &padded),
            Ok(Ports::Hidden)
        );
        let open = UpperLayer {
            end: OPEN_END,
            ..upper()
        };
        assert_eq!(parse_ports(&&SEGMENT[..3], Network::V4, &open), Ok(Ports::Hidden));
        let frame = vec![0; 0x4100];
        let far = UpperLayer {
            offset: MAX_OFFSET + 1,
            ..open
        };
        assert_eq!(parse_ports(&&frame[..], Network::V4, &far), Ok(Ports::Hidden));
        let hidden = UpperLayer {
            is_hidden: 1,
            ..upper()
        };
        assert_eq!(
            parse_ports(&&SEGMENT[..], Network::V4, &hidden),
            Ok(Ports::Hidden)
        );
    }

    #[test]
    fn flags_after_the_end_of_packet_or_frame_are_unknown() {
        for end in 0..=13 {
            assert_eq!(parse_flags(&&SEGMENT[..], &UpperLayer { end, ..upper() }), None);
        }
        let whole = UpperLayer { end: 14, ..upper() };
        assert_eq!(parse_flags(&&SEGMENT[..], &whole), Some(0x12));
        assert_eq!(parse_flags(&&SEGMENT[..13], &whole), None);
    }
}
