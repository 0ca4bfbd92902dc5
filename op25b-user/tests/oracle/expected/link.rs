//! Where IP starts after Ethernet, VLAN tags, LLC/SNAP, MPLS labels and `PPPoE`.

use etherparse::{EtherType, Ethernet2Header, Ethernet2HeaderSlice, ether_type};

use super::bytes::Bytes;
use crate::policy::Block;

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
    /// Whether a reply can go back in the same header.
    pub answerable: bool,
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
/// How many MPLS labels.
const LABELS: usize = 4;
/// The first number that is an `EtherType`: lower ones are lengths.
pub const FIRST_ETHER_TYPE: u16 = 0x0600;
/// LLC and SNAP for an `EtherType` (RFC 1042).
pub const LLC_SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00];

/// What is there after a link header.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    Ip(Link),
    /// More tags or labels than are skipped.
    TooDeep,
    NotIp,
}

/// Reads a link header, with this policy's tags and labels.
pub fn read(block: &Block, skips_labels: bool, frame: &[u8]) -> Content {
    read_header(block, skips_labels, frame).unwrap_or(Content::NotIp)
}

/// None if the frame ends in the header.
fn read_header(block: &Block, skips_labels: bool, frame: &[u8]) -> Option<Content> {
    let bytes = Bytes::of(frame);
    let mut ether_type = Ethernet2HeaderSlice::from_slice(frame).ok()?.ether_type().0;
    let mut at = Ethernet2Header::LEN;
    let is_tag = |value: u16| is_tag(EtherType(value)) || block.vlan_tpids.contains(&value);
    let (mut tags, mut encapsulated) = (0, false);
    // By hand: etherparse knows other tags, three of them, and no SNAP in Ethernet.
    loop {
        if is_tag(ether_type) {
            if tags == TAGS {
                return Some(Content::TooDeep);
            }
            ether_type = bytes.number(at + 2)?;
            at += 4;
            tags += 1;
        } else if ether_type < FIRST_ETHER_TYPE && !encapsulated && bytes.get(at, 8)?.starts_with(&LLC_SNAP) {
            ether_type = bytes.number(at + 6)?;
            at += 8;
            encapsulated = true;
        } else {
            break;
        }
    }
    let link = |family, network| Link {
        family,
        network,
        pppoe: None,
        answerable: !encapsulated,
    };
    Some(match ether_type {
        // PPPoE session stage (RFC 2516). etherparse does not know it; and nothing in it is validated.
        0x8864 => {
            let (family, protocol_bytes) = ppp(bytes, at + 6)??;
            Content::Ip(Link {
                pppoe: Some(Pppoe {
                    length_at: at + 4,
                    protocol_bytes,
                }),
                ..link(family, at + 6 + protocol_bytes)
            })
        }
        0x8847 | 0x8848 if skips_labels => {
            let stack = (0..LABELS).map(|label| at + 4 * label);
            let mut bottom = None;
            for label in stack {
                if bytes.byte(label + 2)? % 2 == 1 {
                    bottom = Some(label + 4);
                    break;
                }
            }
            let Some(network) = bottom else {
                return Some(Content::TooDeep);
            };
            let family = match bytes.byte(network)? / 16 {
                4 => Family::V4,
                6 => Family::V6,
                _ => return None,
            };
            Content::Ip(Link {
                answerable: false,
                ..link(family, network)
            })
        }
        other => Content::Ip(link(Family::of_ether_type(other)?, at)),
    })
}

/// Whether this is the `EtherType` of a tag that every policy skips.
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
