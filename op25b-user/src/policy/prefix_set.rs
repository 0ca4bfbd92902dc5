//! Sets of addresses: which prefixes make up the addresses of some and not of others.
//!
//! A set is a sorted list of ranges, so that a million prefixes take one sort, and each operation one walk. The prefixes of a
//! range come from ipnet.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

/// A range of addresses of one family, as numbers: the first and the last one.
type Range = (u128, u128);

/// Addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixSet {
    v4: Ranges,
    v6: Ranges,
}

/// Addresses of one family: ranges in ascending order, of which no two touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range>);

impl FromIterator<IpNet> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match net {
                IpNet::V4(_) => v4.push(range(net)),
                IpNet::V6(_) => v6.push(range(net)),
            }
        }
        Self {
            v4: Ranges::union(v4),
            v6: Ranges::union(v6),
        }
    }
}

impl PrefixSet {
    /// For each list the addresses whose longest prefix is in it. No two lists have the same prefix.
    pub(crate) fn by_longest_prefix<'n>(lists: impl ExactSizeIterator<Item = &'n [IpNet]>) -> Vec<Self> {
        let mut sets = vec![Self::default(); lists.len()];
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (owner, nets) in lists.enumerate() {
            for net in nets {
                match net {
                    IpNet::V4(_) => v4.push((range(*net), owner)),
                    IpNet::V6(_) => v6.push((range(*net), owner)),
                }
            }
        }
        innermost(v4, |owner, range| sets[owner].v4.append(range));
        innermost(v6, |owner, range| sets[owner].v6.append(range));
        sets
    }

    /// The addresses of both sets.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.intersection(&other.v4),
            v6: self.v6.intersection(&other.v6),
        }
    }

    /// The addresses of this set that are not in the other one.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.difference(&other.v4),
            v6: self.v6.difference(&other.v6),
        }
    }

    /// The fewest prefixes that have these addresses and no others, those of IPv4 first.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let v4 = self.v4.0.iter().flat_map(|(first, last)| {
            Ipv4Subnets::new(v4_address(*first), v4_address(*last), 0).map(IpNet::from)
        });
        let v6 = self.v6.0.iter().flat_map(|(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from(*first), Ipv6Addr::from(*last), 0).map(IpNet::from)
        });
        v4.chain(v6)
    }

    /// The IPv4 addresses.
    pub(crate) fn v4(&self) -> &Ranges {
        &self.v4
    }

    /// The IPv6 addresses.
    pub(crate) fn v6(&self) -> &Ranges {
        &self.v6
    }
}

impl Ranges {
    fn union(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        let mut union = Self(Vec::with_capacity(ranges.len()));
        for range in ranges {
            union.append(range);
        }
        union
    }

    /// Adds a range that begins nowhere before the last one.
    fn append(&mut self, (first, last): Range) {
        match self.0.last_mut() {
            Some(before) if before.1.checked_add(1).is_none_or(|next| first <= next) => {
                before.1 = before.1.max(last);
            }
            _ => self.0.push((first, last)),
        }
    }

    /// The ranges that are not wholly before an address.
    fn not_before(&self, address: u128) -> &[Range] {
        &self.0[self.0.partition_point(|(_, last)| *last < address)..]
    }

    fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        // Each range of the shorter list is looked up in the longer one.
        let (few, many) = if self.0.len() <= other.0.len() {
            (self, other)
        } else {
            (other, self)
        };
        for (first, last) in &few.0 {
            let around = many
                .not_before(*first)
                .iter()
                .take_while(|range| range.0 <= *last);
            both.extend(around.map(|range| (range.0.max(*first), range.1.min(*last))));
        }
        Self(both)
    }

    fn difference(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        for (first, last) in &self.0 {
            // Where what is left of the range begins; none if it goes up to the last address there is.
            let mut left = Some(*first);
            for taken in other
                .not_before(*first)
                .iter()
                .take_while(|range| range.0 <= *last)
            {
                if let Some(first) = left.filter(|first| *first < taken.0) {
                    rest.push((first, taken.0 - 1));
                }
                left = taken.1.checked_add(1);
            }
            rest.extend(left.filter(|first| first <= last).map(|first| (first, *last)));
        }
        Self(rest)
    }

    /// Whether there are no addresses.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many addresses there are. Of all of IPv6, which is one more than the largest number, it is that number.
    pub(crate) fn addresses(&self) -> u128 {
        self.0.iter().fold(0, |sum: u128, (first, last)| {
            sum.saturating_add((last - first).saturating_add(1))
        })
    }

    /// In how many prefixes of a length the addresses are.
    pub(crate) fn prefixes_of_length(&self, length: u8) -> u128 {
        let shift = u32::from(128 - length.min(128));
        let number = |address: u128| address.checked_shr(shift).unwrap_or(0);
        let mut sum = 0;
        let mut counted = None;
        for (first, last) in &self.0 {
            let (first, last) = (number(*first), number(*last));
            sum += last - first + u128::from(counted != Some(first));
            counted = Some(last);
        }
        sum
    }
}

