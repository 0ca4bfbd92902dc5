//! Packets by reason.

use op25b_common::{Reason, values::Decision};

use crate::maps;

/// Counts the packet under its reason, on this CPU.
#[inline(always)]
pub fn count(decision: &Decision, from_uplink: bool) {
    let index = decision.reason + if from_uplink { Reason::COUNT as u32 } else { 0 };
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}
