//! Builds the packet of a test run: a TCP SYN as it arrives at an interface, with tags and inside tunnels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpHeaders, IpNumber, PacketBuilder, PacketBuilderStep};
use op25b_common::{
    Tunnel,
    framing::{ETHERTYPE_QINQ, ETHERTYPE_VLAN},
};
use thiserror::Error;

/// Source and destination are not of one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{source_address} and {destination_address} are not of the same address family")]
pub struct MixedFamilies {
    source_address: IpAddr,
    destination_address: IpAddr,
}

/// A TCP SYN, and what it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The sources, the outermost first: one more than there are tunnels.
    pub sources: Vec<IpAddr>,
    /// The destination of the SYN.
    pub destination: IpAddr,
    /// Its destination port.
    pub port: u16,
    /// The tags, the outermost first.
    pub vlan: Vec<u16>,
    /// The tunnels, the outermost first.
    pub tunnels: Vec<Tunnel>,
}

/// Where the outer packets of tunnels go: nobody looks that up.
const CONCENTRATOR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CONCENTRATOR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

const SOURCE_PORT: u16 = 49152;
const WINDOW: u16 = 64240;
const HOP_LIMIT: u8 = 64;
const TO: [u8; 6] = [2, 0, 0, 0, 0, 2];
const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

impl Packet {
    /// A SYN without tags and tunnels.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, port: u16) -> Self {
        Self {
            sources: vec![source],
            destination,
            port,
            vlan: Vec::new(),
            tunnels: Vec::new(),
        }
    }

    /// The sources that may decide on it, the innermost first: in `4in6` the inner one is not the subscriber's.
    #[must_use]
    pub fn deciding_sources(&self) -> Vec<IpAddr> {
        let outer = [None].into_iter().chain(self.tunnels.iter().copied().map(Some));
        let mut deciding: Vec<IpAddr> = self
            .sources
            .iter()
            .zip(outer)
            .filter(|(_, outer)| *outer != Some(Tunnel::V4InV6))
            .map(|(source, _)| *source)
            .collect();
        deciding.reverse();
        deciding
    }

    /// The Ethernet frame.
    ///
    /// # Panics
    ///
    /// Never: a SYN is never too long to be written, however many tunnels it is in.
    pub fn frame(&self) -> Result<Vec<u8>, MixedFamilies> {
        let (outer, inner) = self
            .sources
            .split_at(self.tunnels.len().min(self.sources.len() - 1));
        let source = inner[0];
        let step = ip(source, self.destination)?;
        let mut packet = Vec::new();
        // Writing to a Vec fails only for a payload that is too long.
        let syn = step.tcp(SOURCE_PORT, self.port, 0, WINDOW).syn();
        syn.write(&mut packet, &[]).expect("a SYN without payload fits");
        let mut is_v6 = source.is_ipv6();
        for (tunnel, source) in self.tunnels.iter().zip(outer).rev() {
            packet = inside(*tunnel, *source, is_v6, &packet);
            is_v6 = source.is_ipv6();
        }
        let mut frame = [TO, FROM].concat();
        for (number, tag) in self.vlan.iter().enumerate() {
            let is_last = number + 1 == self.vlan.len();
            let ethertype = if is_last { ETHERTYPE_VLAN } else { ETHERTYPE_QINQ };
            frame.extend(ethertype.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        frame.extend(ethertype(is_v6).to_be_bytes());
        frame.extend(packet);
        Ok(frame)
    }
}

fn ethertype(is_v6: bool) -> u16 {
    if is_v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 }
}

fn ip(source: IpAddr, destination: IpAddr) -> Result<PacketBuilderStep<IpHeaders>, MixedFamilies> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Ok(PacketBuilder::ipv4(
            source.octets(),
            destination.octets(),
            HOP_LIMIT,
        )),
        (IpAddr::V6(source), IpAddr::V6(destination)) => Ok(PacketBuilder::ipv6(
            source.octets(),
            destination.octets(),
            HOP_LIMIT,
        )),
        (source_address, destination_address) => Err(MixedFamilies {
            source_address,
            destination_address,
        }),
    }
}

/// An IP packet inside a tunnel from a source.
fn inside(tunnel: Tunnel, source: IpAddr, is_v6: bool, packet: &[u8]) -> Vec<u8> {
    const GRE: u8 = 47;
    const IPV4_IN_IP: u8 = 4;
    const IPV6_IN_IP: u8 = 41;
    let outer = match source {
        IpAddr::V4(source) => PacketBuilder::ipv4(source.octets(), CONCENTRATOR_V4.octets(), HOP_LIMIT),
        IpAddr::V6(source) => PacketBuilder::ipv6(source.octets(), CONCENTRATOR_V6.octets(), HOP_LIMIT),
    };
    let (protocol, header) = match tunnel {
        Tunnel::V4InV6 | Tunnel::V4InV4 => (IPV4_IN_IP, Vec::new()),
        Tunnel::V6InV4 | Tunnel::V6InV6 => (IPV6_IN_IP, Vec::new()),
        Tunnel::Gre => (GRE, gre(ethertype(is_v6))),
        Tunnel::EthernetInGre => {
            const ETHERNET: u16 = 0x6558;
            let frame = [TO.as_slice(), &FROM, &ethertype(is_v6).to_be_bytes()].concat();
            (GRE, [gre(ETHERNET), frame].concat())
        }
        Tunnel::L2tp => {
            const PORT: u16 = 1701;
            let mut message = Vec::new();
            let data = [l2tp(is_v6), packet.to_vec()].concat();
            let written = outer.udp(PORT, PORT).write(&mut message, &data);
            written.expect("a SYN in tunnels fits");
            return message;
        }
    };
    let mut message = Vec::new();
    let written = outer.write(&mut message, IpNumber(protocol), &[&header, packet].concat());
    written.expect("a SYN in tunnels fits");
    message
}

/// A GRE header without options (RFC 2784).
fn gre(protocol: u16) -> Vec<u8> {
    [0_u16.to_be_bytes(), protocol.to_be_bytes()].concat()
}

/// The headers of an `L2TPv2` data message (RFC 2661 section 3.1) and of PPP.
fn l2tp(is_v6: bool) -> Vec<u8> {
    const VERSION: u16 = 2;
    const TUNNEL_AND_SESSION: [u8; 4] = [0, 1, 0, 1];
    const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
    let protocol: u16 = if is_v6 { 0x0057 } else { 0x0021 };
    [
        VERSION.to_be_bytes().as_slice(),
        &TUNNEL_AND_SESSION,
        &ADDRESS_AND_CONTROL,
        &protocol.to_be_bytes(),
    ]
    .concat()
}
