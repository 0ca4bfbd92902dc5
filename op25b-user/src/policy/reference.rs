//! The reference: what should happen to a connection, by the verdict table in its plainest form.
//!
//! The program in the kernel is compared with it, so it shares no code with the compiler: it searches the policy's lists one
//! by one.

use std::{cmp::Reverse, net::IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{Reason, Verdict};

use super::model::{Action, Exemption, Flow, Handling, Phase, Policy, Pool, PoolMode, Relay, Rule};

/// The verdict that the program is expected to return on a connection, and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The verdict.
    pub verdict: Verdict,
    /// The row of the verdict table.
    pub reason: Reason,
    /// The rule that decided, if the row has one.
    pub rule: Option<Rule>,
}

/// Decides about a flow at an instant.
#[must_use]
pub fn decide(policy: &Policy, flow: &Flow, now: Timestamp) -> Expected {
    if !policy.block.ports.contains(&flow.destination_port) {
        return Expected {
            verdict: Verdict::Pass,
            reason: Reason::OtherPort,
            rule: None,
        };
    }
    let pool = pool_of(policy, flow.source);
    let exemption = exemption_of(policy, flow, now);
    if pool.is_none() && exemption.is_none() {
        let verdict = if is_unlisted_dropped(policy, now) {
            Verdict::Drop
        } else {
            Verdict::Pass
        };
        return Expected {
            verdict,
            reason: Reason::NotPooled,
            rule: None,
        };
    }
    if let Some(relay) = relay_of(policy, flow.destination) {
        return Expected {
            verdict: Verdict::Pass,
            reason: Reason::Relay,
            rule: Some(Rule::Relay(relay)),
        };
    }
    if let Some(exemption) = exemption {
        let rule = Some(Rule::Exemption(exemption));
        return Expected {
            verdict: Verdict::Pass,
            reason: Reason::Exempt,
            rule,
        };
    }
    let rule = pool.map(Rule::Pool);
    if pool.is_some_and(|index| !is_enforced_towards(policy, index, flow.destination, now)) {
        return Expected {
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
    Expected {
        verdict: if is_answered {
            Verdict::Reject
        } else {
            Verdict::Drop
        },
        reason: Reason::Blocked,
        rule,
    }
}

/// Decides about TCP from a subscriber that hides its ports; without a source, about a packet that hides its addresses, too.
#[must_use]
pub fn decide_hidden(policy: &Policy, source: Option<IpAddr>, now: Timestamp) -> Expected {
    let pool = source.and_then(|source| pool_of(policy, source));
    // Where it goes is unknown: it may be where the first phase goes.
    let enforces = |pool: usize| {
        let pool = &policy.pools[pool];
        may_be_enforced(pool, now) && pool.phases.iter().any(|phase| phase.has_begun(now))
    };
    let is_unlisted_dropped = is_unlisted_dropped(policy, now);
    let is_denied = match (source, pool) {
        (_, Some(pool)) => enforces(pool),
        (Some(source), None) => is_unlisted_dropped && !is_exempt_everywhere(policy, source, now),
        (None, None) => is_unlisted_dropped || (0..policy.pools.len()).any(enforces),
    };
    let verdict = if is_denied && policy.block.uninspectable == Handling::Drop {
        Verdict::Drop
    } else {
        Verdict::Pass
    };
    Expected {
        verdict,
        reason: Reason::Uninspectable,
        rule: pool.map(Rule::Pool),
    }
}

/// Whether both addresses can be those of single hosts; no other source is sent an answer (RFC 1812 section 4.3.2.7, RFC
/// 4443 section 2.4).
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

/// The pool with the longest prefix that contains the source.
fn pool_of(policy: &Policy, source: IpAddr) -> Option<usize> {
    let nets = |pool: &Pool| pool.prefixes.iter().map(|prefix| prefix.net).collect();
    with_longest(policy.pools.iter().map(nets), source)
}

/// The relay with the longest prefix that contains the destination; of two with the same one, which only translation can
/// make, the first in the file.
fn relay_of(policy: &Policy, destination: IpAddr) -> Option<usize> {
    let nets = |relay: &Relay| {
        let nets = relay.prefixes.iter().map(|prefix| prefix.net);
        nets.flat_map(|net| policy.nat64.with_translated(net)).collect()
    };
    with_longest(policy.relays.iter().map(nets), destination)
}

/// The exemption that applies to the flow. Of several it is one without destinations, then the one that lasts longest, then
/// the first in the file.
fn exemption_of(policy: &Policy, flow: &Flow, now: Timestamp) -> Option<usize> {
    let grants = |exemption: &Exemption| {
        exemption.holds_at(now)
            && is_in(&exemption.terms.prefixes, flow.source)
            && (exemption.terms.destinations.is_empty()
                || exemption
                    .terms
                    .destinations
                    .iter()
                    .flat_map(|net| policy.nat64.with_translated(*net))
                    .any(|net| net.contains(&flow.destination)))
    };
    let granting = policy
        .exemptions
        .iter()
        .enumerate()
        .filter(|(_, exemption)| grants(exemption));
    granting
        .min_by_key(|(index, exemption)| {
            (
                !exemption.terms.destinations.is_empty(),
                Reverse(exemption.until()),
                *index,
            )
        })
        .map(|(index, _)| index)
}

/// Whether an exemption without destinations applies to the source.
fn is_exempt_everywhere(policy: &Policy, source: IpAddr, now: Timestamp) -> bool {
    policy.exemptions.iter().any(|exemption| {
        exemption.holds_at(now)
            && exemption.terms.destinations.is_empty()
            && is_in(&exemption.terms.prefixes, source)
    })
}

/// Whether one of the prefixes contains the address.
fn is_in(prefixes: &[IpNet], address: IpAddr) -> bool {
    prefixes.iter().any(|net| net.contains(&address))
}

/// Whether the pool is enforced at all: it is neither in monitor mode nor paused.
fn may_be_enforced(pool: &Pool, now: Timestamp) -> bool {
    pool.mode == PoolMode::Enforce && pool.paused_until.is_none_or(|end| end.is_past(now))
}

/// Whether a phase that has begun has the destination.
fn is_enforced_towards(policy: &Policy, pool: usize, destination: IpAddr, now: Timestamp) -> bool {
    let pool = &policy.pools[pool];
    let mut begun = pool.phases.iter().filter(|phase| phase.has_begun(now));
    let has_it = |phase: &Phase| {
        let nets = phase.only_to.iter().map(|prefix| prefix.net);
        let mut nets = nets.flat_map(|net| policy.nat64.with_translated(net));
        phase.only_to.is_empty() || nets.any(|net| net.contains(&destination))
    };
    may_be_enforced(pool, now) && begun.any(has_it)
}

fn is_unlisted_dropped(policy: &Policy, now: Timestamp) -> bool {
    let block = &policy.block;
    block.unlisted == Handling::Drop && block.unlisted_paused_until.is_none_or(|end| end.is_past(now))
}

/// The item with the longest prefix that contains the address.
fn with_longest(items: impl Iterator<Item = Vec<IpNet>>, address: IpAddr) -> Option<usize> {
    let lengths = items.map(|nets| {
        let containing = nets.iter().filter(|net| net.contains(&address));
        containing.map(IpNet::prefix_len).max()
    });
    lengths
        .enumerate()
        .filter(|(_, length)| length.is_some())
        .max_by_key(|(index, length)| (*length, Reverse(*index)))
        .map(|(index, _)| index)
}
