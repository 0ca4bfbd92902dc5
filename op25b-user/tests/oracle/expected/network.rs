//! The upper layer of an IP packet.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{IpNumber, Ipv6HeaderSlice, ip_number};

use super::{
    bytes::{Bytes, FARTHEST},
    link::Family,
};

/// An IP header and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub family: Family,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The first byte after the packet, by its lengths and those around it.
    pub end: Option<usize>,
    /// What it carries; none if that is hidden in or after IPv6 extension headers.
    pub upper: Option<Upper>,
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug)]
pub struct Upper {
    /// The protocol; none in a later IPv6 fragment, where only the first one's counts (RFC 8200, 4.5).
    pub protocol: Option<u8>,
    /// In units of eight bytes.
    pub fragment_offset: u16,
    /// Whether it is a fragment, or could be one.
    pub fragmented: bool,
    /// Where it begins; none if an IPv4 header's length is shorter than the header.
    pub at: Option<usize>,
}

/// Why there is no IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNetwork {
    /// It does not fit.
    Short,
    /// It has another version.
    Version,
}

/// The most extension headers that are walked over.
const EXTENSIONS: usize = 8;

/// Fragments of IPv6 that begin before so many bytes of the packet are no honest sender's: every link carries 1280.
pub const EARLY_FRAGMENTS: usize = 128;

/// Without options.
const TCP_HEADER: usize = 20;

/// Every one of them takes at least so many bytes.
const SHORTEST_EXTENSION: usize = 8;

/// The IP header at `at`.
pub fn read(bytes: Bytes<'_>, at: usize, family: Family) -> Result<Network, NoNetwork> {
    match family {
        Family::V4 => read_v4(bytes, at),
        Family::V6 => read_v6(bytes, at),
    }
}

/// Not with etherparse: it requires all of the options and a correct header length, whatever the protocol is.
fn read_v4(bytes: Bytes<'_>, at: usize) -> Result<Network, NoNetwork> {
    let header = bytes.get(at, 20).ok_or(NoNetwork::Short)?;
    if header[0] >> 4 != 4 {
        return Err(NoNetwork::Version);
    }
    let address =
        |from: usize| Ipv4Addr::new(header[from], header[from + 1], header[from + 2], header[from + 3]);
    let total = u16::from_be_bytes([header[2], header[3]]);
    let flags_and_offset = u16::from_be_bytes([header[6], header[7]]);
    let words = usize::from(header[0] & 0x0f);
    let fragment_offset = flags_and_offset & 0x1fff;
    Ok(Network {
        family: Family::V4,
        source: address(12).into(),
        destination: address(16).into(),
        end: bytes.until((total != 0).then(|| at + usize::from(total))).end,
        upper: Some(Upper {
            protocol: Some(header[9]),
            fragment_offset,
            fragmented: flags_and_offset & 0x2000 != 0 || fragment_offset != 0,
            at: (words >= 5).then_some(at + words * 4),
        }),
    })
}

fn read_v6(bytes: Bytes<'_>, at: usize) -> Result<Network, NoNetwork> {
    let header = bytes.get(at, 40).ok_or(NoNetwork::Short)?;
    // etherparse refuses forty bytes for their version only.
    let header = Ipv6HeaderSlice::from_slice(header).map_err(|_| NoNetwork::Version)?;
    let payload = usize::from(header.payload_length());
    let bytes = bytes.until((payload != 0).then_some(at + 40 + payload));
    Ok(Network {
        family: Family::V6,
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        end: bytes.end,
        upper: walk(bytes, header.next_header(), at + 40),
    })
}

/// Walks the extension headers; none if they hide what is after them.
///
/// Not with etherparse: it requires each header whole, skips others, and has its own order and number of them.
fn walk(bytes: Bytes<'_>, mut next: IpNumber, mut at: usize) -> Option<Upper> {
    let mut fragmentable: Option<usize> = None;
    for _ in 0..EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        // None is shorter, so a packet that ends within these eight ends inside its chain (RFC 7112). The frame may end
        // there: what a capture cut off is not needed for knowing what follows.
        if bytes.end.is_some_and(|end| at + SHORTEST_EXTENSION > end) {
            return None;
        }
        let [following, length] = *bytes.get(at, 2)? else {
            unreachable!("two bytes were requested")
        };
        if next == ip_number::IPV6_FRAG {
            let offset = bytes.number(at + 2)? >> 3;
            if offset != 0 {
                return Some(Upper {
                    protocol: None,
                    fragment_offset: offset,
                    fragmented: true,
                    at: None,
                });
            }
            // A second one is fragmented by the first.
            fragmentable.get_or_insert(at + 8);
        }
        at += match next {
            ip_number::IPV6_FRAG => 8,
            ip_number::AUTH => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        if at > FARTHEST {
            return None;
        }
        next = IpNumber(following);
    }
    // Of a fragmented packet the chain and a TCP header after it have to be where no later fragment that passes begins.
    let is_reachable = fragmentable.is_some_and(|start| at - start + TCP_HEADER > EARLY_FRAGMENTS);
    (!is_extension(next) && !is_reachable).then_some(Upper {
        protocol: Some(next.0),
        fragment_offset: 0,
        fragmented: fragmentable.is_some(),
        at: Some(at),
    })
}

/// The headers that are walked over. etherparse's own list has the two experimental ones as well, and no list of
/// the documents has ESP: nothing after it can be read.
fn is_extension(number: IpNumber) -> bool {
    [
        ip_number::IPV6_HEADER_HOP_BY_HOP,
        ip_number::IPV6_ROUTE_HEADER,
        ip_number::IPV6_FRAGMENTATION_HEADER,
        ip_number::AUTHENTICATION_HEADER,
        ip_number::IPV6_DESTINATION_OPTIONS,
        ip_number::MOBILITY_HEADER,
        ip_number::HIP,
        ip_number::SHIM6,
    ]
    .contains(&number)
}
