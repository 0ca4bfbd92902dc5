//! The headers before a bot's IP packets on its line: Ethernet, VLAN tags, `PPPoE`, and tunnels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::SlicedPacket;
use op25b_testlab::lab::{Family, Host};

use super::packet;

/// A link-layer address.
pub type Mac = [u8; 6];
/// Each link has two ends, so two addresses do for all of them.
pub const ROUTER: Mac = [0x02, 0, 0, 0, 0, 0x01];
pub const HOST: Mac = [0x02, 0, 0, 0, 0, 0x02];

/// The outer addresses of a bot's tunnels.
pub const TUNNEL4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 90);
pub const TUNNEL6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x90);

const PPPOE_SESSION: [u8; 2] = [0x88, 0x64];
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// The headers before a packet.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// TPIDs and VLANs, outermost first.
    pub tags: &'static [(u16, u16)],
    pub ppp: Option<Ppp>,
    /// The outermost first.
    pub tunnels: &'static [Tunnel],
}

/// How PPP writes its protocol (RFC 1661 section 6.5).
#[derive(Clone, Copy, Debug)]
pub enum Ppp {
    Full,
    Compressed,
}

/// A tunnel to the server's host.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel {
    /// As `tunnels:` calls it.
    pub name: &'static str,
    /// The family of the outer addresses.
    pub outer: Family,
    /// The outer packet's protocol number.
    pub protocol: u8,
    /// How many tunnels it is in.
    pub level: u8,
}

impl Line {
    pub const ETHERNET: Self = Self {
        tags: &[],
        ppp: None,
        tunnels: &[],
    };
    pub const PPPOE_IN_QINQ: Self = Self {
        tags: &[(0x88a8, 100), (0x8100, 42)],
        ppp: Some(Ppp::Full),
        tunnels: &[],
    };

    pub const fn tunnels(tunnels: &'static [Tunnel]) -> Self {
        Self {
            tunnels,
            ..Self::ETHERNET
        }
    }

    /// The frame with a packet to the router.
    pub fn frame(&self, packet: &[u8]) -> Vec<u8> {
        self.frame_between(ROUTER, HOST, packet)
    }

    /// The frames with a packet to the router whose only tunnel's outer packet is in fragments of `size` bytes.
    pub fn frames_of_fragments(&self, packet: &[u8], size: usize) -> Vec<Vec<u8>> {
        let [tunnel] = self.tunnels else {
            panic!("not one tunnel: {:?}", self.tunnels)
        };
        let payload = [&tunnel.header(packet), packet].concat();
        let there = Host::Internet.address(tunnel.outer);
        let pieces = packet::cut(&payload, size);
        let outer = packet::fragments(tunnel.here(), there, tunnel.protocol, &pieces);
        let link = Self {
            tunnels: &[],
            ..*self
        };
        outer.iter().map(|packet| link.frame(packet)).collect()
    }

    /// The frame with a packet from the router.
    pub fn frame_from_router(&self, packet: &[u8]) -> Vec<u8> {
        self.frame_between(HOST, ROUTER, packet)
    }

    fn frame_between(&self, to: Mac, from: Mac, packet: &[u8]) -> Vec<u8> {
        let innermost_first = self.tunnels.iter().rev();
        let packet = innermost_first.fold(packet.to_vec(), |packet, tunnel| tunnel.packet(&packet));
        let is_v4 = packet[0] >> 4 == 4;
        let mut frame = [to, from].concat();
        for (tpid, vlan) in self.tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(vlan.to_be_bytes());
        }
        let protocol: &[u8] = match (self.ppp, is_v4) {
            (None, true) => &[0x08, 0x00],
            (None, false) => &[0x86, 0xdd],
            (Some(Ppp::Full), true) => &[0x00, 0x21],
            (Some(Ppp::Full), false) => &[0x00, 0x57],
            (Some(Ppp::Compressed), true) => &[0x21],
            (Some(Ppp::Compressed), false) => &[0x57],
        };
        if self.ppp.is_some() {
            frame.extend(PPPOE_SESSION);
            frame.extend([0x11, 0x00, 0x00, 0x17]); // version and type 1, code 0, session (RFC 2516)
            let length = u16::try_from(protocol.len() + packet.len()).unwrap();
            frame.extend(length.to_be_bytes());
        }
        frame.extend(protocol);
        frame.extend(packet);
        frame
    }

    /// The packet in a frame, if it is one that this line could have.
    pub fn packet<'f>(&self, frame: &'f [u8]) -> Option<&'f [u8]> {
        let packet = link_payload(frame)?;
        let mut tunnels = self.tunnels.iter();
        tunnels.try_fold(packet, |packet, tunnel| tunnel.payload(packet))
    }
}

