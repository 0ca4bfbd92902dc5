//! Finds the pool of an address in the description of the loaded policy.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::datapath::Description;

/// The pools' names by prefix.
pub(super) struct Pools<'a> {
    names: HashMap<IpNet, &'a str>,
    /// The lengths of their prefixes.
    v4: BTreeSet<u8>,
    v6: BTreeSet<u8>,
}

impl<'a> Pools<'a> {
    pub(super) fn new(description: &'a Description) -> Self {
        let pools = description.pools.iter().zip(&description.pool_prefixes);
        let names: HashMap<_, _> = pools
            .flat_map(|(pool, prefixes)| prefixes.iter().map(move |prefix| (*prefix, pool.name.as_str())))
            .collect();
        let lengths = |is_v4| {
            let prefixes = names.keys();
            let prefixes = prefixes.filter(move |net| net.addr().is_ipv4() == is_v4);
            prefixes.map(IpNet::prefix_len).collect()
        };
        let (v4, v6) = (lengths(true), lengths(false));
        Self { names, v4, v6 }
    }

    /// The pool with the longest prefix around an address.
    pub(super) fn of(&self, address: IpAddr) -> Option<&'a str> {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        lengths.iter().rev().find_map(|length| {
            let net = IpNet::new(address, *length).ok()?.trunc();
            self.names.get(&net).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::PoolSummary;

    #[test]
    fn the_longest_prefix_decides_which_pool_it_is() {
        let pool = |name: &str| PoolSummary {
            name: name.into(),
            mode: "enforce".into(),
            prefixes: 1,
            remembered: true,
            enforce_from: None,
            phases: Vec::new(),
        };
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().unwrap()).collect();
        let description = Description {
            pools: vec![pool("outer"), pool("inner")],
            pool_prefixes: vec![
                nets(&["198.51.100.0/22", "2001:db8::/32"]),
                nets(&["198.51.101.0/24", "2001:db8:5::/48"]),
            ],
            ..Description::new("policy.yaml")
        };
        let pools = Pools::new(&description);
        for (address, name) in [
            ("198.51.100.1", Some("outer")),
            ("198.51.101.1", Some("inner")),
            ("198.51.104.0", None),
            ("2001:db8:5::", Some("inner")),
            ("2001:db8:6::", Some("outer")),
            ("2001:db9::", None),
        ] {
            assert_eq!(pools.of(address.parse().unwrap()), name, "{address}");
        }
    }
}