/// Calls `found` with each part of the addresses of nested prefixes and the owner of the innermost one, in ascending order.
fn innermost(mut prefixes: Vec<(Range, usize)>, mut found: impl FnMut(usize, Range)) {
    // What contains another one comes before it.
    prefixes.sort_unstable_by_key(|((first, last), _)| (*first, std::cmp::Reverse(*last)));
    let mut around: Vec<(u128, usize)> = Vec::new();
    // The first address that is not yet assigned; none after the last address there is.
    let mut next = Some(0);
    let mut close = |around: &mut Vec<(u128, usize)>, next: &mut Option<u128>, before: Option<u128>| {
        while let Some((last, owner)) = around.pop_if(|(last, _)| before.is_none_or(|before| *last < before))
        {
            if let Some(first) = next.filter(|first| *first <= last) {
                found(owner, (first, last));
                *next = last.checked_add(1);
            }
        }
        if let (Some((_, owner)), Some(first), Some(before)) = (around.last(), *next, before)
            && first < before
        {
            found(*owner, (first, before - 1));
        }
    };
    for ((first, last), owner) in prefixes {
        close(&mut around, &mut next, Some(first));
        next = Some(first);
        around.push((last, owner));
    }
    close(&mut around, &mut next, None);
}

fn range(net: IpNet) -> Range {
    match net {
        IpNet::V4(net) => (number(net.network()), number(net.broadcast())),
        IpNet::V6(net) => (net.network().into(), net.broadcast().into()),
    }
}

fn number(address: Ipv4Addr) -> u128 {
    u32::from(address).into()
}

