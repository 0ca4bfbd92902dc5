//! The policy's decision on a segment.

use std::net::IpAddr;

use jiff::Timestamp;

use super::segment::{Addresses, Segment};
use crate::{
    policy::{Action, Handling, Inbound, Policy, Segments},
    verdict::{Reason, Role, Verdict},
};

/// The verdict, and the rule that determines it. `Reject` still depends on whether there can be a reply.
pub struct Decision {
    pub verdict: Verdict,
    pub rule: Option<usize>,
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The decision on a packet with these addresses: of those on its sources, if it has several, the strictest one, and of
/// equally strict ones that on the innermost source.
///
/// An outer source in no pool is nobody's whom the policy knows, such as a concentrator's.
pub fn of_all_sources(
    policy: &Policy,
    addresses: Addresses,
    decide: impl Fn(Addresses) -> Option<(Reason, Decision)>,
) -> Option<(Reason, Decision)> {
    let pooled = |outer: &IpAddr| policy.pool_of(*outer).is_some();
    let outer = addresses.outer.into_iter().flatten().filter(pooled);
    let mut strictest = decide(addresses);
    for source in outer.rev() {
        let decision = decide(Addresses { source, ..addresses });
        if strictness(decision.as_ref()) > strictness(strictest.as_ref()) {
            strictest = decision;
        }
    }
    strictest
}

fn strictness(decision: Option<&(Reason, Decision)>) -> u8 {
    match decision {
        Some((_, decision)) if decision.verdict != Verdict::Pass => 2,
        Some((Reason::Monitored, _)) => 1,
        _ => 0,
    }
}

/// A segment whose ports cannot be read. Where it goes does not count: a phase for any destination is enough.
pub fn hidden(policy: &Policy, role: Role, addresses: Addresses, now: Timestamp) -> Decision {
    let subscriber = match role {
        Role::Subscriber => addresses.source,
        Role::Uplink => addresses.destination,
    };
    let pool = policy.pool_of(subscriber);
    let is_denied = match pool {
        Some(pool) => policy.pools[pool].enforces(now),
        None => {
            role == Role::Subscriber
                && policy.block.unlisted == Handling::Drop
                && !policy
                    .exemptions
                    .iter()
                    .any(|exemption| exemption.allows_everywhere(subscriber, now))
        }
    };
    let verdict = if is_denied && policy.block.uninspectable == Handling::Drop {
        Verdict::Drop
    } else {
        Verdict::Pass
    };
    Decision { verdict, rule: pool }
}

/// A frame of a subscriber whose addresses cannot be read: it may come from any pool that is enforced, or from none.
pub fn unaddressed(policy: &Policy, now: Timestamp) -> Decision {
    let may_be_denied =
        policy.block.unlisted == Handling::Drop || policy.pools.iter().any(|pool| pool.enforces(now));
    let is_dropped = policy.block.uninspectable == Handling::Drop && may_be_denied;
    Decision {
        verdict: if is_dropped { Verdict::Drop } else { Verdict::Pass },
        rule: None,
    }
}

/// A segment whose ports are known; none if none of them is blocked.
pub fn known(
    policy: &Policy,
    role: Role,
    segment: &Segment,
    addresses: Addresses,
    now: Timestamp,
) -> Option<(Reason, Decision)> {
    let block = &policy.block;
    let is_mirror = role == Role::Uplink && block.ports.contains(&segment.source_port);
    let is_to_blocked = block.ports.contains(&segment.destination_port);
    let is_concerned = match role {
        Role::Subscriber => is_to_blocked,
        Role::Uplink => is_mirror || block.inbound == Inbound::Block && is_to_blocked,
    };
    if !is_concerned {
        return None;
    }
    let Addresses {
        source, destination, ..
    } = addresses;
    let (subscriber, remote) = match role {
        Role::Subscriber => (source, destination),
        Role::Uplink => (destination, source),
    };
    let passed = |reason, rule| {
        let verdict = Verdict::Pass;
        Some((reason, Decision { verdict, rule }))
    };

    let pool = policy.pool_of(subscriber);
    let exemption = exemption(policy, |exemption| {
        policy.allows(exemption, subscriber, remote, now)
    });
    if pool.is_none() && exemption.is_none() {
        let verdict = match (role, block.unlisted) {
            (Role::Subscriber, Handling::Drop) => Verdict::Drop,
            _ => Verdict::Pass,
        };
        return Some((Reason::NotPooled, Decision { verdict, rule: None }));
    }
    if let Some(relay) = policy.relay_at(remote) {
        return passed(Reason::Relay, Some(relay));
    }
    if exemption.is_some() {
        return passed(Reason::Exempt, exemption);
    }
    if block.segments == Segments::New && segment.flags.is_some_and(|flags| !opens(flags, is_mirror)) {
        return passed(Reason::Established, None);
    }
    if !pool.is_some_and(|pool| policy.enforces_towards(pool, remote, now)) {
        return passed(Reason::Monitored, pool);
    }
    let verdict = match (role, block.action) {
        (Role::Uplink, _) | (_, Action::Drop) => Verdict::Drop,
        (Role::Subscriber, Action::Reset | Action::Prohibit) => Verdict::Reject,
    };
    Some((Reason::Blocked, Decision { verdict, rule: pool }))
}

/// Whether a segment with these flags is about opening a connection: it is a SYN, or, coming back from where the
/// subscriber may have sent one, a SYN,ACK.
fn opens(flags: u8, is_mirror: bool) -> bool {
    flags & SYN != 0 && (is_mirror || flags & ACK == 0)
}

/// Of the exemptions that allow it the one that is named: one without destinations, then the one that lasts longest,
/// then the first.
fn exemption(policy: &Policy, allows: impl Fn(usize) -> bool) -> Option<usize> {
    (0..policy.exemptions.len())
        .filter(|index| allows(*index))
        .min_by(|one, other| {
            let (one, other) = (&policy.exemptions[*one], &policy.exemptions[*other]);
            let is_restricted = |exemption: &crate::policy::Exemption| !exemption.destinations.is_empty();
            let end = |exemption: &crate::policy::Exemption| exemption.expires.unwrap_or(Timestamp::MAX);
            // `min_by` takes the first of equals, which is the first in the file.
            is_restricted(one)
                .cmp(&is_restricted(other))
                .then(end(other).cmp(&end(one)))
        })
}
