//! A flow, and the rule of a policy that decides about it.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::{
    policy::Policy,
    position::{Position, Prefix},
};

/// A connection that is being opened, by a TCP SYN that can be inspected.
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
    /// The position in the file of that prefix, or of the rule if there is none.
    pub at: Position,
}

impl fmt::Display for RuleDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        if let Some(prefix) = self.prefix {
            write!(f, " ({prefix})")?;
        }
        write!(f, ", line {}", self.at.line)
    }
}

impl Rule {
    /// Describes the rule; `None` if the policy has no such item.
    #[must_use]
    pub fn describe<'p>(self, policy: &'p Policy, flow: &Flow) -> Option<RuleDescription<'p>> {
        let (kind, name, prefixes, address, at): (_, &str, &[Prefix], _, _) = match self {
            Self::Pool(index) => {
                let pool = policy.pools.get(index)?;
                ("pool", &pool.name, &pool.prefixes, flow.source, pool.at)
            }
            Self::Relay(index) => {
                let relay = policy.relays.get(index)?;
                ("relay", &relay.name, &relay.prefixes, flow.destination, relay.at)
            }
            Self::Exemption(index) => {
                let exemption = policy.exemptions.get(index)?;
                (
                    "exemption",
                    &exemption.customer,
                    &exemption.prefixes,
                    flow.source,
                    exemption.at,
                )
            }
        };
        let prefix = Prefix::longest(prefixes, address);
        let at = prefix.map_or(at, |prefix| prefix.at);
        Some(RuleDescription {
            kind,
            name,
            prefix: prefix.map(|prefix| prefix.net),
            at,
        })
    }
}
