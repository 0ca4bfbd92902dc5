//! Packets in packets: IP in IP, GRE, and L2TP with all of their flags.

use etherparse::ip_number;
use proptest::prelude::*;

use super::{
    Universe, frames,
    network::Packet,
    transport::{Upper, filler},
};
use crate::{expected::link::Family, policy::Tunnel};

/// A packet inside one of the tunnels, mostly one that is enabled.
pub fn tunnel(universe: &Universe, packet: BoxedStrategy<Packet>) -> impl Strategy<Value = Upper> + use<> {
    let ip_in_ip = u32::from(
        [Tunnel::V4InV4, Tunnel::V4InV6, Tunnel::V6InV4, Tunnel::V6InV6]
            .iter()
            .any(|tunnel| universe.tunnels.contains(tunnel)),
    );
    let weight = |tunnel| 1 + 6 * u32::from(universe.tunnels.contains(&tunnel));
    prop_oneof![
        1 + 6 * ip_in_ip => packet.clone().prop_map(|packet| Upper {
            protocol: match packet.family {
                Family::V4 => ip_number::IPV4.0,
                Family::V6 => ip_number::IPV6.0,
            },
            bytes: packet.bytes,
        }).boxed(),
        weight(Tunnel::Gre) => gre(packet.clone()).boxed(),
        weight(Tunnel::EthernetInGre) => ethernet_in_gre(universe, packet.clone()).boxed(),
        weight(Tunnel::L2tp) => l2tp(packet).boxed(),
    ]
}

/// A tunnel of which only the beginning is there, inside all tunnels that are parsed.
pub fn start() -> impl Strategy<Value = Upper> {
    let ip = prop::sample::select(vec![ip_number::IPV4.0, ip_number::IPV6.0])
        .prop_map(|protocol| (protocol, Vec::new()));
    let ether_type = prop::sample::select(vec![0x0800u16, 0x86dd, 0x6558, 0x883e, 0x880b, 0x8847]);
    let gre = (flags(&[0x8000, 0x2000], 0), ether_type).prop_map(|(flags, ether_type)| {
        let header = [flags.to_be_bytes(), ether_type.to_be_bytes()].concat();
        (ip_number::GRE.0, header)
    });
    let port = prop::sample::select(vec![1701u16, 1701, 53]);
    let udp = port.prop_map(|port| (ip_number::UDP.0, [[0x06, 0xa5], port.to_be_bytes()].concat()));
    let whole = prop_oneof![2 => ip, 2 => gre, 2 => udp];
    let cut = prop_oneof![6 => Just(4usize), 1 => 0usize..4];
    (whole, cut, filler(40)).prop_map(|((protocol, mut bytes), cut, rest)| {
        bytes.truncate(cut);
        // What is cut off ends there.
        if cut == 4 {
            bytes.extend(rest);
        }
        Upper { protocol, bytes }
    })
}

/// Any combination of these bits, and seldom any number at all.
fn flags(bits: &[u16], always: u16) -> impl Strategy<Value = u16> + use<> {
    let bits = bits.to_vec();
    let count = bits.len();
    let some = prop::sample::subsequence(bits, 0..=count)
        .prop_map(move |bits| bits.iter().fold(always, |flags, bit| flags | bit));
    prop_oneof![12 => some, 1 => any::<u16>()]
}

fn gre(packet: BoxedStrategy<Packet>) -> impl Strategy<Value = Upper> {
    let ether_type = prop_oneof![
        16 => Just(None),
        1 => prop::sample::select(vec![0x6558u16, 0x880b, 0x0806, 0x0800, 0x86dd, 0x883e]).prop_map(Some),
    ];
    in_gre((packet, ether_type).prop_map(|(packet, ether_type)| {
        let honest = match packet.family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        (ether_type.unwrap_or(honest), packet.bytes)
    }))
}

