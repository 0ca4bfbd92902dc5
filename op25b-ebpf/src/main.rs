//! The XDP programs for subscriber and uplink interfaces: the verdict on each packet.
//!
//! A frame goes through these steps; each ends it or hands the next one what it needs. No map is touched before a packet is
//! known to be TCP to a blocked port, or TCP that hides its port; only frames that are not IP are counted, by the slow path.
//!
//! 1. [`fast_path`] parses usual frames; [`slow_path`] parses all others, those with the policy's [`own_tags`] as fast as it can.
//! 2. [`verdict`] looks the addresses up and decides.
//! 3. [`stats`] counts the decision.
//! 4. [`reject`] turns a rejected segment into a reply to its sender.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the xdp macro makes a public function with a context of its own, without the documentation above it"
)]
#![allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "functions that are verified by themselves take pointers, which the verifier holds callers to"
)]
#![allow(
    clippy::inline_always,
    reason = "a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths and offsets are below 64 KiB; no conversion may panic here"
)]

mod fast_path;
mod framing;
mod maps;
mod own_tags;
mod pass;
mod reject;
mod scratch;
mod slow_path;
mod stats;
mod token_bucket;
mod usual;
mod verdict;

use aya_ebpf::{macros::xdp, programs::XdpContext};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached: a program that could reach it does not load.
    loop {}
}

/// The program for subscriber interfaces.
#[xdp(frags)]
pub fn op25b_subscribe(ctx: XdpContext) -> u32 {
    usual::subscribe::<false>(ctx.ctx, own_tags::subscribe)
}

/// The program for uplink interfaces, where the subscriber is the destination.
#[xdp(frags)]
pub fn op25b_uplink(ctx: XdpContext) -> u32 {
    usual::uplink::<false>(ctx.ctx, own_tags::uplink)
}
