//! From the Ethernet header, through VLAN tags and `PPPoE`, to the network layer.

use op25b_common::not_ip::{FIRST_ETHERTYPE, NO_ETHERTYPE};

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

/// The longest link header at the start of a frame: Ethernet, four tags, `PPPoE` and the PPP protocol.
pub const MAX_LINK_LENGTH: u32 =
    ETHERNET_LENGTH + MAX_VLAN_TAGS as u32 * VLAN_TAG_LENGTH + PPPOE_LENGTH + MAX_PPP_LENGTH;

/// The headers before the network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The bytes of the frame before the network layer.
    pub length: u32,
    /// How many of these are the PPP protocol's, 0 without `PPPoE`.
    pub ppp: u32,
}

impl Link {
    /// The last `EtherType` before a packet of this IP version.
    #[must_use]
    #[inline(always)]
    pub const fn last_ethertype(self, network: Network) -> LastEthertype {
        match network {
            _ if self.ppp != 0 => ETHERTYPE_PPPOE_SESSION,
            Network::V4 => ETHERTYPE_IPV4,
            Network::V6 => ETHERTYPE_IPV6,
        }
    }
}

/// Why there is no network layer that is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNetwork {
    /// Something else than IP follows, or nothing (`not_ip`).
    Other(LastEthertype),
    /// There are more tags than are skipped, and IP may follow them (`uninspectable`).
    Hidden(LastEthertype),
}

/// The last `EtherType` that was read, [`NO_ETHERTYPE`] if there is none.
pub type LastEthertype = u16;

/// Finds the network layer in the Ethernet frame that starts at `at`: 0, or where a tunnel carries one.
#[inline(always)]
pub fn parse_link<B: Bytes>(bytes: &B, at: u32) -> Result<(Network, Link), NoNetwork> {
    let mut ethertype = bytes
        .be16(at + ETHERTYPE_OFFSET)
        .ok_or(NoNetwork::Other(NO_ETHERTYPE))?;
    let mut length = at + ETHERNET_LENGTH;
    for _ in 0..MAX_VLAN_TAGS {
        if !proto_is_vlan(ethertype) {
            break;
        }
        // The tag's control information comes first, then the next EtherType.
        ethertype = bytes.be16(length + 2).ok_or(NoNetwork::Other(ethertype))?;
        length += VLAN_TAG_LENGTH;
    }
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, Link { length, ppp: 0 })),
        ETHERTYPE_IPV6 => Ok((Network::V6, Link { length, ppp: 0 })),
        ETHERTYPE_PPPOE_SESSION => {
            let (network, ppp) = parse_pppoe(bytes, length).ok_or(NoNetwork::Other(ethertype))?;
            let length = length + PPPOE_LENGTH + ppp;
            Ok((network, Link { length, ppp }))
        }
        // Linux takes off any number of tags whose VLAN is 0: such a frame may well be received.
        _ if proto_is_vlan(ethertype) => Err(NoNetwork::Hidden(ethertype)),
        ..FIRST_ETHERTYPE => Err(NoNetwork::Other(NO_ETHERTYPE)),
        _ => Err(NoNetwork::Other(ethertype)),
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

    fn parse(ethertypes: &[u16], rest: &[u8]) -> Result<(Network, Link), NoNetwork> {
        let frame = frame(ethertypes, rest);
        parse_link(&&frame[..], 0)
    }

    fn frame(ethertypes: &[u16], rest: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        for (index, ethertype) in ethertypes.iter().enumerate() {
            if index > 0 {
                frame.extend([0x00, 0x2a]);
            }
            frame.extend(ethertype.to_be_bytes());
        }
        frame.extend(rest);
        frame
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
            Err(NoNetwork::Hidden(0x8100))
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
        assert_eq!(parse(&[0x0806], &[]), Err(NoNetwork::Other(0x0806)));
        assert_eq!(parse(&[0x8863], &[0; 8]), Err(NoNetwork::Other(0x8863)));
        assert_eq!(parse(&[0x8100], &[0, 1]), Err(NoNetwork::Other(0x8100)));
        let cut = [0x11, 0, 0, 1, 0, 42, 0];
        assert_eq!(parse(&[0x8100, 0x8864], &cut), Err(NoNetwork::Other(0x8864)));
        assert_eq!(parse_link(&&[0; 13][..], 0), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x8100, 0x0040], &[]), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x05ff], &[]), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x0600], &[]), Err(NoNetwork::Other(0x0600)));
    }

    #[test]
    fn a_frame_in_a_tunnel_is_parsed_from_its_start() {
        let inner = frame(&[0x8100, 0x8864], &[0x11, 0, 0, 1, 0, 42, 0x00, 0x57]);
        let frame = [&[0xff; 42][..], &inner].concat();
        assert_eq!(parse_link(&&frame[..], 42), Ok((Network::V6, link(68, 2))));
    }
}
