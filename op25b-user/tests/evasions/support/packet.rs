//! A bot's IP packets: whole, in fragments, with wrong headers.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU16, Ordering},
};

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6Header};

/// What the kernel uses.
const HOP_LIMIT: u8 = 64;
/// Protocol numbers.
pub const IPV6_ROUTING: u8 = 43;
pub const IPV6_FRAGMENT: u8 = 44;
pub const IPV6_DESTINATION_OPTIONS: u8 = 60;

/// A part of what is fragmented.
#[derive(Clone, Debug)]
pub struct Piece {
    /// In bytes.
    pub offset: usize,
    pub bytes: Vec<u8>,
    /// Whether more follows.
    pub more: bool,
}

impl Piece {
    pub fn new(offset: usize, bytes: &[u8], more: bool) -> Self {
        assert!(offset.is_multiple_of(8), "offsets count in units of 8 bytes");
        Self {
            offset,
            bytes: bytes.into(),
            more,
        }
    }
}

/// A plain packet.
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(_), _) => ipv4(source, destination, protocol, payload, |header| {
            header.dont_fragment = true;
        }),
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                payload_length: u16::try_from(payload.len()).unwrap(),
                next_header: IpNumber(protocol),
                hop_limit: HOP_LIMIT,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            [&header.to_bytes(), payload].concat()
        }
        (IpAddr::V6(_), IpAddr::V4(_)) => panic!("{source} cannot send to {destination}"),
    }
}

/// A packet whose header is changed before its checksum is made.
pub fn ipv4(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &[u8],
    change: impl FnOnce(&mut Ipv4Header),
) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
        panic!("{source} and {destination} are not IPv4 addresses")
    };
    let mut header = Ipv4Header {
        time_to_live: HOP_LIMIT,
        protocol: IpNumber(protocol),
        source: source.octets(),
        destination: destination.octets(),
        dont_fragment: false,
        ..Ipv4Header::default()
    };
    change(&mut header);
    header.set_payload_len(payload.len()).unwrap();
    header.header_checksum = header.calc_header_checksum();
    [&header.to_bytes(), payload].concat()
}

/// An IPv4 packet with a field of its header overwritten, and the checksum made right again.
pub fn forge_ipv4(mut packet: Vec<u8>, at: usize, field: &[u8]) -> Vec<u8> {
    packet[at..at + field.len()].copy_from_slice(field);
    packet[10..12].fill(0);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.ones_complement().to_be().to_be_bytes());
    packet
}

/// Consecutive pieces of at most `size` bytes.
pub fn cut(bytes: &[u8], size: usize) -> Vec<Piece> {
    let count = bytes.len().div_ceil(size);
    let pieces = bytes.chunks(size).enumerate();
    pieces
        .map(|(index, part)| Piece::new(index * size, part, index + 1 < count))
        .collect()
}

/// The fragments of one packet, in the order of the pieces; in IPv6, `protocol` is what the pieces begin with.
pub fn fragments(source: IpAddr, destination: IpAddr, protocol: u8, pieces: &[Piece]) -> Vec<Vec<u8>> {
    static IDENTIFICATION: AtomicU16 = AtomicU16::new(1);
    let identification = IDENTIFICATION.fetch_add(1, Ordering::Relaxed);
    let fragment = |piece: &Piece| {
        let units = u16::try_from(piece.offset / 8).unwrap();
        if source.is_ipv4() {
            return ipv4(source, destination, protocol, &piece.bytes, |header| {
                header.identification = identification;
                header.fragment_offset = IpFragOffset::try_new(units).unwrap();
                header.more_fragments = piece.more;
            });
        }
        let mut payload = vec![protocol, 0];
        payload.extend((units << 3 | u16::from(piece.more)).to_be_bytes());
        payload.extend(u32::from(identification).to_be_bytes());
        payload.extend(&piece.bytes);
        ip(source, destination, IPV6_FRAGMENT, &payload)
    };
    pieces.iter().map(fragment).collect()
}

/// An IPv6 destination options header of 8 bytes in front of `next`: nothing but padding.
pub fn destination_options(next: u8) -> [u8; 8] {
    [next, 0, 1, 4, 0, 0, 0, 0]
}
