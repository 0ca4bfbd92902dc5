//! The action on a usual frame, with the tags that are compared on the fast path or with the policy's own.

use aya_ebpf::bindings::xdp_md;
use op25b_common::Action;

use crate::{
    fast_path, maps, reject,
    verdict::{self, decide},
};

/// The action on a frame from a subscriber; `unusual` gives that on one in which nothing usual is found.
#[inline(always)]
pub fn subscribe<const OWN_TAGS: bool>(ctx: *mut xdp_md, unusual: impl FnOnce(*mut xdp_md) -> u32) -> u32 {
    let is_filtered = |_, destination| decide::is_blocked_port(destination);
    // SAFETY: this is compiled into functions that return an action.
    match unsafe { fast_path::parse::<false, OWN_TAGS>(ctx, is_filtered) } {
        // One of the two is not in the program that the kernel keeps: the action is a constant to the verifier.
        Some(segment) if maps::ACTION.load() == Action::Drop as u8 => {
            verdict::op25b_fast_verdict(ctx, segment.bits())
        }
        Some(segment) => reject::op25b_fast_reject(ctx, segment.bits()),
        None => unusual(ctx),
    }
}

/// The action on one from the Internet, where the subscriber is the destination.
#[inline(always)]
pub fn uplink<const OWN_TAGS: bool>(ctx: *mut xdp_md, unusual: impl FnOnce(*mut xdp_md) -> u32) -> u32 {
    // SAFETY: as above.
    match unsafe { fast_path::parse::<true, OWN_TAGS>(ctx, decide::is_filtered_on_uplink) } {
        Some(segment) => verdict::op25b_up_fast_verdict(ctx, segment.bits()),
        None => unusual(ctx),
    }
}
