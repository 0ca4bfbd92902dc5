//! What is kept of a decision: the counter of its reason, the subscriber's record and, if enabled at load time, an event, a log
//! line and the decision itself; and of frames that are not IP, the counter of their `EtherType`.

pub mod counters;
pub mod diagnostics;
pub mod events;
pub mod exempt;
mod mixing;
pub mod not_ip;
pub mod subscribers;

use crate::maps;

/// Names the maps that user space looks for in a program, whatever the program does with them: the policy's description,
/// which it does not read, and what those on uplink interfaces do not count of subscribers.
///
/// The kernel lists as a program's maps those that its code names, removed or not: this lets `op25b status` get from any
/// program of a filter to all of its maps.
#[inline(always)]
pub fn name_maps() {
    if maps::TRACE.load() == 1 {
        let _ = maps::DESCRIPTION.get_ptr(0);
        let _ = maps::SUBSCRIBERS.get_ptr(0);
        let _ = maps::SUBSCRIBERS_LRU.get_ptr(0);
        let _ = maps::MISSES_V6.get_ptr(0);
        let _ = maps::EXEMPT_SYNS.get_ptr(0);
    }
}
