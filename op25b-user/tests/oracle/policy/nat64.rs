//! IPv4 addresses in IPv6 ones, by the table in RFC 6052, section 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which octets hold the IPv4 address, for a prefix of this length.
fn places(length: u8) -> [usize; 4] {
    match length {
        32 => [4, 5, 6, 7],
        40 => [5, 6, 7, 9],
        48 => [6, 7, 9, 10],
        56 => [7, 9, 10, 11],
        64 => [9, 10, 11, 12],
        96 => [12, 13, 14, 15],
        other => panic!("/{other} is no NAT64 prefix"),
    }
}

/// The octet that is reserved.
const RESERVED: usize = 8;

/// An IPv4 address under a NAT64 prefix.
pub fn embed(nat64: Ipv6Net, address: Ipv4Addr) -> Ipv6Addr {
    let mut octets = nat64.addr().octets();
    for (place, octet) in places(nat64.prefix_len()).into_iter().zip(address.octets()) {
        octets[place] = octet;
    }
    octets.into()
}

/// How many bits of an address a prefix determines under a NAT64 prefix; none if the address is not in it.
pub fn length(nat64: Ipv6Net, prefix: &IpNet, address: IpAddr) -> Option<u8> {
    let (IpNet::V4(prefix), IpAddr::V6(address)) = (prefix, address) else {
        return None;
    };
    let octets = address.octets();
    let inner = places(nat64.prefix_len()).map(|place| octets[place]);
    if !nat64.contains(&address) || !prefix.contains(&Ipv4Addr::from(inner)) {
        return None;
    }
    let ends = nat64.prefix_len() + prefix.prefix_len();
    // A prefix that ends before the reserved octet leaves it open.
    if nat64.prefix_len() > 64 || ends < 64 {
        Some(ends)
    } else {
        (octets[RESERVED] == 0).then_some(ends + 8)
    }
}

/// The addresses around which translation may go wrong.
pub fn neighbours(nat64: Ipv6Net, net: Ipv4Net) -> Vec<Ipv6Addr> {
    let ends = [net.network(), net.broadcast()].map(u32::from);
    let around = [ends[0], ends[1], ends[0].wrapping_sub(1), ends[1].wrapping_add(1)];
    let mut addresses: Vec<_> = around
        .into_iter()
        .map(|address| embed(nat64, address.into()))
        .collect();
    // One with a suffix, and one whose reserved octet is not zero.
    for (place, octet) in [(15, 1), (RESERVED, 1)] {
        let mut octets = addresses[0].octets();
        octets[place] ^= octet;
        addresses.push(octets.into());
    }
    addresses
}