fn v4_address(number: u128) -> Ipv4Addr {
    // A range of IPv4 has numbers of 32 bits.
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn set(nets: &[&str]) -> PrefixSet {
        nets.iter().map(|net| net.parse::<IpNet>().unwrap()).collect()
    }

    fn texts(set: &PrefixSet) -> Vec<String> {
        set.prefixes().map(|net| net.to_string()).collect()
    }

    #[test]
    fn what_is_left_of_a_pool_is_the_fewest_prefixes() {
        let pool = set(&["198.51.100.0/24", "198.51.101.0/24", "2001:db8::/32"]);
        let exempt = set(&[
            "198.51.100.8/29",
            "203.0.113.0/24",
            "2001:db8:8000::/33",
            "198.51.100.12/32",
        ]);
        assert_eq!(
            texts(&pool.difference(&exempt)),
            [
                "198.51.100.0/29",
                "198.51.100.16/28",
                "198.51.100.32/27",
                "198.51.100.64/26",
                "198.51.100.128/25",
                "198.51.101.0/24",
                "2001:db8::/33",
            ]
        );
        assert_eq!(
            texts(&pool.intersection(&exempt)),
            ["198.51.100.8/29", "2001:db8:8000::/33"]
        );
        assert_eq!(texts(&pool), ["198.51.100.0/23", "2001:db8::/32"]);
    }

    #[test]
    fn the_ends_of_the_address_space_are_addresses_as_others() {
        let all = set(&["0.0.0.0/0", "::/0"]);
        assert_eq!(texts(&all), ["0.0.0.0/0", "::/0"]);
        let half = set(&["128.0.0.0/1", "8000::/1"]);
        assert_eq!(texts(&all.difference(&half)), ["0.0.0.0/1", "::/1"]);
        assert_eq!(texts(&half.difference(&all)), [""; 0]);
        assert_eq!(
            texts(&set(&["255.255.255.255/32", "ffff::/16"])),
            ["255.255.255.255/32", "ffff::/16"]
        );
        assert_eq!((all.v4().addresses(), all.v6().addresses()), (1 << 32, u128::MAX));
    }

    #[test]
    fn of_nested_prefixes_the_longest_one_has_an_address() {
        let nets = |texts: &[&str]| {
            texts
                .iter()
                .map(|net| net.parse().unwrap())
                .collect::<Vec<IpNet>>()
        };
        let (outer, inner) = (nets(&["0.0.0.0/0", "10.0.1.0/24"]), nets(&["10.0.0.0/8"]));
        let sets = PrefixSet::by_longest_prefix([&outer[..], &inner].into_iter());
        assert_eq!(sets[1].v4().addresses(), (1 << 24) - 256);
        assert_eq!(sets[0].v4().addresses(), (1 << 32) - (1 << 24) + 256);
        assert_eq!(sets[0].difference(&sets[1]), sets[0]);
    }

    #[test]
    fn prefixes_of_a_length_are_counted_once() {
        let set = set(&["2001:db8::/63", "2001:db8:0:2::1/128", "2001:db8:0:2::3/128"]);
        assert_eq!(set.v6().prefixes_of_length(64), 3);
        assert_eq!(set.v6().prefixes_of_length(48), 1);
    }

    /// Prefixes in a space of 256 addresses at its end, so that each address can be asked.
    fn nets() -> impl Strategy<Value = Vec<IpNet>> {
        let v4 =
            (any::<u8>(), 24..=32u8).prop_map(|(host, length)| (u32::MAX - 255 + u32::from(host), length));
        let v4 = v4.prop_map(|(address, length)| {
            IpNet::new(Ipv4Addr::from(address).into(), length)
                .unwrap()
                .trunc()
        });
        let v6 = (any::<u8>(), 120..=128u8)
            .prop_map(|(host, length)| (u128::MAX - 255 + u128::from(host), length));
        let v6 = v6.prop_map(|(address, length)| {
            IpNet::new(Ipv6Addr::from(address).into(), length)
                .unwrap()
                .trunc()
        });
        proptest::collection::vec(prop_oneof![v4, v6], 0..12)
    }

    fn addresses(nets: &[IpNet]) -> HashSet<std::net::IpAddr> {
        let every = |net: &IpNet| -> Vec<std::net::IpAddr> {
            let (first, last) = range(*net);
            (first..=last)
                .map(|address| match net {
                    IpNet::V4(_) => v4_address(address).into(),
                    IpNet::V6(_) => Ipv6Addr::from(address).into(),
                })
                .collect()
        };
        nets.iter().flat_map(every).collect()
    }

    proptest! {
        #[test]
        fn sets_have_the_addresses_that_a_list_of_them_has(one in nets(), other in nets()) {
            let (a, b): (PrefixSet, PrefixSet) = (one.iter().copied().collect(), other.iter().copied().collect());
            let (all_a, all_b) = (addresses(&one), addresses(&other));
            for (set, expected) in [
                (&a, all_a.clone()),
                (&a.difference(&b), &all_a - &all_b),
                (&a.intersection(&b), &all_a & &all_b),
            ] {
                let nets: Vec<IpNet> = set.prefixes().collect();
                prop_assert_eq!(&addresses(&nets), &expected);
                let count = set.v4().addresses() + set.v6().addresses();
                prop_assert_eq!(count, expected.len() as u128);
                // No fewer prefixes have them: ipnet cannot join any.
                let mut fewest = IpNet::aggregate(&nets);
                fewest.sort_unstable();
                let mut sorted = nets;
                sorted.sort_unstable();
                prop_assert_eq!(sorted, fewest);
            }
        }

        #[test]
        fn each_address_is_in_the_set_of_its_longest_prefix(one in nets(), other in nets()) {
            let other: Vec<IpNet> = other.into_iter().filter(|net| !one.contains(net)).collect();
            let sets = PrefixSet::by_longest_prefix([&one[..], &other].into_iter());
            let longest = |address: &std::net::IpAddr| {
                let all = one.iter().map(|net| (net, 0)).chain(other.iter().map(|net| (net, 1)));
                all.filter(|(net, _)| net.contains(address)).max_by_key(|(net, _)| net.prefix_len()).map(|(_, of)| of)
            };
            let all = addresses(&[one.clone(), other.clone()].concat());
            for (index, set) in sets.iter().enumerate() {
                let found = addresses(&set.prefixes().collect::<Vec<_>>());
                let expected: HashSet<_> = all.iter().copied().filter(|address| longest(address) == Some(index)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
