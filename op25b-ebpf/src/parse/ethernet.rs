//! From the Ethernet header, through VLAN tags, an LLC/SNAP header, MPLS labels and `PPPoE`, to the network layer.

use op25b_common::{
    framing::{ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD, ETHERTYPE_VLAN},
    not_ip::{FIRST_ETHERTYPE, NO_ETHERTYPE},
};

use super::{
    Bytes, Network, mpls,
    ppp::{MAX_PPP_LENGTH, PPPOE_LENGTH, parse_pppoe},
    snap::{SNAP_LENGTH, parse_snap},
};

const ETHERNET_LENGTH: u32 = 14;
const ETHERTYPE_OFFSET: u32 = 12;
const VLAN_TAG_LENGTH: u32 = 4;
const MAX_VLAN_TAGS: u32 = 4;

/// IPv4 (RFC 791).
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// IPv6 (RFC 8200).
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// The data of a `PPPoE` session (RFC 2516).
pub const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// MPLS labels (RFC 3032, section 5).
const ETHERTYPE_MPLS: u16 = 0x8847;
/// MPLS labels of multicast, or assigned by the receiver's side (RFC 5332).
const ETHERTYPE_MPLS_MULTICAST: u16 = 0x8848;

/// The longest link header that gets a reply: Ethernet, four tags, `PPPoE` and the PPP protocol.
pub const MAX_REPLY_LINK_LENGTH: u32 =
    ETHERNET_LENGTH + MAX_VLAN_TAGS * VLAN_TAG_LENGTH + PPPOE_LENGTH + MAX_PPP_LENGTH;
/// The longest link header at the start of a frame: Ethernet, four tags, LLC/SNAP and labels.
pub const MAX_LINK_LENGTH: u32 =
    ETHERNET_LENGTH + MAX_VLAN_TAGS * VLAN_TAG_LENGTH + SNAP_LENGTH + mpls::MAX_LENGTH;

const _: () = assert!(mpls::MAX_LENGTH >= PPPOE_LENGTH + MAX_PPP_LENGTH);

/// What a policy adds to the framing that is always parsed.
pub trait Framing {
    /// Whether this `EtherType` is that of one of the policy's own VLAN tags.
    fn is_own_vlan_tag(&self, ethertype: u16) -> bool;

    /// Whether MPLS labels are skipped where the frame came in; asked of frames with labels only.
    fn skips_labels(&self) -> bool;
}

/// Nothing is added.
pub struct Usual;

impl Framing for Usual {
    #[inline(always)]
    fn is_own_vlan_tag(&self, _: u16) -> bool {
        false
    }

    #[inline(always)]
    fn skips_labels(&self) -> bool {
        false
    }
}

/// The headers before the network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The bytes of the frame before the network layer.
    pub length: u32,
    /// How many of these are the PPP protocol's, 0 without `PPPoE`.
    pub ppp: u32,
    /// The last `EtherType`.
    pub ethertype: LastEthertype,
    /// Whether a reply to the sender can go in the same headers.
    pub may_reply: bool,
}

/// Why there is no network layer that is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNetwork {
    /// Something else than IP follows, or nothing (`not_ip`).
    Other(LastEthertype),
    /// There are more tags or labels than are skipped, and IP may follow them (`uninspectable`).
    Hidden(LastEthertype),
}

/// The last `EtherType` that was read, [`NO_ETHERTYPE`] if there is none.
pub type LastEthertype = u16;

/// Finds the network layer in the Ethernet frame that starts at `at`: 0, or where a tunnel carries one.
#[inline(always)]
pub fn parse_link<B: Bytes>(
    bytes: &B,
    at: u32,
    framing: &impl Framing,
) -> Result<(Network, Link), NoNetwork> {
    let Tagged {
        ethertype,
        length,
        is_snap,
    } = skip_tags(bytes, at, framing, |_| ())?;
    let link = Link {
        length,
        ppp: 0,
        ethertype,
        // A reply would have to correct the length field.
        may_reply: !is_snap,
    };
    match ethertype {
        ETHERTYPE_IPV4 => Ok((Network::V4, link)),
        ETHERTYPE_IPV6 => Ok((Network::V6, link)),
        ETHERTYPE_PPPOE_SESSION => {
            let (network, ppp) = parse_pppoe(bytes, length).ok_or(NoNetwork::Other(ethertype))?;
            let length = length + PPPOE_LENGTH + ppp;
            Ok((network, Link { length, ppp, ..link }))
        }
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_MULTICAST if framing.skips_labels() => {
            let (network, length) = mpls::parse_labels(bytes, length, ethertype)?;
            // The way back has other labels.
            let may_reply = false;
            Ok((
                network,
                Link {
                    length,
                    may_reply,
                    ..link
                },
            ))
        }
        // Linux takes off any number of tags whose VLAN is 0: such a frame may well be received.
        _ if is_vlan(ethertype, framing) => Err(NoNetwork::Hidden(ethertype)),
        ..FIRST_ETHERTYPE => Err(NoNetwork::Other(NO_ETHERTYPE)),
        _ => Err(NoNetwork::Other(ethertype)),
    }
}

