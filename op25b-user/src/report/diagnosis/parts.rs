//! Divides prefixes into parts whose addresses meet the same verdicts: no rule begins or ends inside one.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::types::{Observed, Part, PlaceVerdict, Target};
use crate::api::Explained;

/// Addresses from the first to the last, within which no known rule begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The first address, which is asked about for all of them.
    pub(crate) first: IpAddr,
    last: IpAddr,
}

/// What was found about such addresses.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// The addresses.
    pub(crate) asked: Asked,
    /// The verdict at each place.
    pub(crate) verdicts: Vec<PlaceVerdict>,
}

/// Divides a prefix at the edges of rules, into `most` parts at most. Returns them and whether there were more.
pub(crate) fn divide(prefix: IpNet, rules: impl Iterator<Item = IpNet>, most: usize) -> (Vec<Asked>, bool) {
    let (first, last) = bounds(prefix);
    let mut starts = BTreeSet::from([first]);
    for rule in rules {
        if rule.addr().is_ipv4() != prefix.addr().is_ipv4() {
            continue;
        }
        let (from, to) = bounds(rule);
        let edges = [Some(from), to.checked_add(1)];
        starts.extend(
            edges
                .into_iter()
                .flatten()
                .filter(|edge| (first..=last).contains(edge)),
        );
    }
    let is_cut = starts.len() > most;
    let starts: Vec<u128> = starts.into_iter().take(most).collect();
    let ends = starts.iter().skip(1).map(|next| next - 1);
    // What is left out is in no part.
    let ends = ends.chain((!is_cut).then_some(last));
    let is_v4 = prefix.addr().is_ipv4();
    let parts = starts.iter().zip(ends).map(|(start, end)| Asked {
        first: address(*start, is_v4),
        last: address(end, is_v4),
    });
    (parts.collect(), is_cut)
}

impl Target {
    /// The target with what was found about its parts; parts with the same verdicts become one.
    pub(crate) fn new(prefix: IpNet, observations: Vec<Observation>) -> Self {
        let mut parts: Vec<(Vec<IpNet>, Vec<PlaceVerdict>)> = Vec::new();
        for Observation { asked, verdicts } in observations {
            let prefixes = asked.prefixes();
            match parts.iter_mut().find(|(_, others)| are_alike(others, &verdicts)) {
                Some((all, _)) => all.extend(prefixes),
                None => parts.push((prefixes, verdicts)),
            }
        }
        let parts = parts.into_iter().map(|(prefixes, verdicts)| Part {
            prefixes: IpNet::aggregate(&prefixes),
            verdicts,
        });
        Self {
            prefix,
            parts: parts.collect(),
        }
    }
}

/// Whether the same happens at the same places.
fn are_alike(verdicts: &[PlaceVerdict], others: &[PlaceVerdict]) -> bool {
    let is_alike = |(one, other): (&PlaceVerdict, &PlaceVerdict)| {
        (&one.interface, &one.tunnel) == (&other.interface, &other.tunnel)
            && one.observed.is_alike(&other.observed)
    };
    verdicts.len() == others.len() && verdicts.iter().zip(others).all(is_alike)
}

impl Observed {
    /// Whether the same happens by the same rule, to whichever address and destination.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decided { explained: one }, Self::Decided { explained: other }) => {
                let of = |explained: &Explained| Explained {
                    source: other.source,
                    destination: other.destination,
                    nat64: other.nat64,
                    interfaces: Vec::new(),
                    tunnel: Vec::new(),
                    inner_source: Vec::new(),
                    ..explained.clone()
                };
                of(one) == of(other)
            }
            (one, other) => one == other,
        }
    }
}

impl Asked {
    /// The fewest prefixes that the addresses are.
    fn prefixes(self) -> Vec<IpNet> {
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
            }
            // Both are of one prefix.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
        }
    }
}

/// An address alone, or a prefix.
pub(crate) fn address_or_prefix(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
    }
}

fn bounds(net: IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(number: u128, is_v4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if is_v4 => Ipv4Addr::from(number).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(prefix: &str, rules: &[&str], most: usize) -> (Vec<String>, bool) {
        let rules = rules.iter().map(|rule| rule.parse().unwrap());
        let (parts, is_cut) = divide(prefix.parse().unwrap(), rules, most);
        let text = |part: &Asked| format!("{}-{}", part.first, part.last);
        (parts.iter().map(text).collect(), is_cut)
    }

    #[test]
    fn a_prefix_is_divided_where_a_rule_begins_or_ends_inside_it() {
        let rules = [
            "198.51.100.8/29",
            "198.51.0.0/16",
            "192.0.2.0/24",
            "2001:db8::/32",
        ];
        assert_eq!(
            divided("198.51.100.0/24", &rules, 9),
            (
                vec![
                    "198.51.100.0-198.51.100.7".to_owned(),
                    "198.51.100.8-198.51.100.15".to_owned(),
                    "198.51.100.16-198.51.100.255".to_owned(),
                ],
                false
            )
        );
        assert_eq!(
            divided("198.51.100.10/32", &rules, 9),
            (vec!["198.51.100.10-198.51.100.10".to_owned()], false)
        );
    }

    #[test]
    fn the_last_addresses_of_a_family_have_no_next() {
        assert_eq!(
            divided("255.255.255.0/24", &["255.255.255.128/25"], 9).0,
            ["255.255.255.0-255.255.255.127", "255.255.255.128-255.255.255.255"]
        );
        let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        assert_eq!(
            divided(&format!("{all}/128"), &[&format!("{all}/128")], 9).0,
            [format!("{all}-{all}")]
        );
    }

    #[test]
    fn what_is_left_out_of_very_many_parts_is_in_none() {
        let (parts, is_cut) = divided("198.51.100.0/24", &["198.51.100.8/29", "198.51.100.64/29"], 3);
        assert!(is_cut);
        assert_eq!(parts, ["198.51.100.0-198.51.100.7", "198.51.100.8-198.51.100.15"]);
    }
}
