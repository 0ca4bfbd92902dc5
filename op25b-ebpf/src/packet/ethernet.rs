//! From the Ethernet header, through VLAN tags and `PPPoE`, to the network layer.

use op25b_common::Reason;

use super::{Network, Packet, forget};

const ETHERNET_LENGTH: usize = 14;
const ETHERTYPE_OFFSET: usize = 12;
const VLAN_TAG_LENGTH: usize = 4;
const MAX_VLAN_TAGS: usize = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// A customer's tag (IEEE 802.1Q).
const ETHERTYPE_VLAN: u16 = 0x8100;
/// A service provider's tag (IEEE 802.1ad, "`QinQ`").
const ETHERTYPE_QINQ: u16 = 0x88a8;
/// A second tag as equipment older than 802.1ad writes it.
const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
/// RFC 2516: a `PPPoE` session's data.
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;

/// RFC 2516 section 4: version, type, code, session and length, before the PPP protocol.
const PPPOE_LENGTH: usize = 6;
const PPP_IPV4: u8 = 0x21;
const PPP_IPV6: u8 = 0x57;

/// Finds the network layer and where it starts.
///
/// # Errors
///
/// [`Reason::NotIp`] if there is none that we know.
#[inline(always)]
pub fn network_layer(packet: &Packet<'_>) -> Result<(Network, usize), Reason> {
    let ethertype = packet.be16(ETHERTYPE_OFFSET).ok_or(Reason::NotIp)?;
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, ETHERNET_LENGTH)),
        ETHERTYPE_IPV6 => Ok((Network::V6, ETHERNET_LENGTH)),
        _ => {
            let (network, offset) = behind_tags(packet, ethertype)?;
            Ok((network, forget(offset).ok_or(Reason::NotIp)?))
        }
    }
}

/// Finds the network layer behind VLAN tags, a `PPPoE` header, or both in this order.
#[inline(always)]
fn behind_tags(packet: &Packet<'_>, mut ethertype: u16) -> Result<(Network, usize), Reason> {
    let mut offset = ETHERNET_LENGTH;
    for _ in 0..MAX_VLAN_TAGS {
        if !matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD) {
            break;
        }
        // The tag's control information comes first, the next EtherType behind it.
        ethertype = packet.be16(offset + 2).ok_or(Reason::NotIp)?;
        offset += VLAN_TAG_LENGTH;
    }
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, offset)),
        ETHERTYPE_IPV6 => Ok((Network::V6, offset)),
        ETHERTYPE_PPPOE_SESSION => ppp(packet, offset + PPPOE_LENGTH),
        _ => Err(Reason::NotIp),
    }
}

/// Reads the PPP protocol at `offset`.
#[inline(always)]
fn ppp(packet: &Packet<'_>, offset: usize) -> Result<(Network, usize), Reason> {
    let first = packet.byte(offset).ok_or(Reason::NotIp)?;
    // RFC 1661 section 6.5: a compressed protocol field is one odd byte; a whole one starts with an even byte.
    let (protocol, network) = if first == 0 {
        (packet.byte(offset + 1).ok_or(Reason::NotIp)?, offset + 2)
    } else {
        (first, offset + 1)
    };
    match protocol {
        PPP_IPV4 => Ok((Network::V4, network)),
        PPP_IPV6 => Ok((Network::V6, network)),
        _ => Err(Reason::NotIp),
    }
}
