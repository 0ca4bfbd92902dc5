//! What is remembered of a decision: the counter of its reason and, if asked for at load time, a log line and
//! the decision itself.

use aya_log_ebpf::debug;
use op25b_common::{Reason, values::Decision};

use crate::{family::Family, maps, packet::Packet};

/// Counts the packet under its reason, on this CPU.
#[inline(always)]
pub fn count(decision: &Decision) {
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(decision.reason) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}

/// Keeps the decision for whoever ran the program by hand; removed by the verifier unless asked for.
#[inline(always)]
pub fn trace(decision: Decision) {
    if maps::TRACE.load() != 1 {
        return;
    }
    if let Some(slot) = maps::DECISION.get_ptr_mut(0) {
        // SAFETY: the slot is valid; only test runs set TRACE, one packet at a time.
        unsafe { *slot = decision };
    }
    // The kernel lists as a program's maps those that its code names, removed or not: naming the description here
    // lets `op25b status` get from the program to its policy.
    let _ = maps::DESCRIPTION.get_ptr(0);
}

/// Logs the decision; removed by the verifier unless the log level asks for it.
#[inline(always)]
pub fn log<F: Family>(packet: &Packet<'_>, decision: &Decision, source: F::Address, destination: F::Address) {
    let ctx = packet.context();
    let reason = decision.reason;
    // One statement for each reason: a table of names would need relocations that the kernel does not do.
    if reason == Reason::Uninspectable as u32 {
        debug!(ctx, "uninspectable: {:i} -> {:i}", source, destination);
    } else if reason == Reason::NotPooled as u32 {
        debug!(ctx, "not_pooled: {:i} -> {:i}", source, destination);
    } else if reason == Reason::Relay as u32 {
        debug!(ctx, "relay: {:i} -> {:i}", source, destination);
    } else if reason == Reason::Exempt as u32 {
        debug!(ctx, "exempt: {:i} -> {:i}", source, destination);
    } else if reason == Reason::Blocked as u32 {
        debug!(ctx, "blocked: {:i} -> {:i}", source, destination);
    }
}
