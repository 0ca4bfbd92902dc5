//! Segments of exempt subscribers that open a connection, for alerts. Without a threshold, the verifier removes all of this.

use aya_ebpf::bindings::BPF_NOEXIST;
use op25b_ebpf::{bpf::instructions, parse::address::Address};

use super::subscribers::prefix_v6;
use crate::maps;

/// A count is made of this; it has to be in a map, and takes no stack there.
static NOTHING: u32 = 0;

/// Counts a segment.
#[inline(always)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "without the reference it would be copied to the stack"
)]
pub fn count(local: &Address) {
    if maps::COUNT_EXEMPT.load() == 0 {
        return;
    }
    let key = if local.is_v6 {
        prefix_v6(local.high)
    } else {
        local.v4().into()
    };
    let mut counter = maps::EXEMPT_SYNS.get_ptr_mut(key);
    if counter.is_none() {
        // An error means that another CPU has begun it, or that there is no room.
        let _ = maps::EXEMPT_SYNS.insert(key, &NOTHING, BPF_NOEXIST.into());
        counter = maps::EXEMPT_SYNS.get_ptr_mut(key);
    }
    if let Some(counter) = counter {
        // SAFETY: a map's value, which stays valid while the program runs.
        unsafe { instructions::atomic_add(counter, 1) };
    }
}
