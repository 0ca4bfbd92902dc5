//! Limits replies to the policy's rate: a token bucket on each CPU.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use op25b_common::counters::Answer;

use super::count::count;
use crate::{maps, token_bucket};

/// Takes one reply from what this CPU may send; for ICMP errors by RFC 1812 section 4.3.2.8.
#[inline(always)]
pub fn may_reply() -> bool {
    let interval = maps::ANSWER_INTERVAL.load();
    // Resets have no limit unless the policy sets one. What follows is not in the program then.
    if interval == 0 {
        return true;
    }
    let Some(full_at) = maps::ANSWERS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the helper has no preconditions; the slot belongs to this CPU.
    let may = unsafe {
        token_bucket::take(
            full_at,
            bpf_ktime_get_boot_ns(),
            interval,
            maps::ANSWER_BURST.load(),
        )
    };
    if !may {
        count(Answer::Limited);
    }
    may
}
