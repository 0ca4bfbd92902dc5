//! Replies by the policy's action: those that were sent, and the packets that got none.

use op25b_common::counters::Answer;

use crate::maps;

/// Counts what became of a reply, on this CPU.
#[inline(always)]
pub fn count(answer: Answer) {
    if let Some(counter) = maps::ANSWER_COUNTS.get_ptr_mut(answer.slot(maps::ACTION.load())) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}
