//! Subscribers as keys of the database: bytes that sort as the prefixes do, IPv4 first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Begins the key of an IPv6 prefix. No IPv4 address of a subscriber begins with this.
const IPV6: u8 = 0xff;
/// How many bytes of an IPv6 address are in a key: a subscriber's prefix is not longer.
const IPV6_BYTES: usize = 8;
const IPV4_KEY: usize = 4;
const IPV6_KEY: usize = 1 + IPV6_BYTES + 1;

/// The key of a subscriber: the four bytes of an IPv4 address; or a byte, the first 64 bits of an IPv6 prefix, and its length.
pub(super) fn of(subscriber: IpNet) -> Vec<u8> {
    match subscriber.network() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => {
            let mut key = Vec::with_capacity(IPV6_KEY);
            key.push(IPV6);
            key.extend_from_slice(&address.octets()[..IPV6_BYTES]);
            key.push(subscriber.prefix_len());
            key
        }
    }
}

/// The subscriber with a key; `None` if it is none.
pub(super) fn subscriber(key: &[u8]) -> Option<IpNet> {
    if let Ok(octets) = <[u8; IPV4_KEY]>::try_from(key) {
        return Some(Ipv4Net::from(Ipv4Addr::from(octets)).into());
    }
    let [kind, first @ .., length] = <[u8; IPV6_KEY]>::try_from(key).ok()?;
    let bits = u128::from(u64::from_be_bytes(first)) << 64;
    let net = Ipv6Net::new(Ipv6Addr::from_bits(bits), length).ok()?;
    (kind == IPV6 && net.trunc() == net).then_some(net.into())
}

/// The first and the last key that a subscriber can have of which an address is in a prefix; others may be between them. No IPv6
/// subscriber's prefix is shorter than `shortest`.
pub(super) fn bounds(net: IpNet, shortest: u8) -> (Vec<u8>, Vec<u8>) {
    match net {
        IpNet::V4(net) => (net.network().octets().to_vec(), net.broadcast().octets().to_vec()),
        IpNet::V6(net) => {
            let begins = Ipv6Net::new(net.network(), shortest.min(net.prefix_len()))
                .map_or_else(|_| Ipv6Net::default(), |net| net.trunc());
            let (mut first, mut last) = (of(begins.into()), of(Ipv6Net::from(net.broadcast()).into()));
            for (key, length) in [(&mut first, u8::MIN), (&mut last, u8::MAX)] {
                key.pop();
                key.push(length);
            }
            (first, last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_one_subscriber_and_keys_sort_as_subscribers_do() {
        let subscribers: [IpNet; 6] = [
            "10.0.0.1/32",
            "100.64.0.9/32",
            "223.255.255.255/32",
            "2001:db8::/56",
            "2001:db8::/64",
            "2001:db8:0:100::/56",
        ]
        .map(|text| text.parse().unwrap());
        let keys = subscribers.map(of);
        assert!(keys.is_sorted() && subscribers.is_sorted());
        assert_eq!(keys.each_ref().map(|key| subscriber(key)), subscribers.map(Some));
        for (net, count) in [
            ("100.64.0.0/10", 1),
            // One that overlaps may begin before.
            ("2001:db8:0:1::/64", 2),
            ("2001:db8::/32", 3),
        ] {
            let (first, last) = bounds(net.parse().unwrap(), 56);
            let within = keys.iter().filter(|key| (&first..=&last).contains(key)).count();
            assert_eq!(within, count, "{net}");
        }
    }

    #[test]
    fn other_bytes_are_no_subscriber() {
        for key in [
            &[][..],
            &[1, 2, 3],
            &[0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 64],
            &[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 129],
            // Bits beyond the length.
            &[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 56],
        ] {
            assert_eq!(subscriber(key), None, "{key:?}");
        }
    }
}
