//! The rows `uninspectable` and `not_pooled` to `blocked` of the verdict table: from a segment's addresses to a decision.
//!
//! "Local" is the subscriber's address and "remote" the other end's; in DS-Lite they are of different IP versions.

use aya_ebpf::btf_maps::lpm_trie::Key;
use op25b_common::{
    Reason, Verdict,
    keys::{AddressV4, AddressV6, DestinationKey},
    values::{
        ALWAYS_PAST, Class, Decision, DestinationEntry, NEVER, NO_CLASS, NO_DESTINATIONS, NO_PHASES, NO_RULE,
        Phases, RuleIndex, UnixSeconds,
    },
};
use op25b_ebpf::parse::address::Address;

use super::{classify, clock};
use crate::{maps, stats::events::turn};

/// Whether the policy blocks this port.
#[inline(always)]
pub fn is_blocked_port(port: u32) -> bool {
    // Nearly every policy blocks one port. The count is a constant to the verifier, which removes the rest then. Unused
    // ones repeat the first.
    u32::from(maps::BLOCKED_PORTS[0].load()) == port
        || maps::BLOCKED_PORT_COUNT.load() > 1
            && (maps::BLOCKED_PORTS.iter().skip(1)).any(|blocked| u32::from(blocked.load()) == port)
}

/// Whether a segment from the Internet, from this port or to this one, is filtered.
#[inline(always)]
pub fn is_filtered_on_uplink(source: u32, destination: u32) -> bool {
    is_blocked_port(source) || maps::BLOCK_INBOUND.load() == 1 && is_blocked_port(destination)
}

/// What the rows depend on besides the addresses.
#[derive(Clone, Copy)]
pub struct Facts {
    /// It came from the Internet.
    pub from_uplink: bool,
    /// Its flags say that it belongs to a connection that is open already.
    pub is_established: bool,
}

/// Decides on a segment with a blocked port, by the class of the subscriber's address: rows `not_pooled` to `blocked`.
#[inline(always)]
pub fn segment(class: Option<&Class>, remote: &Address, facts: Facts) -> Decision {
    let not_pooled = || decision(Reason::NotPooled, is_unlisted_dropped(facts.from_uplink), NO_RULE);
    let Some(class) = class else {
        return not_pooled();
    };
    let exemption = granted(class, remote);
    if class.pool == NO_RULE && exemption.is_none() {
        return not_pooled();
    }
    if let Some(relay) = classify::relay(remote) {
        return decision(Reason::Relay, false, relay);
    }
    if let Some(rule) = exemption {
        turn::note_exempt_pool(class.pool);
        return decision(Reason::Exempt, false, rule);
    }
    if maps::MATCH_NEW.load() == 1 && facts.is_established {
        return decision(Reason::Established, false, NO_RULE);
    }
    if is_enforced_towards(class, remote) {
        blocked(class.pool)
    } else {
        decision(Reason::Monitored, false, class.pool)
    }
}

/// Row `blocked`.
#[inline(always)]
pub fn blocked(pool: RuleIndex) -> Decision {
    decision(Reason::Blocked, true, pool)
}

/// Decides on TCP that hides its ports: row `uninspectable`.
#[inline(always)]
pub fn hidden(class: Option<&Class>, from_uplink: bool) -> Decision {
    match class {
        Some(class) if class.pool != NO_RULE => {
            // The destination that can be read may be a tunnel's: it counts as one that the first phase has.
            let is_dropped = maps::DROP_UNINSPECTABLE.load() == 1
                && (is_enforced(current(&class.enforce_from)) || begun_phases(class).is_some());
            decision(Reason::Uninspectable, is_dropped, class.pool)
        }
        // The destination port may be a blocked one. An exemption with destinations does not allow it to all others.
        class => {
            let is_dropped = maps::DROP_UNINSPECTABLE.load() == 1
                && is_unlisted_dropped(from_uplink)
                && !class.is_some_and(|class| holds(class.until));
            decision(Reason::Uninspectable, is_dropped, NO_RULE)
        }
    }
}

