//! The limit of a filter that counts exactly by subscriber: the port, one addition to a flat array, and a drop.

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

use op25b_ebpf::bpf::instructions::atomic_add;

use crate::{
    dropped,
    mail::{Source, sender},
};

/// How many counters there are: one for each address of a /8, or of IPv6 for each /56 of a /32.
const COUNTERS: u32 = 1 << 24;

/// Eight bytes each, of which the program adds to the first half.
#[btf_map]
static COUNTS: Array<[u32; 2], { COUNTERS as usize }> = Array::new();

/// Counts and drops TCP to port 25, whoever sends.
#[xdp(frags)]
pub fn drop_record(ctx: XdpContext) -> u32 {
    let Ok(Some(source)) = sender(ctx.ctx) else {
        return xdp_action::XDP_PASS;
    };
    let bits = match source {
        Source::V4(address) => u32::from_be_bytes(address),
        Source::V6([_, _, _, _, a, b, c, ..]) => u32::from_be_bytes([0, a, b, c]),
    };
    if let Some(count) = COUNTS.get_ptr_mut(bits & (COUNTERS - 1)) {
        // SAFETY: the pointer is a valid element of the map, whose first half is aligned to 4 bytes.
        unsafe { atomic_add(count.cast(), 1) };
    }
    dropped()
}
