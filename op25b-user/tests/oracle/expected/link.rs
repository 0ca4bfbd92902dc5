//! Where IP starts after Ethernet, VLAN tags and `PPPoE`.

use etherparse::{EtherType, Ethernet2Header, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::bytes::Bytes;

/// The version of IP that a link header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of_ether_type(value: u16) -> Option<Self> {
        match EtherType(value) {
            ether_type::IPV4 => Some(Self::V4),
            ether_type::IPV6 => Some(Self::V6),
            _ => None,
        }
    }
}

/// What precedes IP.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub family: Family,
    /// Where the IP header should begin; whether one is there has not been looked at.
    pub network: usize,
    pub pppoe: Option<Pppoe>,
}

/// The parts of a `PPPoE` header that an answer has to change.
#[derive(Clone, Copy, Debug)]
pub struct Pppoe {
    /// Where its length field is.
    pub length_at: usize,
    /// How many bytes the PPP protocol takes.
    pub protocol_bytes: usize,
}

/// How many VLAN tags there may be.
pub const TAGS: usize = 4;

/// Whether a frame has more tags than are skipped.
pub fn has_too_many_tags(frame: &[u8]) -> bool {
    // The EtherTypes of the frame and of its tags are 4 bytes apart.
    (0..=TAGS).all(|tag| {
        let at = Ethernet2Header::LEN - 2 + 4 * tag;
        let bytes = frame.get(at..at + 2);
        bytes.is_some_and(|bytes| is_tag(EtherType(u16::from_be_bytes([bytes[0], bytes[1]]))))
    })
}

/// The link header; none if there is no IP after it.
pub fn read(frame: &[u8]) -> Option<Link> {
    let mut ether_type = Ethernet2HeaderSlice::from_slice(frame).ok()?.ether_type();
    let mut at = Ethernet2Header::LEN;
    // Tag by tag, since etherparse's packet slicing stops after three.
    for _ in 0..TAGS {
        if !is_tag(ether_type) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(&frame[at..]).ok()?;
        ether_type = tag.ether_type();
        at += 4;
    }
    match ether_type.0 {
        // PPPoE session stage (RFC 2516). etherparse does not know it; and nothing in it is validated.
        0x8864 => {
            let (family, protocol_bytes) = ppp(Bytes::of(frame), at + 6)??;
            Some(Link {
                family,
                network: at + 6 + protocol_bytes,
                pppoe: Some(Pppoe {
                    length_at: at + 4,
                    protocol_bytes,
                }),
            })
        }
        other => Some(Link {
            family: Family::of_ether_type(other)?,
            network: at,
            pppoe: None,
        }),
    }
}

pub fn is_tag(ether_type: EtherType) -> bool {
    [0x8100, 0x88a8, 0x9100].contains(&ether_type.0)
}

/// The PPP protocol at `at`, in its two-byte or its compressed one-byte form (RFC 1661, 6.5), and how many bytes it
/// takes. The outer option is empty if it cannot be read, the inner one if it is not IP.
#[expect(
    clippy::option_option,
    reason = "unreadable and not IP are different rows inside L2TP"
)]
pub fn ppp(bytes: Bytes<'_>, at: usize) -> Option<Option<(Family, usize)>> {
    let (protocol, length) = match bytes.byte(at)? {
        0 => (bytes.byte(at + 1)?, 2),
        first => (first, 1),
    };
    Some(match protocol {
        0x21 => Some((Family::V4, length)),
        0x57 => Some((Family::V6, length)),
        _ => None,
    })
}
