//! From the Ethernet header, through VLAN tags and `PPPoE`, to the network layer.

use op25b_common::Reason;

use super::{Bytes, Network};

const ETHERNET_LENGTH: u32 = 14;
const ETHERTYPE_OFFSET: u32 = 12;
const VLAN_TAG_LENGTH: u32 = 4;
const MAX_VLAN_TAGS: usize = 4;

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// A customer's tag (IEEE 802.1Q).
const ETHERTYPE_VLAN: u16 = 0x8100;
/// A service provider's tag (IEEE 802.1ad, "`QinQ`").
const ETHERTYPE_QINQ: u16 = 0x88a8;
/// A second tag as equipment older than 802.1ad writes it.
const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
/// RFC 2516: a `PPPoE` session's data.
pub const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;

/// RFC 2516 section 4: version, type, code, session and length, before the PPP protocol.
const PPPOE_LENGTH: u32 = 6;
pub const PPP_IPV4: u8 = 0x21;
pub const PPP_IPV6: u8 = 0x57;

/// The longest link header that is understood: Ethernet, four tags, `PPPoE` and the PPP protocol.
pub const MAX_LINK_LENGTH: u32 = ETHERNET_LENGTH + MAX_VLAN_TAGS as u32 * VLAN_TAG_LENGTH + PPPOE_LENGTH + 2;

/// Where the network layer starts.
#[derive(Clone, Copy)]
pub struct Link {
    /// The bytes before it.
    pub length: u32,
    /// How many of them are the PPP protocol's, 0 without `PPPoE`.
    pub ppp: u32,
}

/// Finds the network layer and where it starts.
///
/// # Errors
///
/// [`Reason::NotIp`] if there is none that we know; [`Reason::Uninspectable`] if there are more tags than we look behind.
#[inline(always)]
pub fn network_layer<B: Bytes>(bytes: &B) -> Result<(Network, Link), Reason> {
    let mut ethertype = bytes.be16(ETHERTYPE_OFFSET).ok_or(Reason::NotIp)?;
    let mut length = ETHERNET_LENGTH;
    for _ in 0..MAX_VLAN_TAGS {
        if !is_vlan_tag(ethertype) {
            break;
        }
        // The tag's control information comes first, the next EtherType behind it.
        ethertype = bytes.be16(length + 2).ok_or(Reason::NotIp)?;
        length += VLAN_TAG_LENGTH;
    }
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, Link { length, ppp: 0 })),
        ETHERTYPE_IPV6 => Ok((Network::V6, Link { length, ppp: 0 })),
        ETHERTYPE_PPPOE_SESSION => {
            // Both bytes at once: a frame that ends behind the first holds no IP, whatever that says.
            let protocol: [u8; 2] = bytes.bytes(length + PPPOE_LENGTH).ok_or(Reason::NotIp)?;
            let (network, ppp) = ppp(|at| protocol.get(at as usize).copied()).ok_or(Reason::NotIp)?;
            let network = network.ok_or(Reason::NotIp)?;
            Ok((
                network,
                Link {
                    length: length + PPPOE_LENGTH + ppp,
                    ppp,
                },
            ))
        }
        // Linux takes off any number of tags whose VLAN is 0: what stands behind them may well be received.
        _ if is_vlan_tag(ethertype) => Err(Reason::Uninspectable),
        _ => Err(Reason::NotIp),
    }
}

/// Whether behind this `EtherType` stand a tag's control information and another one.
#[inline(always)]
pub fn is_vlan_tag(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD)
}

/// Reads the PPP protocol, byte by byte from its first one on, and how many bytes it takes; the network layer is `None` for
/// another one than IP, and all of it `None` if there are not so many bytes.
#[inline(always)]
pub(super) fn ppp(byte: impl Fn(u32) -> Option<u8>) -> Option<(Option<Network>, u32)> {
    // RFC 1661 section 6.5: a compressed protocol field is one odd byte; a whole one starts with an even byte. Of both, the
    // last byte says which protocol it is, as far as IP is concerned.
    let length = if byte(0)? == 0 { 2 } else { 1 };
    let network = match byte(length - 1)? {
        PPP_IPV4 => Some(Network::V4),
        PPP_IPV6 => Some(Network::V6),
        _ => None,
    };
    Some((network, length))
}
