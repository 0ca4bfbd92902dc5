//! Frames that are not IP, by interface and last `EtherType`. Only the slow path meets them.
//!
//! This is the one map that is accessed before a packet is known to be TCP to a blocked port: where nothing but such frames
//! arrives, nothing else shows that the filter is at the wrong place, or that framing is not parsed.

use aya_ebpf::bindings::{BPF_NOEXIST, xdp_md};
use op25b_common::{
    Reason,
    not_ip::{ETHERTYPE_SLOTS, NotIpFrames},
};
use op25b_ebpf::parse::ethernet::LastEthertype;

use crate::{maps, pass};

/// An entry is made of this; it has to be in a map, and takes no stack there.
static NONE: NotIpFrames = NotIpFrames::NONE;

/// Counts a frame that is not IP; it passes.
#[inline(always)]
pub fn pass(ctx: *mut xdp_md, ethertype: LastEthertype) -> u32 {
    op25b_not_ip(ctx, u32::from(ethertype));
    pass::pass(Reason::NotIp)
}

/// Counts a frame on this CPU.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_not_ip(ctx: *mut xdp_md, ethertype: u32) -> u32 {
    // SAFETY: the kernel gives every program a valid context.
    let interface = unsafe { (*ctx).ingress_ifindex };
    let Some(frames) = frames_of(interface) else {
        return 0;
    };
    // SAFETY: the entry is this CPU's. Where a frame preempts another (see `scratch`), at worst both take a slot for one
    // EtherType, which readers add up.
    let frames = unsafe { &mut *frames };
    for slot in 0..ETHERTYPE_SLOTS {
        if frames.packets[slot] == 0 {
            frames.ethertypes[slot] = ethertype as u16;
        }
        if frames.ethertypes[slot] == ethertype as u16 {
            frames.packets[slot] += 1;
            return 0;
        }
    }
    frames.others += 1;
    0
}

/// The entry of an interface, which its first frame makes; `None` if there are more interfaces than entries.
#[inline(always)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "without the reference it would be copied to the stack"
)]
fn frames_of(interface: u32) -> Option<*mut NotIpFrames> {
    if let Some(frames) = maps::NOT_IP.get_ptr_mut(interface) {
        return Some(frames);
    }
    // It fails where another CPU was first, or where there is no room.
    let _ = maps::NOT_IP.insert(interface, &NONE, BPF_NOEXIST.into());
    maps::NOT_IP.get_ptr_mut(interface)
}
