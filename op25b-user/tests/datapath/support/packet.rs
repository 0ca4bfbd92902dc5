//! Builds packets, from the IP header on.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeader, IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader,
    TcpHeader, UdpHeader,
};

const HOP_LIMIT: u8 = 64;
const SOURCE_PORT: u16 = 49_152;
const WINDOW: u16 = 64_240;

/// Bytes of the header that [`Ends::v6`] and [`Ends::v4`] without options write.
pub const V4_LENGTH: usize = Ipv4Header::MIN_LEN;
pub const V6_LENGTH: usize = Ipv6Header::LEN;

/// The protocol number in the layer below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    V4,
    V6,
}

/// A packet, right or wrong.
#[derive(Clone, Debug)]
pub struct Packet {
    pub network: Network,
    pub bytes: Vec<u8>,
}

impl Packet {
    /// The packet with what etherparse would not write.
    pub fn patched(mut self, patch: impl FnOnce(&mut Vec<u8>)) -> Self {
        patch(&mut self.bytes);
        self
    }

    /// Bytes before the upper layer, if there are neither options nor extension headers.
    pub fn header_length(&self) -> usize {
        match self.network {
            Network::V4 => V4_LENGTH,
            Network::V6 => V6_LENGTH,
        }
    }
}

/// An IPv6 extension header.
#[derive(Clone, Copy, Debug)]
pub enum Extension {
    /// One in the common layout, by its number, with so many times 8 bytes more than the least.
    Common(IpNumber, u8),
    /// AH with so many bytes of integrity check value, a multiple of 4.
    Authentication(usize),
    /// A fragment, with its offset in units of 8 bytes.
    Fragment { offset: u16, more: bool },
}

impl Extension {
    pub const HOP_BY_HOP: Self = Self::Common(IpNumber::IPV6_HEADER_HOP_BY_HOP, 0);
    pub const ROUTING: Self = Self::Common(IpNumber(43), 0);
    pub const DESTINATION_OPTIONS: Self = Self::Common(IpNumber(60), 0);
    pub const MOBILITY: Self = Self::Common(IpNumber(135), 0);
    pub const HOST_IDENTITY: Self = Self::Common(IpNumber(139), 0);
    pub const SHIM6: Self = Self::Common(IpNumber(140), 0);
    pub const AUTHENTICATION: Self = Self::Authentication(12);
    /// A packet that was never cut, yet has the header (RFC 6946).
    pub const ATOMIC_FRAGMENT: Self = Self::Fragment {
        offset: 0,
        more: false,
    };
    pub const FIRST_FRAGMENT: Self = Self::Fragment {
        offset: 0,
        more: true,
    };

    /// Every kind, in its shortest form.
    pub const ALL: [Self; 9] = [
        Self::HOP_BY_HOP,
        Self::ROUTING,
        Self::DESTINATION_OPTIONS,
        Self::MOBILITY,
        Self::HOST_IDENTITY,
        Self::SHIM6,
        Self::AUTHENTICATION,
        Self::ATOMIC_FRAGMENT,
        Self::FIRST_FRAGMENT,
    ];

    fn number(self) -> IpNumber {
        match self {
            Self::Common(number, _) => number,
            Self::Authentication(_) => IpNumber(51),
            Self::Fragment { .. } => IpNumber(44),
        }
    }

    fn bytes(self, following: IpNumber) -> Vec<u8> {
        match self {
            Self::Common(_, units) => {
                // Zeros are padding to both headers with options (RFC 8200 section 4.2).
                let content = vec![0; 6 + 8 * usize::from(units)];
                Ipv6RawExtHeader::new_raw(following, &content)
                    .unwrap()
                    .to_bytes()
                    .to_vec()
            }
            Self::Authentication(icv) => IpAuthHeader::new(following, 1, 1, &vec![0xa5; icv])
                .unwrap()
                .to_bytes()
                .to_vec(),
            Self::Fragment { offset, more } => {
                let offset = IpFragOffset::try_new(offset).unwrap();
                Ipv6FragmentHeader::new(following, offset, more, 7)
                    .to_bytes()
                    .to_vec()
            }
        }
    }
}

