//! The TCP segment in a frame.

use std::net::IpAddr;

use etherparse::ip_number;

use super::{
    bytes::{Bytes, FARTHEST},
    link::{self, Content, Family, Link},
    network::{self, Network, Upper},
    tunnel,
};
use crate::{
    policy::Policy,
    verdict::{Reason, Role},
};

/// The addresses that the policy applies to.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The sources of the outer packets of tunnels, where they are asked beside the inner one: the outermost first.
    pub outer: [Option<IpAddr>; 2],
}

impl Addresses {
    pub fn of(network: &Network) -> Self {
        Self {
            source: network.source,
            destination: network.destination,
            outer: [None; 2],
        }
    }
}

/// A segment whose ports are known.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub addresses: Addresses,
    pub source_port: u16,
    pub destination_port: u16,
    /// The byte with SYN, ACK and the like; none if it cannot be read.
    pub flags: Option<u8>,
    /// Where the TCP header begins.
    pub at: usize,
    /// The first byte after its IP packet.
    pub end: Option<usize>,
    pub fragmented: bool,
    pub tunnelled: bool,
    pub link: Link,
}

/// What became of the reading.
#[derive(Debug)]
pub enum Reading {
    /// There is no segment, and the policy is not applied.
    Ended(Reason),
    /// There is one and its ports cannot be read.
    Hidden(Addresses),
    /// Likewise, and the source is not in this fragment.
    Unaddressed,
    Known(Segment),
}

/// Reads a frame. A program for uplinks reads no tunnels.
pub fn read(policy: &Policy, role: Role, frame: &[u8]) -> Reading {
    let link = match link::read(&policy.block, policy.skips_labels(), frame) {
        Content::Ip(link) => link,
        // No equipment sends that; the Internet's side is not filtered for it.
        Content::TooDeep if role == Role::Subscriber => return Reading::Unaddressed,
        Content::TooDeep | Content::NotIp => return Reading::Ended(Reason::NotIp),
    };
    let bytes = Bytes::of(frame);
    let Ok(outer) = network::read(bytes, link.network, link.family) else {
        return Reading::Ended(Reason::NotIp);
    };
    let addresses = Addresses::of(&outer);
    let Some(upper) = outer.upper else {
        return Reading::Hidden(addresses);
    };
    let kinds = tunnel::kinds(policy, outer.family, upper.protocol);
    if role == Role::Subscriber && !kinds.is_empty() {
        tunnel::read(
            policy,
            bytes,
            link,
            &outer,
            upper,
            tunnel::Way::new(&kinds, addresses),
        )
    } else {
        tcp(bytes, link, &outer, upper, addresses)
    }
}

/// Reads the TCP header of a packet.
pub(super) fn tcp(
    bytes: Bytes<'_>,
    link: Link,
    network: &Network,
    upper: Upper,
    addresses: Addresses,
) -> Reading {
    // A later IPv6 fragment may be one of TCP.
    if (upper.protocol).is_some_and(|protocol| protocol != ip_number::TCP.0) {
        return Reading::Ended(Reason::NotTcp);
    }
    let early = match network.family {
        // TCP's header starts with the packet, and its flags are in the second eight bytes.
        Family::V4 => 1,
        Family::V6 => network::EARLY_FRAGMENTS / 8 - 1,
    };
    match usize::from(upper.fragment_offset) {
        0 => (),
        offset if offset <= early => return Reading::Hidden(addresses),
        _ => return Reading::Ended(Reason::LaterFragment),
    }
    let bytes = bytes.until(network.end);
    // Not with etherparse: it requires the whole header, of which only the ports have to be there.
    let header = upper
        .at
        .filter(|at| *at <= FARTHEST)
        .and_then(|at| Some((at, bytes.number(at)?, bytes.number(at + 2)?)));
    let Some((at, source_port, destination_port)) = header else {
        return Reading::Hidden(addresses);
    };
    Reading::Known(Segment {
        addresses,
        source_port,
        destination_port,
        flags: bytes.byte(at + 13),
        at,
        end: network.end,
        fragmented: upper.fragmented,
        tunnelled: false,
        link,
    })
}