/// The IP packet in a frame; the kernel may have taken off the outermost tag.
pub fn link_payload(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    while VLAN_TAGS.contains(&u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)) {
        rest = rest.get(4..)?;
    }
    let ether_type: [u8; 2] = rest.get(..2)?.try_into().ok()?;
    rest = &rest[2..];
    if ether_type == PPPOE_SESSION {
        rest = rest.get(6..)?;
        rest = rest.get(if *rest.first()? == 0 { 2 } else { 1 }..)?;
    }
    Some(rest)
}

impl Tunnel {
    /// Dual-Stack Lite's (RFC 6333).
    pub const V4_IN_V6: Self = Self::new("4in6", Family::V6, 4);
    pub const V6_IN_V4: Self = Self::new("6in4", Family::V4, 41);
    pub const V4_IN_V4: Self = Self::new("4in4", Family::V4, 4);
    pub const V6_IN_V6: Self = Self::new("6in6", Family::V6, 41);
    pub const GRE: Self = Self::new("gre", Family::V4, 47);
    /// Ethernet frames in GRE, with a VLAN tag.
    pub const ETHERNET_IN_GRE: Self = Self::new("eogre", Family::V4, 47);
    pub const L2TP: Self = Self::new("l2tp", Family::V4, 17);

    const fn new(name: &'static str, outer: Family, protocol: u8) -> Self {
        Self {
            name,
            outer,
            protocol,
            level: 0,
        }
    }

    /// The same inside another tunnel.
    pub const fn inside(self) -> Self {
        Self {
            level: self.level + 1,
            ..self
        }
    }

    /// The bot's outer address; each level has its own.
    pub fn here(&self) -> IpAddr {
        match self.outer {
            Family::V4 => Ipv4Addr::from_bits(TUNNEL4.to_bits() + u32::from(self.level)).into(),
            Family::V6 => Ipv6Addr::from_bits(TUNNEL6.to_bits() + u128::from(self.level)).into(),
        }
    }

    fn packet(&self, inner: &[u8]) -> Vec<u8> {
        let payload = [&self.header(inner), inner].concat();
        let there = Host::Internet.address(self.outer);
        packet::ip(self.here(), there, self.protocol, &payload)
    }

    fn payload<'p>(&self, outer: &'p [u8]) -> Option<&'p [u8]> {
        let (source, length) = match SlicedPacket::from_ip(outer).ok()?.net? {
            etherparse::NetSlice::Ipv4(ip) => (IpAddr::from(ip.header().source_addr()), 20),
            etherparse::NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), 40),
            etherparse::NetSlice::Arp(_) => return None,
        };
        if source != Host::Internet.address(self.outer) {
            return None;
        }
        outer.get(length + self.header_length()..)
    }

    /// What stands between the outer IP header and the inner one.
    pub fn header(&self, inner: &[u8]) -> Vec<u8> {
        let is_v4 = inner[0] >> 4 == 4;
        match self.name {
            "gre" if is_v4 => vec![0, 0, 0x08, 0x00],
            "gre" => vec![0, 0, 0x86, 0xdd],
            "eogre" => {
                let mut header = vec![0, 0, 0x65, 0x58]; // transparent Ethernet bridging
                header.extend([ROUTER, HOST].concat());
                header.extend([0x81, 0x00, 0x00, 0x2a]); // VLAN 42
                header.extend(if is_v4 { [0x08, 0x00] } else { [0x86, 0xdd] });
                header
            }
            "l2tp" => {
                let mut header = vec![0x06, 0xa5, 0x06, 0xa5]; // port 1701 on both sides (RFC 2661 section 8.1)
                let length = u16::try_from(self.header_length() + inner.len()).unwrap();
                header.extend(length.to_be_bytes());
                header.extend([0, 0]); // no checksum
                header.extend([0, 2, 0, 7, 0, 9]); // data, version 2, tunnel, session
                header.extend([0xff, 0x03, 0x00, if is_v4 { 0x21 } else { 0x57 }]);
                header
            }
            _ => Vec::new(),
        }
    }

    /// How long that is.
    pub fn header_length(&self) -> usize {
        match self.name {
            "gre" => 4,
            "eogre" => 22,
            "l2tp" => 18,
            _ => 0,
        }
    }
}
