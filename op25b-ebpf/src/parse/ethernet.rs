//! From the Ethernet header, through VLAN tags and `PPPoE`, to the network layer.

use op25b_common::Reason;

use super::{
    Bytes, Network,
    ppp::{MAX_PPP_LENGTH, PPPOE_LENGTH, parse_pppoe},
};

const ETHERNET_LENGTH: u32 = 14;
const ETHERTYPE_OFFSET: u32 = 12;
const VLAN_TAG_LENGTH: u32 = 4;
const MAX_VLAN_TAGS: usize = 4;

/// IPv4 (RFC 791).
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// IPv6 (RFC 8200).
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// A customer's tag (IEEE 802.1Q).
const ETHERTYPE_VLAN: u16 = 0x8100;
/// A service provider's tag (IEEE 802.1ad, "`QinQ`").
const ETHERTYPE_QINQ: u16 = 0x88a8;
/// A second tag as equipment older than 802.1ad writes it.
const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
/// The data of a `PPPoE` session (RFC 2516).
pub const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;

/// The longest link header that is parsed: Ethernet, four tags, `PPPoE` and the PPP protocol.
pub const MAX_LINK_LENGTH: u32 =
    ETHERNET_LENGTH + MAX_VLAN_TAGS as u32 * VLAN_TAG_LENGTH + PPPOE_LENGTH + MAX_PPP_LENGTH;

/// The headers before the network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Their bytes.
    pub length: u32,
    /// How many of these are the PPP protocol's, 0 without `PPPoE`.
    pub ppp: u32,
}

/// Finds the network layer; an error if there is none that is known (`not_ip`), or if there are more tags than are skipped
/// (`uninspectable`).
#[inline(always)]
pub fn parse_link<B: Bytes>(bytes: &B) -> Result<(Network, Link), Reason> {
    let mut ethertype = bytes.be16(ETHERTYPE_OFFSET).ok_or(Reason::NotIp)?;
    let mut length = ETHERNET_LENGTH;
    for _ in 0..MAX_VLAN_TAGS {
        if !proto_is_vlan(ethertype) {
            break;
        }
        // The tag's control information comes first, then the next EtherType.
        ethertype = bytes.be16(length + 2).ok_or(Reason::NotIp)?;
        length += VLAN_TAG_LENGTH;
    }
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, Link { length, ppp: 0 })),
        ETHERTYPE_IPV6 => Ok((Network::V6, Link { length, ppp: 0 })),
        ETHERTYPE_PPPOE_SESSION => {
            let (network, ppp) = parse_pppoe(bytes, length).ok_or(Reason::NotIp)?;
            let length = length + PPPOE_LENGTH + ppp;
            Ok((network, Link { length, ppp }))
        }
        // Linux takes off any number of tags whose VLAN is 0: such a frame may well be received.
        _ if proto_is_vlan(ethertype) => Err(Reason::Uninspectable),
        _ => Err(Reason::NotIp),
    }
}

/// Whether this `EtherType` is a VLAN tag's: control information and another `EtherType` follow.
#[must_use]
#[inline(always)]
pub fn proto_is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(ethertypes: &[u16], rest: &[u8]) -> Result<(Network, Link), Reason> {
        let mut frame = vec![0; 12];
        for (index, ethertype) in ethertypes.iter().enumerate() {
            if index > 0 {
                frame.extend([0x00, 0x2a]);
            }
            frame.extend(ethertype.to_be_bytes());
        }
        frame.extend(rest);
        parse_link(&&frame[..])
    }

    fn link(length: u32, ppp: u32) -> Link {
        Link { length, ppp }
    }

    #[test]
    fn ip_is_found_after_up_to_four_tags_of_any_kind() {
        assert_eq!(parse(&[0x0800], &[]), Ok((Network::V4, link(14, 0))));
        assert_eq!(parse(&[0x86dd], &[]), Ok((Network::V6, link(14, 0))));
        assert_eq!(
            parse(&[0x88a8, 0x8100, 0x0800], &[]),
            Ok((Network::V4, link(22, 0)))
        );
        assert_eq!(
            parse(&[0x8100, 0x9100, 0x88a8, 0x8100, 0x86dd], &[]),
            Ok((Network::V6, link(30, 0)))
        );
    }

    #[test]
    fn a_fifth_tag_is_uninspectable() {
        let tags = [0x8100; 5];
        assert_eq!(
            parse(&[&tags[..], &[0x0800]].concat(), &[]),
            Err(Reason::Uninspectable)
        );
    }

    #[test]
    fn ip_is_found_in_pppoe() {
        let whole = [0x11, 0, 0, 1, 0, 42, 0x00, 0x21];
        assert_eq!(parse(&[0x8864], &whole), Ok((Network::V4, link(22, 2))));
        let compressed = [0x11, 0, 0, 1, 0, 42, 0x57, 0x60];
        assert_eq!(
            parse(&[0x8100, 0x8864], &compressed),
            Ok((Network::V6, link(25, 1)))
        );
        assert_eq!(
            parse(&[0x8100, 0x8100, 0x8100, 0x8100, 0x8864], &whole),
            Ok((Network::V4, link(MAX_LINK_LENGTH, 2)))
        );
    }

    #[test]
    fn other_ethertypes_and_frames_that_end_too_early_are_not_ip() {
        assert_eq!(parse(&[0x0806], &[]), Err(Reason::NotIp));
        assert_eq!(parse(&[0x8863], &[0; 8]), Err(Reason::NotIp));
        assert_eq!(parse(&[0x8100], &[0, 1]), Err(Reason::NotIp));
        assert_eq!(parse(&[0x8864], &[0x11, 0, 0, 1, 0, 42, 0]), Err(Reason::NotIp));
        assert_eq!(parse_link(&&[0; 13][..]), Err(Reason::NotIp));
    }
}
