//! The programs that op25b is measured with: what makes the frames, and what to compare it with, which uses the real
//! program's parsers. Embedded by the benchmark alone.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the xdp macro makes a public function with a context of its own, without the documentation above it"
)]
#![allow(clippy::inline_always, reason = "a call costs nanoseconds for each packet")]

mod baseline;
mod generate;
mod in_place;
mod mail;
mod record;

use aya_ebpf::{
    bindings::xdp_action, btf_maps::PerCpuArray, macros::btf_map, macros::xdp, programs::XdpContext,
};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached.
    loop {}
}

/// How many frames were dropped, on each CPU: what a measurement is checked against.
#[btf_map]
static DROPPED: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Passes everything: what running any XDP program costs.
#[xdp(frags)]
pub fn empty_pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Counts and drops everything: the least that any filter costs.
#[xdp(frags)]
pub fn empty_drop(_ctx: XdpContext) -> u32 {
    dropped()
}

/// Counts a frame and drops it.
#[inline(always)]
fn dropped() -> u32 {
    if let Some(count) = DROPPED.get_ptr_mut(0) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *count += 1 };
    }
    xdp_action::XDP_DROP
}
