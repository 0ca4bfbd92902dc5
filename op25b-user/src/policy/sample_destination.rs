//! Finds a sample destination: an address that stands for all those that no rule names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::model::Policy;

/// An address of the source's family that is in no relay, no phase and no destination of the policy, and for which `is_named` is
/// false. `None` if there is no such address.
pub fn sample_destination(
    policy: &Policy,
    source: IpAddr,
    is_named: impl Fn(&IpAddr) -> bool,
) -> Option<IpAddr> {
    let in_policy = |address: &IpAddr| {
        let relays = policy.relays.iter().flat_map(|relay| &relay.prefixes);
        let relays = relays.map(|prefix| prefix.net);
        let destinations = policy
            .exemptions
            .iter()
            .flat_map(|exemption| exemption.terms.destinations.iter().copied());
        let phases = policy.pools.iter().flat_map(|pool| &pool.phases);
        let phases = phases.flat_map(|phase| phase.only_to.iter().map(|prefix| prefix.net));
        relays
            .chain(destinations)
            .chain(phases)
            .flat_map(|net| policy.nat64.with_translated(net))
            .any(|net| net.contains(address))
    };
    sample_destinations(source).find(|address| !in_policy(address) && !is_named(address))
}

/// Addresses of the source's family in documentation prefixes (RFC 5737, RFC 9637), which no server has.
pub(crate) fn sample_destinations(source: IpAddr) -> impl Iterator<Item = IpAddr> {
    (1..=254).map(move |last: u8| match source {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::new(203, 0, 113, last)),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::new(0x3fff, u16::from(last), 0, 0, 0, 0, 0, 0x25)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn an_unnamed_destination_is_in_no_relay_and_no_exemption() {
        let text = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                    pools: [{ name: p, prefixes: [198.51.100.0/24, 2001:db8::/32] }]\n\
                    relays: [{ name: r, prefixes: [203.0.113.0/30, '3fff:1::/32'] }]\n\
                    exemptions: [{ customer: C, prefixes: [198.51.100.8/29], destinations: [203.0.113.4/31] }]\n";
        let policy = parse("p.yaml", text).unwrap().policy;
        let v4 = sample_destination(&policy, Ipv4Addr::LOCALHOST.into(), |_| false).unwrap();
        assert_eq!(v4, IpAddr::from([203, 0, 113, 6]));
        let next = sample_destination(&policy, Ipv4Addr::LOCALHOST.into(), |address| *address == v4).unwrap();
        assert_eq!(next, IpAddr::from([203, 0, 113, 7]));
        let v6 = sample_destination(&policy, Ipv6Addr::LOCALHOST.into(), |_| false).unwrap();
        assert_eq!(v6.to_string(), "3fff:2::25");
    }

    #[test]
    fn a_policy_that_names_every_destination_has_no_other() {
        let text = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                    pools: [{ name: p, prefixes: [198.51.100.0/24] }]\n\
                    relays: [{ name: r, prefixes: [203.0.113.0/24] }]\n";
        let policy = parse("p.yaml", text).unwrap().policy;
        assert_eq!(
            sample_destination(&policy, Ipv4Addr::LOCALHOST.into(), |_| false),
            None
        );
    }
}
