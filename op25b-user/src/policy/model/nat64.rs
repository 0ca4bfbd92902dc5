//! NAT64 prefixes: where IPv4 addresses are in IPv6 ones (RFC 6052).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The first bit of the octet that is zero in every translated address (RFC 6052 section 2.2, bits 64 to 71).
const RESERVED: u8 = 64;
/// How many bits it has.
const RESERVED_BITS: u8 = 8;

/// A prefix under which a translator embeds IPv4 addresses: of an allowed length, and without reserved bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nat64Prefix(Ipv6Net);

/// Why a prefix is no NAT64 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNat64 {
    /// Its length is none of [`Nat64Prefix::LENGTHS`].
    Length,
    /// Bits 64 to 71 are not zero.
    ReservedBits,
}

impl Nat64Prefix {
    /// The allowed lengths.
    pub const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

    /// The prefix, which has no host bits.
    pub fn new(net: Ipv6Net) -> Result<Self, NotNat64> {
        if !Self::LENGTHS.contains(&net.prefix_len()) {
            return Err(NotNat64::Length);
        }
        if reserved_octet(net.addr()) != 0 {
            return Err(NotNat64::ReservedBits);
        }
        Ok(Self(net))
    }

    /// The prefix itself.
    #[must_use]
    pub const fn net(self) -> Ipv6Net {
        self.0
    }

    /// The IPv6 prefix of all translated addresses whose IPv4 address is in this prefix.
    ///
    /// The suffix after the IPv4 address is not compared: translators ignore it. Neither is the reserved octet if the prefix
    /// ends before it.
    #[must_use]
    pub fn embed(self, net: Ipv4Net) -> Ipv6Net {
        let length = self.0.prefix_len();
        let address = self.0.addr().to_bits() | embedded(length, net.addr());
        let end = length + net.prefix_len();
        let end = if self.straddles() && end >= RESERVED {
            end + RESERVED_BITS
        } else {
            end
        };
        Ipv6Net::new(Ipv6Addr::from_bits(address), end).map_or(self.0, |net| net.trunc())
    }

    /// The IPv4 address in a translated address.
    #[must_use]
    pub fn extract(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.0.contains(&address) || reserved_octet(address) != 0 {
            return None;
        }
        let bits = address.to_bits();
        let length = self.0.prefix_len();
        // Without the reserved octet, the address is in one piece.
        let bits = if self.straddles() {
            let before = bits >> RESERVED << RESERVED;
            before | (bits << RESERVED_BITS & u128::from(u64::MAX))
        } else {
            bits
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the other bits are the prefix and the suffix"
        )]
        let address = (bits >> (96 - length)) as u32;
        Some(Ipv4Addr::from_bits(address))
    }

    /// Whether the reserved octet is in the IPv4 address or just before it, rather than in the prefix.
    const fn straddles(self) -> bool {
        self.0.prefix_len() <= RESERVED
    }
}

/// An IPv4 address as it is embedded after so many bits.
fn embedded(length: u8, address: Ipv4Addr) -> u128 {
    let bits = u128::from(address.to_bits()) << 96 >> length;
    if length > RESERVED {
        return bits;
    }
    // What is at the reserved octet or after it moves behind it.
    let before = bits >> RESERVED << RESERVED;
    before | (bits & u128::from(u64::MAX)) >> RESERVED_BITS
}

fn reserved_octet(address: Ipv6Addr) -> u8 {
    address.octets()[usize::from(RESERVED / 8)]
}

/// The NAT64 prefixes of a policy; none contains another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nat64(Vec<Nat64Prefix>);

impl Nat64 {
    /// These prefixes, which do not overlap.
    #[must_use]
    pub const fn new(prefixes: Vec<Nat64Prefix>) -> Self {
        Self(prefixes)
    }

    /// The prefixes.
    #[must_use]
    pub fn prefixes(&self) -> &[Nat64Prefix] {
        &self.0
    }

