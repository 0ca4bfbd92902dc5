//! Finds the pools and exemptions around an address, and the prefixes inside another one, without a search through the whole policy.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

/// Items by their prefixes.
pub(crate) struct Index {
    items: HashMap<IpNet, Vec<usize>>,
    /// In ascending order.
    prefixes: Vec<IpNet>,
    /// The lengths of the prefixes of each family.
    v4: BTreeSet<u8>,
    v6: BTreeSet<u8>,
}

impl Index {
    /// An index of prefixes, each with the number of its item, in ascending order of these.
    pub(crate) fn new(prefixes: impl Iterator<Item = (IpNet, usize)>) -> Self {
        let mut items: HashMap<IpNet, Vec<usize>> = HashMap::new();
        for (prefix, item) in prefixes {
            items.entry(prefix).or_default().push(item);
        }
        let mut prefixes: Vec<IpNet> = items.keys().copied().collect();
        prefixes.sort_unstable();
        let lengths = |is_v4| {
            let of_family = prefixes.iter().filter(|net| net.addr().is_ipv4() == is_v4);
            of_family.map(IpNet::prefix_len).collect()
        };
        Self {
            v4: lengths(true),
            v6: lengths(false),
            items,
            prefixes,
        }
    }

    /// The items around an address, each with the prefix: the longest prefixes first, then in the order of the items.
    pub(super) fn around(&self, address: IpAddr) -> Vec<(usize, IpNet)> {
        self.nets_around(address)
            .flat_map(|(net, items)| items.iter().map(move |item| (*item, net)))
            .collect()
    }

    /// The prefixes around an address with their items, the longest prefixes first.
    fn nets_around(&self, address: IpAddr) -> impl Iterator<Item = (IpNet, &[usize])> {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        lengths.iter().rev().filter_map(move |length| {
            let net = IpNet::new(address, *length).ok()?.trunc();
            Some((net, self.items.get(&net)?.as_slice()))
        })
    }

    /// The item with the longest prefix around an address.
    pub(crate) fn longest(&self, address: IpAddr) -> Option<usize> {
        self.nets_around(address)
            .find_map(|(_, items)| items.first().copied())
    }

    /// The first addresses of the prefixes inside another one, at most so many.
    pub(super) fn inside(&self, net: IpNet, most: usize) -> impl Iterator<Item = IpAddr> + '_ {
        let first = self.prefixes.partition_point(|other| *other < net);
        let within = self.prefixes[first..]
            .iter()
            .take_while(move |other| net.contains(&other.addr()));
        within
            .filter(move |other| other.prefix_len() > net.prefix_len())
            .map(IpNet::addr)
            .take(most)
    }
}
