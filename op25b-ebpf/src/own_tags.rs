//! Frames that are usual but for the policy's own VLAN tags: parsed as on the fast path, after it has found nothing usual.
//!
//! The comparisons with these tags are not among those with usual ones: there the compiler puts a jump on the path of every TCP
//! segment, whether the policy has tags of its own or not. Functions here are verified by themselves, and removed without such
//! tags.

use aya_ebpf::bindings::xdp_md;
use op25b_common::{Action, Reason};

use crate::{
    fast_path::{self, Parsed},
    framing, maps, reject, slow_path,
    verdict::{self, decide, pass},
};

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
    match fast_path::parse::<false, true>(ctx) {
        Parsed::Pass(reason) => pass(reason),
        Parsed::Segment(ports, _) if !decide::is_blocked_port(ports & 0xffff) => pass(Reason::OtherPort),
        Parsed::Segment(_, segment) if maps::ACTION.load() == Action::Drop as u8 => {
            verdict::op25b_fast_verdict(ctx, segment.bits())
        }
        Parsed::Segment(_, segment) => reject::op25b_fast_reject(ctx, segment.bits()),
        Parsed::SlowPath => UNUSUAL,
    }
}

/// The action on a frame from the Internet, or [`UNUSUAL`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_up_own_tags(ctx: *mut xdp_md) -> u32 {
    match fast_path::parse::<true, true>(ctx) {
        Parsed::Pass(reason) => pass(reason),
        Parsed::Segment(ports, _) if !decide::is_filtered_on_uplink(ports >> 16, ports & 0xffff) => {
            pass(Reason::OtherPort)
        }
        Parsed::Segment(_, segment) => verdict::op25b_up_fast_verdict(ctx, segment.bits()),
        Parsed::SlowPath => UNUSUAL,
    }
}