/// What follows the VLAN tags and the LLC/SNAP header of a frame.
pub struct Tagged {
    /// Its `EtherType`.
    pub ethertype: u16,
    /// The bytes of the frame before it.
    pub length: u32,
    /// Whether there is an LLC/SNAP header.
    pub is_snap: bool,
}

/// Goes past the tags of the Ethernet frame that starts at `at`. `tag` gets the offset of each one's control information.
#[inline(always)]
pub fn skip_tags<B: Bytes>(
    bytes: &B,
    at: u32,
    framing: &impl Framing,
    mut tag: impl FnMut(u32),
) -> Result<Tagged, NoNetwork> {
    let mut ethertype = bytes
        .be16(at + ETHERTYPE_OFFSET)
        .ok_or(NoNetwork::Other(NO_ETHERTYPE))?;
    let mut length = at + ETHERNET_LENGTH;
    let (mut tags, mut is_snap) = (0, false);
    // Four tags, and one LLC/SNAP header before, between or after them.
    for _ in 0..=MAX_VLAN_TAGS {
        if tags < MAX_VLAN_TAGS && is_vlan(ethertype, framing) {
            tag(length);
            // The tag's control information comes first, then the next EtherType.
            ethertype = bytes.be16(length + 2).ok_or(NoNetwork::Other(ethertype))?;
            length += VLAN_TAG_LENGTH;
            tags += 1;
        } else if !is_snap && let Some(next) = parse_snap(bytes, ethertype, length) {
            ethertype = next;
            length += SNAP_LENGTH;
            is_snap = true;
        } else {
            break;
        }
    }
    Ok(Tagged {
        ethertype,
        length,
        is_snap,
    })
}

/// Whether a VLAN tag has this `EtherType`, one that is always skipped or one of the policy's own.
#[inline(always)]
fn is_vlan(ethertype: u16, framing: &impl Framing) -> bool {
    proto_is_vlan(ethertype) || framing.is_own_vlan_tag(ethertype)
}

