//! TCP segments of a bot's connection, in which any field can be wrong.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
};

use etherparse::{SlicedPacket, TransportSlice, checksum::Sum16BitWords};

use super::packet;

pub const FIN: u16 = 0x01;
pub const SYN: u16 = 0x02;
pub const RST: u16 = 0x04;
pub const PSH: u16 = 0x08;
pub const ACK: u16 = 0x10;
pub const URG: u16 = 0x20;
pub const ECE: u16 = 0x40;
pub const CWR: u16 = 0x80;
/// RFC 9768, and the three bits before it that RFC 9293 reserves.
pub const AE_AND_RESERVED: u16 = 0xf00;

/// Protocol number.
pub const TCP: u8 = 6;
/// A SYN's usual option: a maximum segment size of 1460.
pub const MAXIMUM_SEGMENT_SIZE: [u8; 4] = [2, 4, 0x05, 0xb4];

/// One connection, seen from the bot.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// The bot's initial sequence number.
    pub sequence: u32,
}

/// A segment to the server.
#[derive(Clone, Debug)]
pub struct Segment {
    pub flow: Flow,
    pub sequence: u32,
    pub acknowledgment: u32,
    /// With the reserved bits: 12 bits.
    pub flags: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub data: Vec<u8>,
    /// In words, where it is not to be the true one.
    pub data_offset: Option<u8>,
}

/// A segment from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub syn: bool,
    pub ack: bool,
    /// The bytes of data.
    pub length: usize,
}

impl Flow {
    /// One that no test has had yet.
    pub fn new(source: IpAddr, destination: SocketAddr) -> Self {
        static PORT: AtomicU16 = AtomicU16::new(20_000);
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        Self {
            source: SocketAddr::new(source, port),
            destination,
            sequence: u32::from(port) << 12,
        }
    }

    /// The first segment of a connection.
    pub fn syn(self) -> Segment {
        Segment {
            flow: self,
            sequence: self.sequence,
            acknowledgment: 0,
            flags: SYN,
            urgent: 0,
            options: MAXIMUM_SEGMENT_SIZE.into(),
            data: Vec::new(),
            data_offset: None,
        }
    }

    /// A segment with these flags where the first should be.
    pub fn first(self, flags: u16) -> Segment {
        Segment { flags, ..self.syn() }
    }

    /// The same towards another port.
    pub fn to_port(self, port: u16) -> Self {
        Self {
            destination: SocketAddr::new(self.destination.ip(), port),
            ..self
        }
    }

    /// The last segment of the handshake.
    pub fn finish(self, answer: &Answer) -> Segment {
        Segment {
            sequence: answer.acknowledgment,
            acknowledgment: answer.sequence.wrapping_add(1),
            options: Vec::new(),
            ..self.first(ACK)
        }
    }

    /// Whether this is the server's agreement to the connection.
    pub fn is_agreed_by(&self, answer: &Answer) -> bool {
        answer.syn
            && answer.ack
            && answer.source == self.destination
            && answer.destination == self.source
            && answer.acknowledgment > self.sequence
    }
}

impl Segment {
    /// Header and data, with a checksum that is right.
    pub fn bytes(&self) -> Vec<u8> {
        let Flow {
            source, destination, ..
        } = self.flow;
        let true_offset = u8::try_from(5 + self.options.len() / 4).unwrap();
        let offset = self.data_offset.unwrap_or(true_offset);
        let mut bytes = Vec::new();
        bytes.extend(source.port().to_be_bytes());
        bytes.extend(destination.port().to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgment.to_be_bytes());
        bytes.extend((u16::from(offset) << 12 | self.flags).to_be_bytes());
        bytes.extend([0xfa, 0xf0, 0, 0]); // window, checksum
        bytes.extend(self.urgent.to_be_bytes());
        bytes.extend(&self.options);
        bytes.extend(&self.data);
        let checksum = checksum(source.ip(), destination.ip(), &bytes);
        bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// The plain IP packet with it.
    pub fn packet(&self) -> Vec<u8> {
        packet::ip(
            self.flow.source.ip(),
            self.flow.destination.ip(),
            TCP,
            &self.bytes(),
        )
    }
}

impl Answer {
    /// The segment in an IP packet, if it is TCP.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ip(packet).ok()?;
        let (source, destination): (IpAddr, IpAddr) = match packet.net? {
            etherparse::NetSlice::Ipv4(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            etherparse::NetSlice::Ipv6(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            etherparse::NetSlice::Arp(_) => return None,
        };
        let TransportSlice::Tcp(tcp) = packet.transport? else {
            return None;
        };
        Some(Self {
            source: SocketAddr::new(source, tcp.source_port()),
            destination: SocketAddr::new(destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            acknowledgment: tcp.acknowledgment_number(),
            syn: tcp.syn(),
            ack: tcp.ack(),
            length: tcp.payload().len(),
        })
    }
}

/// TCP's checksum, in either family (RFC 9293 section 3.1).
fn checksum(source: IpAddr, destination: IpAddr, segment: &[u8]) -> u16 {
    let mut sum = Sum16BitWords::new();
    for address in [source, destination] {
        sum = match address {
            IpAddr::V4(address) => sum.add_4bytes(address.octets()),
            IpAddr::V6(address) => sum.add_16bytes(address.octets()),
        };
    }
    let length = u16::try_from(segment.len()).unwrap();
    let sum = sum
        .add_2bytes([0, TCP])
        .add_2bytes(length.to_be_bytes())
        .add_slice(segment);
    sum.ones_complement().to_be()
}
