//! A flow, and the rule of a policy that decides about it.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::{
    nat64::Nat64,
    policy::Policy,
    position::{List, Position, Prefix},
};

/// A connection that is being opened, by a TCP SYN whose ports can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The subscriber.
    pub source: IpAddr,
    /// The server.
    pub destination: IpAddr,
    /// The server's port.
    pub destination_port: u16,
}

/// A rule of the policy, by its index in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// One of `pools`.
    Pool(usize),
    /// One of `relays`.
    Relay(usize),
    /// One of `exemptions`.
    Exemption(usize),
}

/// A description of a rule. Displays as `pool residential (198.51.100.0/22), line 12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDescription<'p> {
    /// `pool`, `relay` or `exemption`.
    pub kind: &'static str,
    /// The pool's or relay's name, or the exemption's customer.
    pub name: &'p str,
    /// The longest of the rule's prefixes that matches the flow.
    pub prefix: Option<IpNet>,
    /// The position of that prefix, or of the rule if there is none; `None` for an exemption of the store.
    pub at: Option<Position>,
    /// The list in which that position is; `None` if it is in the policy file.
    pub list: Option<&'p List>,
}

impl fmt::Display for RuleDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        if let Some(prefix) = self.prefix {
            write!(f, " ({prefix})")?;
        }
        match (self.at, self.list) {
            (Some(at), Some(list)) => write!(f, ", {}:{}", list.name, at.line),
            (Some(at), None) => write!(f, ", line {}", at.line),
            (None, _) => Ok(()),
        }
    }
}

impl Rule {
    /// Describes the rule; `None` if the policy has no such item.
    #[must_use]
    pub fn describe<'p>(self, policy: &'p Policy, flow: &Flow) -> Option<RuleDescription<'p>> {
        let described = match self {
            Self::Pool(index) => {
                let pool = policy.pools.get(index)?;
                described(
                    "pool",
                    &pool.name,
                    &pool.prefixes,
                    &Nat64::default(),
                    flow.source,
                    pool.at,
                )
            }
            Self::Relay(index) => {
                let relay = policy.relays.get(index)?;
                let prefixes = &relay.prefixes;
                described(
                    "relay",
                    &relay.name,
                    prefixes,
                    &policy.nat64,
                    flow.destination,
                    relay.at,
                )
            }
            Self::Exemption(index) => {
                let exemption = policy.exemptions.get(index)?;
                let prefix = longest(
                    exemption.terms.prefixes.iter().copied(),
                    &Nat64::default(),
                    flow.source,
                );
                let positions = exemption.positions();
                RuleDescription {
                    kind: "exemption",
                    name: &exemption.terms.customer,
                    prefix: prefix.map(|(_, net)| net),
                    at: positions.map(|positions| match prefix {
                        Some((index, _)) => positions.prefix(index),
                        None => positions.exemption(),
                    }),
                    list: None,
                }
            }
        };
        Some(RuleDescription {
            list: described.at.and_then(|at| at.list(&policy.lists)),
            ..described
        })
    }
}

/// Describes a rule of the policy file.
fn described<'p>(
    kind: &'static str,
    name: &'p str,
    prefixes: &[Prefix],
    nat64: &Nat64,
    address: IpAddr,
    at: Position,
) -> RuleDescription<'p> {
    let prefix = longest(prefixes.iter().map(|prefix| prefix.net), nat64, address);
    RuleDescription {
        kind,
        name,
        prefix: prefix.map(|(_, net)| net),
        at: Some(prefix.map_or(at, |(index, _)| prefixes[index].at)),
        list: None,
    }
}

/// The longest of the prefixes that contain an address, themselves or translated, with its index.
fn longest(prefixes: impl Iterator<Item = IpNet>, nat64: &Nat64, address: IpAddr) -> Option<(usize, IpNet)> {
    let translated = prefixes.enumerate().flat_map(|(index, net)| {
        let here = nat64.with_translated(net);
        here.map(move |translated| (translated, index, net))
    });
    translated
        .filter(|(translated, ..)| translated.contains(&address))
        .max_by_key(|(translated, ..)| translated.prefix_len())
        .map(|(_, index, net)| (index, net))
}