    /// A prefix, and the IPv6 prefixes under which its addresses are translated; only itself if it is IPv6.
    pub fn with_translated(&self, net: IpNet) -> impl Iterator<Item = IpNet> + '_ {
        let translated = match net {
            IpNet::V4(net) => Some(self.0.iter().map(move |prefix| prefix.embed(net).into())),
            IpNet::V6(_) => None,
        };
        std::iter::once(net).chain(translated.into_iter().flatten())
    }

    /// The IPv4 address that an address is translated to.
    #[must_use]
    pub fn extract(&self, address: IpAddr) -> Option<Ipv4Addr> {
        match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => self.0.iter().find_map(|prefix| prefix.extract(address)),
        }
    }

    /// The address under which a source reaches a destination: under the first prefix if only the destination is IPv4.
    #[must_use]
    pub fn reached_from(&self, source: IpAddr, destination: IpAddr) -> IpAddr {
        match (source, destination, self.0.first()) {
            (IpAddr::V6(_), IpAddr::V4(destination), Some(prefix)) => {
                prefix.embed(destination.into()).addr().into()
            }
            _ => destination,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6052 section 2.4, tables 1 and 2: a prefix, 192.0.2.33 under it, and the length of its part without the suffix.
    const EXAMPLES: [(&str, &str, u8); 7] = [
        ("2001:db8::/32", "2001:db8:c000:221::", 72),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::", 80),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::", 88),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", 96),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", 104),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", 128),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33", 128),
    ];

    fn prefix(text: &str) -> Nat64Prefix {
        Nat64Prefix::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn addresses_are_embedded_and_extracted_as_in_the_examples_of_rfc_6052() {
        let address: Ipv4Addr = "192.0.2.33".parse().unwrap();
        for (text, translated, length) in EXAMPLES {
            let translated: Ipv6Addr = translated.parse().unwrap();
            let net = prefix(text).embed(address.into());
            assert_eq!((net.addr(), net.prefix_len()), (translated, length), "{text}");
            assert_eq!(prefix(text).extract(translated), Some(address), "{text}");
        }
    }

    #[test]
    fn shorter_prefixes_cover_the_translations_of_their_addresses_and_of_no_others() {
        for (text, ..) in EXAMPLES {
            let prefix = prefix(text);
            for length in 0..=32 {
                let net = Ipv4Net::new(Ipv4Addr::new(198, 51, 100, 165), length)
                    .unwrap()
                    .trunc();
                let translated = prefix.embed(net);
                for address in [
                    net.network(),
                    net.broadcast(),
                    Ipv4Addr::from_bits(net.network().to_bits().wrapping_sub(1)),
                    Ipv4Addr::from_bits(net.broadcast().to_bits().wrapping_add(1)),
                    Ipv4Addr::new(198, 51, 100, 165),
                    Ipv4Addr::new(203, 0, 113, 7),
                ] {
                    let one = prefix.embed(address.into());
                    assert_eq!(
                        translated.contains(&one.addr()),
                        net.contains(&address),
                        "{address} and {net} under {text}"
                    );
                    assert_eq!(
                        prefix.extract(one.addr()),
                        Some(address),
                        "{address} under {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_address_with_reserved_bits_or_under_another_prefix_is_no_translation() {
        let prefix = prefix("2001:db8:122::/48");
        assert_eq!(
            prefix.extract("2001:db8:122:c000:102:2100::".parse().unwrap()),
            None
        );
        assert_eq!(
            prefix.extract("2001:db8:123:c000:2:2100::".parse().unwrap()),
            None
        );
        // The suffix is ignored.
        let suffix = "2001:db8:122:c000:2:21ff:ffff:ffff".parse().unwrap();
        assert_eq!(prefix.extract(suffix), Some(Ipv4Addr::new(192, 0, 2, 33)));
    }

    #[test]
    fn only_the_lengths_and_zeros_of_rfc_6052_are_allowed() {
        for length in 0..=128 {
            let net = Ipv6Net::new("2001:db8::".parse().unwrap(), length)
                .unwrap()
                .trunc();
            let is_allowed = [32, 40, 48, 56, 64, 96].contains(&length);
            assert_eq!(Nat64Prefix::new(net).is_ok(), is_allowed, "{net}");
        }
        let reserved = "2001:db8:0:0:100::/96".parse().unwrap();
        assert_eq!(Nat64Prefix::new(reserved), Err(NotNat64::ReservedBits));
        // Bit 72 is none of them.
        assert!(Nat64Prefix::new("2001:db8:0:0:80::/96".parse().unwrap()).is_ok());
    }

    #[test]
    fn an_ipv6_source_reaches_an_ipv4_destination_under_the_first_prefix() {
        let nat64 = Nat64::new(vec![prefix("64:ff9b::/96"), prefix("2001:db8:122::/48")]);
        let [v4, v6, translated]: [IpAddr; 3] =
            ["198.51.100.25", "2001:db8::1", "64:ff9b::c633:6419"].map(|text| text.parse().unwrap());
        assert_eq!(nat64.reached_from(v6, v4), translated);
        assert_eq!(nat64.reached_from(v4, v4), v4);
        assert_eq!(nat64.reached_from(v6, v6), v6);
        assert_eq!(Nat64::default().reached_from(v6, v4), v4);
        assert_eq!(nat64.extract(translated), Some(Ipv4Addr::new(198, 51, 100, 25)));
        assert_eq!(nat64.extract(v6), None);
    }
}
