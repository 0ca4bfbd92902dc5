//! Frames that are usual but for the policy's own VLAN tags: parsed as on the fast path, after it has found nothing usual.
//!
//! The comparisons with these tags are not among those with usual ones: there the compiler puts a jump on the path of every TCP
//! segment, whether the policy has tags of its own or not. Functions here are verified by themselves, and removed without such
//! tags.

use aya_ebpf::bindings::xdp_md;

use crate::{framing, slow_path, usual};

/// Instead of an action: the frame is not usual.
const UNUSUAL: u32 = u32::MAX;

/// The action on a frame from a subscriber in which the fast path has found nothing usual.
#[inline(always)]
pub fn subscribe(ctx: *mut xdp_md) -> u32 {
    if framing::has_own_vlan_tags() {
        let action = op25b_own_tags(ctx);
        if action != UNUSUAL {
            return action;
        }
    }
    slow_path::op25b_slow_path(ctx)
}

/// The action on one from the Internet.
#[inline(always)]
pub fn uplink(ctx: *mut xdp_md) -> u32 {
    if framing::has_own_vlan_tags() {
        let action = op25b_up_own_tags(ctx);
        if action != UNUSUAL {
            return action;
        }
    }
    slow_path::op25b_up_slow_path(ctx)
}

/// The action on a frame from a subscriber, or [`UNUSUAL`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_own_tags(ctx: *mut xdp_md) -> u32 {
    usual::subscribe::<true>(ctx, |_| UNUSUAL)
}

/// The action on a frame from the Internet, or [`UNUSUAL`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_up_own_tags(ctx: *mut xdp_md) -> u32 {
    usual::uplink::<true>(ctx, |_| UNUSUAL)
}
