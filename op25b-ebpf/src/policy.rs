//! From a flow to a decision: rows 4 and 6 to 11 of the verdict table.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use op25b_common::{
    MAX_BLOCKED_PORTS, Reason, Verdict,
    values::{Decision, NEVER, NO_DESTINATIONS, NO_RULE, RuleIndex, UnixSeconds},
};

use crate::{family::Family, maps};

const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;

/// Whether the policy blocks this destination port.
#[inline(always)]
pub fn is_blocked_port(port: u16) -> bool {
    // The globals are constants to the verifier: the comparisons beyond the count do not exist in the loaded program.
    let count = maps::BLOCKED_PORT_COUNT.load();
    let ports = maps::BLOCKED_PORTS.load();
    for (index, blocked) in ports.iter().enumerate().take(MAX_BLOCKED_PORTS) {
        if index as u32 >= count {
            return false;
        }
        if *blocked == port {
            return true;
        }
    }
    false
}

/// Judges TCP to a blocked port: rows `not_pooled`, `relay`, `exempt` and `blocked`.
#[inline(always)]
pub fn judge<F: Family>(source: F::Address, destination: F::Address) -> Decision {
    let pool = F::pool(source);
    let exemption = granted::<F>(source, destination);
    if pool.is_none() && exemption.is_none() {
        let verdict = if maps::DROP_UNLISTED.load() == 1 {
            Verdict::Drop
        } else {
            Verdict::Pass
        };
        return decision(Reason::NotPooled, verdict, NO_RULE);
    }
    if let Some(relay) = F::relay(destination) {
        return decision(Reason::Relay, Verdict::Pass, relay.rule);
    }
    if let Some(rule) = exemption {
        return decision(Reason::Exempt, Verdict::Pass, rule);
    }
    match pool {
        Some(pool) => decision(Reason::Blocked, Verdict::Drop, pool.rule),
        // Excluded above; written out because the program cannot panic.
        None => decision(Reason::NotPooled, Verdict::Pass, NO_RULE),
    }
}

/// Judges TCP that hides its port: row `uninspectable`.
#[inline(always)]
pub fn judge_hidden<F: Family>(source: F::Address) -> Decision {
    match F::pool(source) {
        Some(pool) if maps::DROP_UNINSPECTABLE.load() == 1 => {
            decision(Reason::Uninspectable, Verdict::Drop, pool.rule)
        }
        Some(pool) => decision(Reason::Uninspectable, Verdict::Pass, pool.rule),
        None => decision(Reason::Uninspectable, Verdict::Pass, NO_RULE),
    }
}

/// The exemption that lets `source` reach `destination` now, if one does.
#[inline(always)]
fn granted<F: Family>(source: F::Address, destination: F::Address) -> Option<RuleIndex> {
    let exemption = F::exemption(source)?;
    if holds(exemption.until) {
        return Some(exemption.rule);
    }
    if exemption.destinations == NO_DESTINATIONS {
        return None;
    }
    let allowed = F::destination(exemption.destinations, destination)?;
    if holds(allowed.until) {
        Some(allowed.rule)
    } else {
        None
    }
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
fn decision(reason: Reason, verdict: Verdict, rule: RuleIndex) -> Decision {
    Decision {
        reason: reason as u32,
        verdict: verdict as u32,
        rule,
    }
}
