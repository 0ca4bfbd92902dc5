//! From a segment's addresses to a decision: rows 4 and 6 to 11 of the verdict table.
//!
//! "Local" is the subscriber's address and "remote" the other end's; in DS-Lite they are of two families. Only look-ups
//! differ between families, so that the rest is in the program once and not for each pair of families.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use op25b_common::{
    MAX_BLOCKED_PORTS, Reason, Verdict,
    values::{
        ALWAYS_PAST, Decision, DestinationEntry, ExemptionEntry, NEVER, NO_DESTINATIONS, NO_RULE, PoolEntry,
        RelayEntry, RuleIndex, UnixSeconds,
    },
};

use crate::{
    family::{Family as _, Place, V4, V6},
    frame::Fetched,
    maps,
};

const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;

/// Whether the policy blocks this port.
#[inline(always)]
pub fn is_blocked_port(port: u32) -> bool {
    // The globals are constants to the verifier: the comparisons beyond the count do not exist in the loaded program.
    let count = maps::BLOCKED_PORT_COUNT.load();
    let ports = maps::BLOCKED_PORTS.load();
    for (index, blocked) in ports.iter().enumerate().take(MAX_BLOCKED_PORTS) {
        if index as u32 >= count {
            return false;
        }
        if u32::from(*blocked) == port {
            return true;
        }
    }
    false
}

/// What rows beyond the addresses need to know of a segment.
#[derive(Clone, Copy)]
pub struct Facts {
    /// It came from the Internet.
    pub from_uplink: bool,
    /// Its flags say that it belongs to a connection that is open already.
    pub is_established: bool,
}

/// Judges a segment with a blocked port: rows `not_pooled` to `blocked`.
#[inline(always)]
pub fn judge(frame: &Fetched, local: Place, remote: Place, facts: Facts) -> Decision {
    let pool = pool(frame, local);
    let exemption = granted(frame, local, remote);
    if pool.is_none() && exemption.is_none() {
        // Default-deny is about what subscribers send; nobody in no pool is guarded from the Internet.
        let is_dropped = !facts.from_uplink && maps::DROP_UNLISTED.load() == 1;
        return decision(Reason::NotPooled, is_dropped, NO_RULE);
    }
    if let Some(relay) = relay(frame, remote) {
        return decision(Reason::Relay, false, relay.rule);
    }
    if let Some(rule) = exemption {
        return decision(Reason::Exempt, false, rule);
    }
    if maps::MATCH_NEW.load() == 1 && facts.is_established {
        return decision(Reason::Established, false, NO_RULE);
    }
    match pool {
        Some(pool) if is_enforced(pool.enforce_from) => decision(Reason::Blocked, true, pool.rule),
        Some(pool) => decision(Reason::Monitored, false, pool.rule),
        // Excluded above; written out because the program cannot panic.
        None => decision(Reason::NotPooled, false, NO_RULE),
    }
}

/// Judges TCP that hides its ports: row `uninspectable`.
#[inline(always)]
pub fn judge_hidden(frame: &Fetched, local: Place) -> Decision {
    match pool(frame, local) {
        Some(pool) => {
            let is_dropped = maps::DROP_UNINSPECTABLE.load() == 1 && is_enforced(pool.enforce_from);
            decision(Reason::Uninspectable, is_dropped, pool.rule)
        }
        None => decision(Reason::Uninspectable, false, NO_RULE),
    }
}

/// Judges what hides its addresses, too: row `uninspectable`, as if it came from the pool that is enforced first.
#[inline(always)]
pub fn judge_unaddressed() -> Decision {
    let is_dropped = maps::DROP_UNINSPECTABLE.load() == 1 && is_enforced(maps::ENFORCED_FROM.load());
    decision(Reason::Uninspectable, is_dropped, NO_RULE)
}

/// The exemption that lets `local` talk to `remote` now, if one does.
#[inline(always)]
fn granted(frame: &Fetched, local: Place, remote: Place) -> Option<RuleIndex> {
    let exemption = exemption(frame, local)?;
    if holds(exemption.until) {
        return Some(exemption.rule);
    }
    if exemption.destinations == NO_DESTINATIONS {
        return None;
    }
    let allowed = destination(frame, exemption.destinations, remote)?;
    if holds(allowed.until) {
        Some(allowed.rule)
    } else {
        None
    }
}

// The addresses were in the frame when its headers were read: one that cannot be read is in no map either.

#[inline(always)]
fn pool(frame: &Fetched, place: Place) -> Option<&'static PoolEntry> {
    if place.is_v6 {
        V6::pool(V6::address(frame, place.offset)?)
    } else {
        V4::pool(V4::address(frame, place.offset)?)
    }
}

#[inline(always)]
fn exemption(frame: &Fetched, place: Place) -> Option<&'static ExemptionEntry> {
    if place.is_v6 {
        V6::exemption(V6::address(frame, place.offset)?)
    } else {
        V4::exemption(V4::address(frame, place.offset)?)
    }
}

#[inline(always)]
fn relay(frame: &Fetched, place: Place) -> Option<&'static RelayEntry> {
    if place.is_v6 {
        V6::relay(V6::address(frame, place.offset)?)
    } else {
        V4::relay(V4::address(frame, place.offset)?)
    }
}

#[inline(always)]
fn destination(frame: &Fetched, set: u32, place: Place) -> Option<&'static DestinationEntry> {
    if place.is_v6 {
        V6::destination(set, V6::address(frame, place.offset)?)
    } else {
        V4::destination(set, V4::address(frame, place.offset)?)
    }
}

/// Whether a pool that is enforced from then on is enforced now, rather than only watched.
#[inline(always)]
fn is_enforced(from: UnixSeconds) -> bool {
    from == ALWAYS_PAST || !holds(from)
}

/// Whether something that ends at `until` still holds.
#[inline(always)]
fn holds(until: UnixSeconds) -> bool {
    until == NEVER || now() < u64::from(until)
}

/// The Unix time in seconds: the boot-time clock (which no one can set) plus the offset that user space keeps.
#[inline(always)]
fn now() -> u64 {
    let offset = maps::CLOCK.get(0).copied().unwrap_or(0);
    // SAFETY: the helper has no preconditions.
    let boot = unsafe { bpf_ktime_get_boot_ns() };
    boot.wrapping_add_signed(offset) / NANOSECONDS_A_SECOND
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