/// Whether this `EtherType` is that of a VLAN tag that is always skipped: control information and another `EtherType` follow.
#[must_use]
#[inline(always)]
pub fn proto_is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0x9200 and 0x9300 are tags, and labels are skipped.
    struct Further;

    impl Framing for Further {
        fn is_own_vlan_tag(&self, ethertype: u16) -> bool {
            matches!(ethertype, 0x9200 | 0x9300)
        }

        fn skips_labels(&self) -> bool {
            true
        }
    }

    fn parse(ethertypes: &[u16], rest: &[u8]) -> Result<(Network, Link), NoNetwork> {
        let frame = frame(ethertypes, rest);
        parse_link(&&frame[..], 0, &Usual)
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

    /// A link header that gets replies.
    fn link(ethertype: u16, length: u32, ppp: u32) -> Link {
        Link {
            length,
            ppp,
            ethertype,
            may_reply: true,
        }
    }

    #[test]
    fn ip_is_found_after_up_to_four_tags_of_any_kind() {
        assert_eq!(parse(&[0x0800], &[]), Ok((Network::V4, link(0x0800, 14, 0))));
        assert_eq!(parse(&[0x86dd], &[]), Ok((Network::V6, link(0x86dd, 14, 0))));
        assert_eq!(
            parse(&[0x88a8, 0x8100, 0x0800], &[]),
            Ok((Network::V4, link(0x0800, 22, 0)))
        );
        assert_eq!(
            parse(&[0x8100, 0x9100, 0x88a8, 0x8100, 0x86dd], &[]),
            Ok((Network::V6, link(0x86dd, 30, 0)))
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
        assert_eq!(parse(&[0x8864], &whole), Ok((Network::V4, link(0x8864, 22, 2))));
        let compressed = [0x11, 0, 0, 1, 0, 42, 0x57, 0x60];
        assert_eq!(
            parse(&[0x8100, 0x8864], &compressed),
            Ok((Network::V6, link(0x8864, 25, 1)))
        );
        assert_eq!(
            parse(&[0x8100, 0x8100, 0x8100, 0x8100, 0x8864], &whole),
            Ok((Network::V4, link(0x8864, MAX_REPLY_LINK_LENGTH, 2)))
        );
    }

    #[test]
    fn other_ethertypes_and_frames_that_end_too_early_are_not_ip() {
        assert_eq!(parse(&[0x0806], &[]), Err(NoNetwork::Other(0x0806)));
        assert_eq!(parse(&[0x8863], &[0; 8]), Err(NoNetwork::Other(0x8863)));
        assert_eq!(parse(&[0x8100], &[0, 1]), Err(NoNetwork::Other(0x8100)));
        let cut = [0x11, 0, 0, 1, 0, 42, 0];
        assert_eq!(parse(&[0x8100, 0x8864], &cut), Err(NoNetwork::Other(0x8864)));
        assert_eq!(parse_link(&&[0; 13][..], 0, &Usual), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x8100, 0x0040], &[]), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x05ff], &[]), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x0600], &[]), Err(NoNetwork::Other(0x0600)));
    }

    #[test]
    fn a_frame_in_a_tunnel_is_parsed_from_its_start() {
        let inner = frame(&[0x8100, 0x8864], &[0x11, 0, 0, 1, 0, 42, 0x00, 0x57]);
        let frame = [&[0xff; 42][..], &inner].concat();
        assert_eq!(
            parse_link(&&frame[..], 42, &Usual),
            Ok((Network::V6, link(0x8864, 68, 2)))
        );
    }

    fn further(ethertypes: &[u16], rest: &[u8]) -> Result<(Network, Link), NoNetwork> {
        let frame = frame(ethertypes, rest);
        parse_link(&&frame[..], 0, &Further)
    }

    #[test]
    fn a_policys_own_tags_are_skipped_and_count_with_the_others() {
        let skipped = (Network::V4, link(0x0800, 30, 0));
        let tags = [0x9200, 0x8100, 0x9300, 0x9200, 0x0800];
        assert_eq!(further(&tags, &[]), Ok(skipped));
        assert_eq!(parse(&tags, &[]), Err(NoNetwork::Other(0x9200)));
        let five = [0x9200, 0x8100, 0x9300, 0x9200, 0x9300, 0x0800];
        assert_eq!(further(&five, &[]), Err(NoNetwork::Hidden(0x9300)));
    }

    /// An LLC/SNAP header before this `EtherType`.
    fn snap(ethertype: u16) -> Vec<u8> {
        [&[0xaa, 0xaa, 3, 0, 0, 0][..], &ethertype.to_be_bytes()].concat()
    }

    #[test]
    fn one_snap_header_is_skipped_wherever_it_is_among_the_tags_and_gets_no_reply() {
        let found = |ethertype, length, ppp| Link {
            may_reply: false,
            ..link(ethertype, length, ppp)
        };
        for length in [0, 0x40, 0x05dc, 0x05ff] {
            assert_eq!(
                parse(&[length], &snap(0x0800)),
                Ok((Network::V4, found(0x0800, 22, 0)))
            );
        }
        assert_eq!(parse(&[0x0600], &snap(0x0800)), Err(NoNetwork::Other(0x0600)));
        let four = [0x8100, 0x88a8, 0x8100, 0x9100, 0x40];
        assert_eq!(
            parse(&four, &snap(0x86dd)),
            Ok((Network::V6, found(0x86dd, 38, 0)))
        );
        let tags_after = [snap(0x8100), vec![0, 42, 0x81, 0, 0, 43, 8, 0]].concat();
        assert_eq!(
            parse(&[0x8100, 0x40], &tags_after),
            Ok((Network::V4, found(0x0800, 34, 0)))
        );
        let session = [snap(0x8864), vec![0x11, 0, 0, 1, 0, 42, 0, 0x57]].concat();
        assert_eq!(parse(&[0x40], &session), Ok((Network::V6, found(0x8864, 30, 2))));
        // Five tags in all, two headers, and one that is cut off.
        let four = [0x8100, 0x8100, 0x8100, 0x8100, 0x40];
        assert_eq!(
            parse(&four, &[snap(0x8100), vec![0; 8]].concat()),
            Err(NoNetwork::Hidden(0x8100))
        );
        let twice = [snap(0x40), snap(0x0800)].concat();
        assert_eq!(parse(&[0x40], &twice), Err(NoNetwork::Other(0)));
        assert_eq!(parse(&[0x40], &snap(0x0800)[..7]), Err(NoNetwork::Other(0)));
    }

    #[test]
    fn labels_are_skipped_where_the_policy_says_so() {
        let ip = [vec![0, 1, 0x01, 0x40], vec![0x45]].concat();
        let found = Link {
            may_reply: false,
            ..link(0x8847, 22, 0)
        };
        assert_eq!(further(&[0x8100, 0x8847], &ip), Ok((Network::V4, found)));
        assert_eq!(parse(&[0x8100, 0x8847], &ip), Err(NoNetwork::Other(0x8847)));
        let longest = [snap(0x8848), vec![0; 12], vec![0, 0, 1, 0, 0x60]].concat();
        let tags = [0x8100, 0x9200, 0x8100, 0x9200, 0x05dc];
        let (network, link) = further(&tags, &longest).expect("there is IP in it");
        assert_eq!((network, link.length), (Network::V6, MAX_LINK_LENGTH));
    }
}
