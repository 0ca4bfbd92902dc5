//! The XDP programs for subscriber and uplink interfaces: which packets leave, decided packet by packet.
//!
//! A packet runs through the steps below; each ends it or hands the next what it needs. No map is touched
//! before a packet is known to be TCP to a blocked port (or TCP that hides its port).
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
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

mod address;
mod bpf;
mod fast_path;
mod flow;
mod maps;
mod parse;
mod reject;
mod segment;
mod slow_path;
mod stats;
mod verdict;

use core::ptr;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use op25b_common::{
    Action, Reason, Verdict,
    values::{Decision, NO_RULE},
};

use crate::{fast_path::Seen, verdict::decide};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached: a program that could reach it does not load.
    loop {}
}

/// Judges what subscribers send.
#[xdp(frags)]
pub fn op25b_subscribe(ctx: XdpContext) -> u32 {
    match fast_path::glance(ctx.ctx) {
        Seen::Untouched(reason) => untouched(reason),
        Seen::Segment(ports, _) if !decide::is_blocked_port(ports & 0xffff) => untouched(Reason::OtherPort),
        // One of the two is not in the program that the kernel keeps: the action is a constant to the verifier.
        Seen::Segment(_, segment) if maps::ACTION.load() == Action::Drop as u8 => {
            verdict::judge(ctx.ctx, segment.bits(), ptr::null())
        }
        Seen::Segment(_, segment) => verdict::judge_and_answer(ctx.ctx, segment.bits()),
        Seen::Unclear => slow_path::inspect(ctx.ctx),
    }
}

/// Judges what the Internet sends: the mirror of that.
#[xdp(frags)]
pub fn op25b_uplink(ctx: XdpContext) -> u32 {
    match fast_path::glance(ctx.ctx) {
        Seen::Untouched(reason) => untouched(reason),
        Seen::Segment(ports, _) if !decide::matters_on_uplink(ports >> 16, ports & 0xffff) => {
            untouched(Reason::OtherPort)
        }
        Seen::Segment(_, segment) => verdict::judge_on_uplink(ctx.ctx, segment.bits(), ptr::null()),
        Seen::Unclear => slow_path::inspect_on_uplink(ctx.ctx),
    }
}

/// Ends a packet that is none of our business: nothing is counted, no map is read.
#[inline(always)]
fn untouched(reason: Reason) -> u32 {
    stats::trace(Decision {
        reason: reason as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    });
    xdp_action::XDP_PASS
}