/// A chain of extension headers in front of `upper`: the first one's number, and the bytes.
pub fn chain(extensions: &[Extension], upper: IpNumber) -> (IpNumber, Vec<u8>) {
    let mut first = upper;
    let mut parts = Vec::new();
    for extension in extensions.iter().rev() {
        parts.push(extension.bytes(first));
        first = extension.number();
    }
    parts.reverse();
    (first, parts.concat())
}

/// The header of a SYN.
pub fn syn_header(destination_port: u16) -> TcpHeader {
    let mut header = TcpHeader::new(SOURCE_PORT, destination_port, 1, WINDOW);
    header.syn = true;
    header
}

/// Who sends, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub source: IpAddr,
    pub destination: IpAddr,
}

pub fn between(source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Ends {
    Ends {
        source: source.into(),
        destination: destination.into(),
    }
}

impl Ends {
    /// A TCP SYN.
    pub fn syn(self, destination_port: u16) -> Packet {
        self.tcp(syn_header(destination_port))
    }

    /// A TCP segment without data.
    pub fn tcp(self, header: TcpHeader) -> Packet {
        self.carrying(IpNumber::TCP, &self.segment(header, &[]))
    }

    /// The bytes of a TCP segment, with its checksum.
    pub fn segment(self, mut header: TcpHeader, data: &[u8]) -> Vec<u8> {
        header.checksum = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), data)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                header.calc_checksum_ipv6_raw(source.octets(), destination.octets(), data)
            }
            _ => self.mixed(),
        }
        .unwrap();
        [&header.to_bytes()[..], data].concat()
    }

    /// A UDP datagram.
    pub fn udp(self, destination_port: u16) -> Packet {
        let header = UdpHeader::without_ipv4_checksum(SOURCE_PORT, destination_port, 8).unwrap();
        self.carrying(IpNumber::UDP, &[&header.to_bytes()[..], &[0; 8]].concat())
    }

    /// An IP packet without options or extension headers.
    pub fn carrying(self, upper: IpNumber, payload: &[u8]) -> Packet {
        match self.source {
            IpAddr::V4(_) => self.v4(upper, payload, |_| {}),
            IpAddr::V6(_) => self.v6(&[], upper, payload),
        }
    }

    /// An IPv4 packet; `edit` may change everything before lengths and checksum are written.
    pub fn v4(self, upper: IpNumber, payload: &[u8], edit: impl FnOnce(&mut Ipv4Header)) -> Packet {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (self.source, self.destination) else {
            self.mixed()
        };
        let mut header = Ipv4Header::new(0, HOP_LIMIT, upper, source.octets(), destination.octets()).unwrap();
        edit(&mut header);
        header.set_payload_len(payload.len()).unwrap();
        header.header_checksum = header.calc_header_checksum();
        Packet {
            network: Network::V4,
            bytes: [&header.to_bytes()[..], payload].concat(),
        }
    }

    /// An IPv4 fragment that starts `offset` times 8 bytes into its datagram.
    pub fn v4_fragment(self, upper: IpNumber, payload: &[u8], offset: u16, more: bool) -> Packet {
        self.v4(upper, payload, |header| {
            header.dont_fragment = false;
            header.more_fragments = more;
            header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        })
    }

    /// An IPv6 packet.
    pub fn v6(self, extensions: &[Extension], upper: IpNumber, payload: &[u8]) -> Packet {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (self.source, self.destination) else {
            self.mixed()
        };
        let (first, chain) = chain(extensions, upper);
        let header = Ipv6Header {
            payload_length: u16::try_from(chain.len() + payload.len()).unwrap(),
            next_header: first,
            hop_limit: HOP_LIMIT,
            source: source.octets(),
            destination: destination.octets(),
            ..Ipv6Header::default()
        };
        Packet {
            network: Network::V6,
            bytes: [&header.to_bytes()[..], &chain, payload].concat(),
        }
    }

    fn mixed(self) -> ! {
        panic!("there is no packet from {} to {}", self.source, self.destination)
    }
}
