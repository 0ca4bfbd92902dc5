//! The headers before a packet on a customer's line.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::bail;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header};

use crate::frames::{Mac, pppoe_frame, pppoe_payload};

const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const MPLS: [u8; 2] = [0x88, 0x47];

/// The TPID of the outer tag in [`Framing::OtherTpid`], which Linux does not take off.
pub const OTHER_TPID: u16 = 0x9200;
/// VLANs 100 and 42.
const OTHER_TAGS: [u8; 8] = [0x92, 0x00, 0, 100, 0x81, 0x00, 0, 42];
/// LLC's unnumbered information from one SNAP to another, and the organization of `EtherType`s (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// Labels 100 and 42, the second at the bottom of the stack, TTL 64 (RFC 3032).
const LABELS: [u8; 8] = [0, 0x06, 0x40, 64, 0, 0x02, 0xa1, 64];
/// GRE without options, with an Ethernet frame.
const GRE_ETHERNET: [u8; 4] = [0, 0, 0x65, 0x58];

/// The ends of the tunnels: the customer's device, and one outside.
const TUNNEL4: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 90), Ipv4Addr::new(203, 0, 113, 40)];
const TUNNEL6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x90),
    Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x40),
];

/// How packets are in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After an Ethernet header.
    Ethernet,
    /// After two VLAN tags, in `PPPoE`.
    PppoeInQinq,
    /// After two VLAN tags, the outer one with [`OTHER_TPID`].
    OtherTpid,
    /// After an 802.3 length and LLC and SNAP (RFC 1042).
    Snap,
    /// After two MPLS labels.
    Mpls,
    /// In an Ethernet frame in GRE over IPv4.
    EthernetInGre,
    /// In IPv6; for IPv6 alone.
    Ipv6InIpv6,
}

/// Which way a frame goes: its ends, first the sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub from: Mac,
    pub to: Mac,
    /// Whether the customer sends it.
    pub is_up: bool,
}

impl Way {
    /// From the sender to the receiver.
    fn of<A: Copy>(self, [customer, outside]: [A; 2]) -> (A, A) {
        if self.is_up {
            (customer, outside)
        } else {
            (outside, customer)
        }
    }
}

impl Framing {
    /// The frame with an IP packet.
    pub(super) fn frame(self, way: Way, packet: &[u8]) -> anyhow::Result<Vec<u8>> {
        let ethertype = match packet.first().map(|byte| byte >> 4) {
            Some(4) => IPV4,
            Some(6) => IPV6,
            _ => bail!("this is no IP packet"),
        };
        let after = |headers: &[&[u8]]| {
            let headers = headers.concat();
            [&way.to[..], &way.from, &headers, packet].concat()
        };
        Ok(match self {
            Self::Ethernet => after(&[&ethertype]),
            Self::PppoeInQinq => pppoe_frame(way.to, way.from, packet)?,
            Self::OtherTpid => after(&[&OTHER_TAGS, &ethertype]),
            Self::Snap => {
                let length = u16::try_from(SNAP.len() + ethertype.len() + packet.len())?;
                after(&[&length.to_be_bytes(), &SNAP, &ethertype])
            }
            Self::Mpls => after(&[&MPLS, &LABELS]),
            Self::EthernetInGre => {
                let inner = [&way.to, &way.from, &ethertype[..]].concat();
                let (from, to) = way.of(TUNNEL4);
                let length = u16::try_from(GRE_ETHERNET.len() + inner.len() + packet.len())?;
                let outer = Ipv4Header::new(length, 64, IpNumber::GRE, from.octets(), to.octets())?;
                after(&[&IPV4, &outer.to_bytes(), &GRE_ETHERNET, &inner])
            }
            Self::Ipv6InIpv6 if ethertype == IPV6 => {
                let (from, to) = way.of(TUNNEL6);
                let outer = Ipv6Header {
                    payload_length: u16::try_from(packet.len())?,
                    next_header: IpNumber::IPV6,
                    hop_limit: 64,
                    source: from.octets(),
                    destination: to.octets(),
                    ..Ipv6Header::default()
                };
                after(&[&IPV6, &outer.to_bytes()])
            }
            Self::Ipv6InIpv6 => bail!("IPv4 is not on this line"),
        })
    }

    /// The packet in a frame, perhaps with padding after it; none if it is no such frame.
    pub(super) fn packet(self, frame: &[u8]) -> Option<&[u8]> {
        let headers: &[&[u8]] = match self {
            Self::PppoeInQinq => return pppoe_payload(frame),
            Self::Ipv6InIpv6 => {
                let outer = frame.get(ETHERNET..)?.split_first_chunk::<{ Ipv6Header::LEN }>();
                let (outer, packet) = outer?;
                return (frame[ETHERNET - 2..ETHERNET] == IPV6 && outer[6] == IpNumber::IPV6.0)
                    .then_some(packet);
            }
            Self::Ethernet => &[],
            Self::OtherTpid => &[&OTHER_TAGS],
            Self::Snap => &[&[0; 2], &SNAP],
            Self::Mpls => &[&MPLS, &LABELS],
            Self::EthernetInGre => &[&IPV4, &[0; 20], &GRE_ETHERNET, &[0; 12]],
        };
        let mut rest = frame.get(ETHERNET - 2..)?;
        for header in headers {
            let (found, after) = rest.split_at_checked(header.len())?;
            // What is not written above differs from frame to frame.
            if found != *header && header.iter().any(|byte| *byte != 0) {
                return None;
            }
            rest = after;
        }
        if self == Self::Mpls {
            return Some(rest);
        }
        let (ethertype, packet) = rest.split_at_checked(2)?;
        (ethertype == IPV4 || ethertype == IPV6).then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{LINE_ROUTER, LINE_SUBSCRIBER};

    #[test]
    fn a_packet_comes_out_of_a_frame_as_it_went_in_and_out_of_no_other_framing() {
        const ALL: [Framing; 7] = [
            Framing::Ethernet,
            Framing::PppoeInQinq,
            Framing::OtherTpid,
            Framing::Snap,
            Framing::Mpls,
            Framing::EthernetInGre,
            Framing::Ipv6InIpv6,
        ];
        let packet = [&[0x60][..], &[0x25; 60]].concat();
        let up = Way {
            from: LINE_SUBSCRIBER,
            to: LINE_ROUTER,
            is_up: true,
        };
        let down = Way {
            from: LINE_ROUTER,
            to: LINE_SUBSCRIBER,
            is_up: false,
        };
        for way in [up, down] {
            for framing in ALL {
                let frame = framing.frame(way, &packet).unwrap();
                assert!(
                    frame.starts_with(&way.to) && frame.ends_with(&packet),
                    "{framing:?}"
                );
                for other in ALL {
                    let found = other.packet(&frame);
                    // Tunnels are plain packets to those that do not know them.
                    let may_be_outer = other == Framing::Ethernet;
                    if other == framing {
                        assert_eq!(found, Some(&packet[..]), "{framing:?}");
                    } else if !may_be_outer {
                        assert_eq!(found, None, "{framing:?} taken for {other:?}");
                    }
                }
            }
        }
    }
}