/// A frame in GRE, with the link headers of any other.
fn ethernet_in_gre(
    universe: &Universe,
    packet: BoxedStrategy<Packet>,
) -> impl Strategy<Value = Upper> + use<> {
    let ether_type = prop_oneof![16 => Just(0x6558u16), 1 => prop::sample::select(vec![0x0800u16, 0x88be])];
    let frame = (frames::link(universe), packet).prop_map(|(link, packet)| {
        let mut frame = link.before(&packet);
        frame.extend(packet.bytes);
        frame
    });
    in_gre((ether_type, frame))
}

/// A protocol type and what it announces, after a GRE header with any options.
fn in_gre(payload: impl Strategy<Value = (u16, Vec<u8>)>) -> impl Strategy<Value = Upper> {
    (payload, flags(&[0x8000, 0x2000, 0x1000], 0), any::<u8>()).prop_map(
        |((protocol, payload), flags, fill)| {
            let mut bytes = flags.to_be_bytes().to_vec();
            bytes.extend(protocol.to_be_bytes());
            for optional in [0x8000, 0x2000, 0x1000] {
                if flags & optional != 0 {
                    bytes.extend([fill; 4]);
                }
            }
            bytes.extend(payload);
            Upper {
                protocol: ip_number::GRE.0,
                bytes,
            }
        },
    )
}

fn l2tp(packet: BoxedStrategy<Packet>) -> impl Strategy<Value = Upper> {
    let offset = prop_oneof![8 => 0u16..24, 1 => any::<u16>()];
    let port = prop_oneof![16 => Just(1701u16), 1 => prop::sample::select(vec![1700u16, 1702, 53])];
    (
        (packet, port),
        flags(&[0x4000, 0x0800, 0x0200, 0x0100], 2),
        (offset, filler(23)),
        (any::<bool>(), ppp()),
    )
        .prop_map(|((packet, port), flags, (offset, padding), (has_address, ppp))| {
            let mut bytes = 1701u16.to_be_bytes().to_vec();
            bytes.extend(port.to_be_bytes());
            bytes.extend([0, 0, 0, 0]);
            bytes.extend(flags.to_be_bytes());
            if flags & 0x4000 != 0 {
                bytes.extend([0xee, 0xee]);
            }
            bytes.extend([0, 7, 0, 9]);
            if flags & 0x0800 != 0 {
                bytes.extend([0, 1, 0, 2]);
            }
            if flags & 0x0200 != 0 {
                bytes.extend(offset.to_be_bytes());
                // Sometimes fewer bytes than the size field announces.
                let padding = if offset < 24 {
                    vec![0xdd; usize::from(offset)]
                } else {
                    padding
                };
                bytes.extend(padding);
            }
            if has_address {
                bytes.extend([0xff, 0x03]);
            }
            bytes.extend(ppp.before(packet.family));
            bytes.extend(packet.bytes);
            Upper {
                protocol: ip_number::UDP.0,
                bytes,
            }
        })
}

/// The form of PPP's protocol field.
#[derive(Clone, Copy, Debug)]
pub enum Ppp {
    Long,
    Compressed,
    Other(u16),
}

/// Mostly one of the two forms of IP.
pub fn ppp() -> impl Strategy<Value = Ppp> {
    prop_oneof![
        8 => Just(Ppp::Long),
        8 => Just(Ppp::Compressed),
        1 => prop::sample::select(vec![0xc021u16, 0x8021, 0x8057, 0x2100, 0x5700, 0x0000, 0x0121]).prop_map(Ppp::Other),
    ]
}

impl Ppp {
    /// The bytes before a packet.
    pub fn before(self, family: Family) -> Vec<u8> {
        let protocol = match family {
            Family::V4 => 0x21,
            Family::V6 => 0x57,
        };
        match self {
            Self::Long => vec![0, protocol],
            Self::Compressed => vec![protocol],
            Self::Other(protocol) => protocol.to_be_bytes().to_vec(),
        }
    }
}
