//! What should happen to a connection: the verdict table, written as plainly as can be.
//!
//! This is the model that the program in the kernel is compared with. So it shares nothing with [`super::compile`]:
//! it looks through the policy's lists one by one.

use std::{cmp::Reverse, fmt, net::IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{Reason, Verdict};

use super::{Action, Exemption, Handling, Policy, PoolMode, Position, Prefix};

/// A connection that is being opened: a whole TCP SYN that can be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The subscriber.
    pub source: IpAddr,
    /// The server.
    pub destination: IpAddr,
    /// The server's port.
    pub destination_port: u16,
}

/// What happens to a connection, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What happens.
    pub verdict: Verdict,
    /// The row of the verdict table.
    pub reason: Reason,
    /// The rule that decided, if the row has one.
    pub rule: Option<Rule>,
}

/// An item of the policy, by its index in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// One of `pools`.
    Pool(usize),
    /// One of `relays`.
    Relay(usize),
    /// One of `exemptions`.
    Exemption(usize),
}

/// A rule for people. Displays as `pool residential (198.51.100.0/22), line 12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDescription<'p> {
    /// `pool`, `relay` or `exemption`.
    pub kind: &'static str,
    /// The pool's or relay's name, or the exemption's customer.
    pub name: &'p str,
    /// The longest of the rule's prefixes that the flow is in.
    pub prefix: Option<IpNet>,
    /// Where the file says so: that prefix, or else the rule.
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
    /// The rule in words; nothing if the policy has no such item.
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
        let prefix = longest(prefixes, address);
        let at = prefix.map_or(at, |prefix| prefix.at);
        Some(RuleDescription {
            kind,
            name,
            prefix: prefix.map(|prefix| prefix.net),
            at,
        })
    }
}

/// Judges a connection at an instant.
#[must_use]
pub fn judge(policy: &Policy, flow: &Flow, now: Timestamp) -> Judgement {
    if !policy.block.ports.contains(&flow.destination_port) {
        return Judgement {
            verdict: Verdict::Pass,
            reason: Reason::OtherPort,
            rule: None,
        };
    }
    let pool = pool_of(policy, flow.source);
    let exemption = exemption_of(policy, flow, now);
    if pool.is_none() && exemption.is_none() {
        let verdict = match policy.block.unlisted {
            Handling::Pass => Verdict::Pass,
            Handling::Drop => Verdict::Drop,
        };
        return Judgement {
            verdict,
            reason: Reason::NotPooled,
            rule: None,
        };
    }
    if let Some(relay) = relay_of(policy, flow.destination) {
        return Judgement {
            verdict: Verdict::Pass,
            reason: Reason::Relay,
            rule: Some(Rule::Relay(relay)),
        };
    }
    if let Some(exemption) = exemption {
        let rule = Some(Rule::Exemption(exemption));
        return Judgement {
            verdict: Verdict::Pass,
            reason: Reason::Exempt,
            rule,
        };
    }
    let rule = pool.map(Rule::Pool);
    if pool.is_some_and(|index| is_only_watched(policy, index, now)) {
        return Judgement {
            verdict: Verdict::Pass,
            reason: Reason::Monitored,
            rule,
        };
    }
    let is_answered = match policy.block.action {
        Action::Drop => false,
        Action::Reset => are_hosts(flow),
        Action::Prohibit => are_hosts(flow) && has_router(policy, flow),
    };
    Judgement {
        verdict: if is_answered {
            Verdict::Reject
        } else {
            Verdict::Drop
        },
        reason: Reason::Blocked,
        rule,
    }
}

/// Whether both ends can be single hosts: nobody else is told anything (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4).
fn are_hosts(flow: &Flow) -> bool {
    let is_host = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[0] != 0 && address.octets()[0] < 224,
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    };
    is_host(flow.source) && is_host(flow.destination) && !flow.source.is_loopback()
}

fn has_router(policy: &Policy, flow: &Flow) -> bool {
    policy.block.prohibit.is_some_and(|prohibit| match flow.source {
        IpAddr::V4(_) => prohibit.router_v4.is_some(),
        IpAddr::V6(_) => prohibit.router_v6.is_some(),
    })
}

/// The pool with the longest prefix that the source is in.
fn pool_of(policy: &Policy, source: IpAddr) -> Option<usize> {
    with_longest(policy.pools.iter().map(|pool| &pool.prefixes[..]), source)
}

/// The relay with the longest prefix that the destination is in.
fn relay_of(policy: &Policy, destination: IpAddr) -> Option<usize> {
    with_longest(policy.relays.iter().map(|relay| &relay.prefixes[..]), destination)
}

/// The exemption that lets the connection through. Of several it is one without destinations if there is one, then the
/// one that lasts longest, then the first in the file.
fn exemption_of(policy: &Policy, flow: &Flow, now: Timestamp) -> Option<usize> {
    let grants = |exemption: &Exemption| {
        exemption.holds_at(now)
            && longest(&exemption.prefixes, flow.source).is_some()
            && (exemption.destinations.is_empty()
                || longest(&exemption.destinations, flow.destination).is_some())
    };
    let granting = policy
        .exemptions
        .iter()
        .enumerate()
        .filter(|(_, exemption)| grants(exemption));
    granting
        .min_by_key(|(index, exemption)| {
            (
                !exemption.destinations.is_empty(),
                Reverse(exemption.until()),
                *index,
            )
        })
        .map(|(index, _)| index)
}

fn is_only_watched(policy: &Policy, pool: usize, now: Timestamp) -> bool {
    let pool = &policy.pools[pool];
    pool.mode == PoolMode::Monitor || pool.enforce_from.is_some_and(|from| now < from)
}

/// The item with the longest prefix that holds the address.
fn with_longest<'p>(items: impl Iterator<Item = &'p [Prefix]>, address: IpAddr) -> Option<usize> {
    let lengths = items.map(|prefixes| longest(prefixes, address).map(|prefix| prefix.net.prefix_len()));
    lengths
        .enumerate()
        .filter(|(_, length)| length.is_some())
        .max_by_key(|(_, length)| *length)
        .map(|(index, _)| index)
}

fn longest(prefixes: &[Prefix], address: IpAddr) -> Option<Prefix> {
    prefixes
        .iter()
        .copied()
        .filter(|prefix| prefix.net.contains(&address))
        .max_by_key(|prefix| prefix.net.prefix_len())
}