/// Decides on a packet from a subscriber that hides its addresses, too: row `uninspectable`, as if it came from an unlisted
/// source or from the pool that is enforced first.
#[inline(always)]
pub fn unaddressed() -> Decision {
    let is_dropped =
        maps::DROP_UNINSPECTABLE.load() == 1 && (is_unlisted_dropped(false) || is_any_pool_enforced());
    decision(Reason::Uninspectable, is_dropped, NO_RULE)
}

/// Whether a source in no pool and without an exemption may not reach a blocked port.
///
/// `unlisted: drop` is about what subscribers send; addresses in no pool are not protected from the Internet.
#[inline(always)]
fn is_unlisted_dropped(from_uplink: bool) -> bool {
    !from_uplink
        && maps::DROP_UNLISTED.load() == 1
        && maps::CLASSES
            .get(NO_CLASS)
            .is_some_and(|class| is_enforced(current(&class.enforce_from)))
}

/// Whether any pool is enforced, towards any destination.
#[inline(always)]
fn is_any_pool_enforced() -> bool {
    maps::PHASES
        .get(NO_PHASES)
        .is_some_and(|phases| is_enforced(current(&phases.from)))
}

/// The exemption that lets a source of this class reach `remote` now, if one does.
#[inline(always)]
fn granted(class: &Class, remote: &Address) -> Option<RuleIndex> {
    if holds(class.until) {
        return Some(class.exemption);
    }
    if class.destinations == NO_DESTINATIONS {
        return None;
    }
    let allowed = destination(class.destinations, remote)?;
    holds(allowed.until).then_some(allowed.rule)
}

/// Whether the pool of a class is enforced towards `remote` now: towards every destination, or by a phase that has this one.
#[inline(always)]
fn is_enforced_towards(class: &Class, remote: &Address) -> bool {
    is_enforced(current(&class.enforce_from))
        || begun_phases(class).is_some_and(|phases| {
            destination(phases.destinations, remote).is_some_and(|phase| is_enforced(phase.until))
        })
}

/// The phases of a class's pool, if the first of them has begun.
#[inline(always)]
fn begun_phases(class: &Class) -> Option<&'static Phases> {
    if class.phases == NO_PHASES {
        return None;
    }
    maps::PHASES
        .get(class.phases)
        .filter(|phases| is_enforced(current(&phases.from)))
}

/// What a set of destinations says of an address.
#[inline(always)]
fn destination(set: u32, remote: &Address) -> Option<&'static DestinationEntry> {
    if remote.is_v6 {
        let key = DestinationKey::new(set, remote.v6_key());
        maps::DESTINATIONS_V6.get(&Key::new(bits::<DestinationKey<AddressV6>>(), key))
    } else {
        let key = DestinationKey::new(set, remote.v4_key());
        maps::DESTINATIONS_V4.get(&Key::new(bits::<DestinationKey<AddressV4>>(), key))
    }
}

/// How many bits of key data there are: a look-up compares all of them.
const fn bits<T>() -> u32 {
    size_of::<T>() as u32 * 8
}

/// A date that user space changes for a pause while the program runs, read once: a packet meets the one before or the new one.
#[inline(always)]
fn current(date: &UnixSeconds) -> UnixSeconds {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::read_volatile(date) }
}

/// Whether what is enforced from then on is enforced now, rather than monitored.
#[inline(always)]
fn is_enforced(from: UnixSeconds) -> bool {
    !holds(from)
}

/// Whether something that expires at `until` still holds; for what has no expiry, no clock is read.
#[inline(always)]
fn holds(until: UnixSeconds) -> bool {
    match until {
        NEVER => true,
        ALWAYS_PAST => false,
        until => clock::op25b_unix_seconds() < u64::from(until),
    }
}

#[inline(always)]
fn decision(reason: Reason, is_dropped: bool, rule: RuleIndex) -> Decision {
    let verdict = if is_dropped { Verdict::Drop } else { Verdict::Pass };
    Decision {
        reason: reason as u32,
        verdict: verdict as u32,
        rule,
    }
}
