//! From a segment's addresses to a decision: rows 4 and 6 to 11 of the verdict table.
//!
//! `L` is the family of the subscriber's address ("local"), `R` that of the other end ("remote"); they differ in DS-Lite.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use op25b_common::{
    MAX_BLOCKED_PORTS, Reason, Verdict,
    values::{ALWAYS_PAST, Decision, NEVER, NO_DESTINATIONS, NO_RULE, PoolEntry, RuleIndex, UnixSeconds},
};

use crate::{family::Family, maps};

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
pub fn judge<L: Family, R: Family>(local: L::Address, remote: R::Address, facts: Facts) -> Decision {
    let pool = L::pool(local);
    let exemption = granted::<L, R>(local, remote);
    if pool.is_none() && exemption.is_none() {
        // Default-deny is about what subscribers send; nobody in no pool is guarded from the Internet.
        let is_dropped = !facts.from_uplink && maps::DROP_UNLISTED.load() == 1;
        return decision(Reason::NotPooled, is_dropped, NO_RULE);
    }
    if let Some(relay) = R::relay(remote) {
        return decision(Reason::Relay, false, relay.rule);
    }
    if let Some(rule) = exemption {
        return decision(Reason::Exempt, false, rule);
    }
    if maps::MATCH_NEW.load() == 1 && facts.is_established {
        return decision(Reason::Established, false, NO_RULE);
    }
    match pool {
        Some(pool) if is_enforced(pool) => decision(Reason::Blocked, true, pool.rule),
        Some(pool) => decision(Reason::Monitored, false, pool.rule),
        // Excluded above; written out because the program cannot panic.
        None => decision(Reason::NotPooled, false, NO_RULE),
    }
}

/// Judges TCP that hides its ports: row `uninspectable`.
#[inline(always)]
pub fn judge_hidden<L: Family>(local: L::Address) -> Decision {
    match L::pool(local) {
        Some(pool) => {
            let is_dropped = maps::DROP_UNINSPECTABLE.load() == 1 && is_enforced(pool);
            decision(Reason::Uninspectable, is_dropped, pool.rule)
        }
        None => decision(Reason::Uninspectable, false, NO_RULE),
    }
}

/// The exemption that lets `local` talk to `remote` now, if one does.
#[inline(always)]
fn granted<L: Family, R: Family>(local: L::Address, remote: R::Address) -> Option<RuleIndex> {
    let exemption = L::exemption(local)?;
    if holds(exemption.until) {
        return Some(exemption.rule);
    }
    if exemption.destinations == NO_DESTINATIONS {
        return None;
    }
    let allowed = R::destination(exemption.destinations, remote)?;
    if holds(allowed.until) {
        Some(allowed.rule)
    } else {
        None
    }
}

/// Whether the pool is enforced now, rather than only watched.
#[inline(always)]
fn is_enforced(pool: &PoolEntry) -> bool {
    pool.enforce_from == ALWAYS_PAST || !holds(pool.enforce_from)
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
