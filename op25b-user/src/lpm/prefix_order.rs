//! Prefixes in an order in which each one comes right before those inside it, so that one pass finds what covers what.

use ipnet::IpNet;

/// A prefix of either family, its address in the leftmost of 128 bits.
///
/// In ascending order, each prefix comes right before those inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bits {
    // Two halves, as a u128 is aligned to 16 bytes and there may be a million prefixes.
    address: [u64; 2],
    length: u8,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressFamily {
    V4,
    V6,
}

impl Bits {
    /// The prefix and its family.
    pub(crate) fn new(net: IpNet) -> (AddressFamily, Self) {
        let length = net.prefix_len();
        match net {
            IpNet::V4(net) => (
                AddressFamily::V4,
                Self::from_parts(u128::from(net.network().to_bits()) << 96, length),
            ),
            IpNet::V6(net) => (
                AddressFamily::V6,
                Self::from_parts(net.network().to_bits(), length),
            ),
        }
    }

    /// The prefix, if it is of that family.
    pub(crate) fn of(family: AddressFamily, net: IpNet) -> Option<Self> {
        let (found, bits) = Self::new(net);
        (found == family).then_some(bits)
    }

    /// The address in network byte order, in the leftmost of 128 bits.
    pub(crate) fn octets(self) -> [u8; 16] {
        self.first().to_be_bytes()
    }

    /// The address of an IPv4 prefix in network byte order.
    pub(crate) fn v4_octets(self) -> [u8; 4] {
        self.v4_range().0.to_be_bytes()
    }

    /// The prefix length.
    pub(crate) fn length(self) -> u8 {
        self.length
    }

    /// The prefix of a length around this one, which is not shorter.
    pub(crate) fn shortened(self, length: u8) -> Self {
        let shorter = Self { length, ..self };
        Self::from_parts(self.first() & shorter.mask(), length)
    }

    /// Whether `other` is inside this prefix or equal to it.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.length <= other.length && (self.first() ^ other.first()) & self.mask() == 0
    }

    /// The first and the last address of an IPv4 prefix.
    pub(crate) fn v4_range(self) -> (u32, u32) {
        ((self.first() >> 96) as u32, (self.last() >> 96) as u32)
    }

    /// The last address of the prefix.
    pub(crate) fn last(self) -> u128 {
        self.first() | !self.mask()
    }

    /// The first address of the prefix.
    pub(crate) fn first(self) -> u128 {
        let [high, low] = self.address;
        (u128::from(high) << 64) | u128::from(low)
    }

    /// The `width` bits after the first `depth`, as a number; bits after the prefix are zero.
    pub(crate) fn part(self, depth: u32, width: u32) -> usize {
        (self.first() << depth >> (128 - width)) as usize
    }

    /// Up to 64 bits after the first `depth`, leftmost in a number, with zeros after them.
    pub(crate) fn bytes(self, depth: u32, bits: u32) -> u64 {
        let value = (self.first() << depth >> 64) as u64;
        value & u64::MAX << (u64::BITS - bits)
    }

    /// How many bits this prefix and one that does not come before it in order have in common.
    pub(crate) fn common(self, other: Self) -> u32 {
        let same = (self.first() ^ other.first()).leading_zeros();
        same.min(u32::from(self.length.min(other.length)))
    }

    fn from_parts(address: u128, length: u8) -> Self {
        let [high, low] = [address >> 64, address & u128::from(u64::MAX)];
        #[expect(clippy::cast_possible_truncation, reason = "each is a half of 128 bits")]
        Self {
            address: [high as u64, low as u64],
            length,
        }
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0)
    }
}

/// The stack of prefixes that cover the current one during a walk through a sorted list, each with a value.
///
/// It is at most 129 deep, so a walk takes linear time.
#[derive(Debug)]
pub(crate) struct Covering<T>(Vec<(Bits, T)>);

impl<T> Covering<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Moves to a prefix; returns the value of the longest prefix on the stack that covers it.
    pub(crate) fn enter(&mut self, bits: Bits) -> Option<&T> {
        while self.0.pop_if(|(outer, _)| !outer.covers(bits)).is_some() {}
        self.0.last().map(|(_, value)| value)
    }

    /// Pushes the current prefix, for those inside it.
    pub(crate) fn push(&mut self, bits: Bits, value: T) {
        self.0.push((bits, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Bits {
        Bits::new(text.parse().unwrap()).1
    }

    #[test]
    fn a_prefix_covers_what_lies_in_it() {
        for (outer, inner, covers) in [
            ("198.51.100.0/22", "198.51.100.0/24", true),
            ("198.51.100.0/22", "198.51.100.0/22", true),
            ("198.51.100.0/24", "198.51.100.0/22", false),
            ("198.51.100.0/24", "198.51.101.0/24", false),
            ("0.0.0.0/0", "255.255.255.255/32", true),
            ("::/0", "::/0", true),
            ("2001:db8::1/128", "2001:db8::1/128", true),
            ("2001:db8::/127", "2001:db8::1/128", true),
            ("2001:db8::/127", "2001:db8::2/128", false),
        ] {
            assert_eq!(bits(outer).covers(bits(inner)), covers, "{outer} {inner}");
        }
    }

    #[test]
    fn walking_a_sorted_list_meets_the_covering_prefixes() {
        let mut covering = Covering::new();
        let list = [
            "10.0.0.0/8",
            "10.0.0.0/9",
            "10.1.0.0/16",
            "10.200.0.0/16",
            "11.0.0.0/8",
        ];
        let mut parents = Vec::new();
        for text in list {
            parents.push(covering.enter(bits(text)).copied());
            covering.push(bits(text), text);
        }
        assert_eq!(parents, [None, Some(list[0]), Some(list[1]), Some(list[0]), None]);
        assert!(list.is_sorted_by_key(|text| bits(text)));
    }
}
