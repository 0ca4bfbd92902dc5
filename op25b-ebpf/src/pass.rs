//! The end of a packet that is not filtered: nothing is counted, no map is read.

use aya_ebpf::bindings::xdp_action;
use op25b_common::{
    Reason, Verdict,
    values::{Decision, NO_RULE},
};
use op25b_ebpf::bpf::instructions;

use crate::stats::diagnostics;

/// The action on it.
#[inline(always)]
pub fn pass(reason: Reason) -> u32 {
    diagnostics::trace(Decision {
        reason: reason as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    });
    xdp_action::XDP_PASS
}

/// Returns the action at once, for the fast path: the compiler would join all ways on which a packet passes, and compare afterwards
/// what each of them found.
///
/// # Safety
///
/// The function into which this is compiled returns an action.
#[inline(always)]
pub unsafe fn leave(reason: Reason) -> ! {
    let action = pass(reason);
    // SAFETY: the caller's.
    unsafe { instructions::exit(action) }
}
