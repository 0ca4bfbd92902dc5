//! The XDP program for subscriber interfaces: which packets leave, decided packet by packet.
//!
//! A packet runs through the steps below; each ends it or hands the next what it needs. No map is touched
//! before a packet is known to be TCP to a blocked port (or TCP that hides its port).
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the xdp macro makes a public function with a context of its own, without the documentation above it"
)]
#![allow(
    clippy::inline_always,
    reason = "a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths and offsets are below 64 KiB; no conversion may panic here"
)]

mod account;
mod family;
mod maps;
mod packet;
mod policy;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use op25b_common::{
    Reason, Verdict,
    values::{Decision, NO_RULE},
};

use crate::{
    family::{Family, V4, V6},
    packet::{Network, Packet, TcpPort, ethernet},
};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached: a program that could reach it does not load.
    loop {}
}

/// Judges what subscribers send (the verdict table's column "subscriber interface").
#[xdp(frags)]
pub fn op25b_subscribe(ctx: XdpContext) -> u32 {
    let packet = Packet::new(&ctx);
    match ethernet::network_layer(&packet) {
        Ok((Network::V4, offset)) => network_packet::<V4>(&packet, offset),
        Ok((Network::V6, offset)) => network_packet::<V6>(&packet, offset),
        Err(reason) => untouched(reason),
    }
}

/// Judges the IPv4 or IPv6 packet that starts at `offset`.
#[inline(always)]
fn network_packet<F: Family>(packet: &Packet<'_>, offset: usize) -> u32 {
    let port = match F::tcp_port(packet, offset) {
        Ok(port) => port,
        Err(reason) => return untouched(reason),
    };
    if let TcpPort::Known(port) = port
        && !policy::is_blocked_port(port)
    {
        return untouched(Reason::OtherPort);
    }
    let Some((source, destination)) = F::addresses(packet, offset) else {
        return untouched(Reason::NotIp);
    };
    let decision = match port {
        TcpPort::Known(_) => policy::judge::<F>(source, destination),
        TcpPort::Hidden => policy::judge_hidden::<F>(source),
    };
    account::count(&decision);
    account::log::<F>(packet, &decision, source, destination);
    account::trace(decision);
    action(&decision)
}

/// Ends a packet that is none of our business: nothing is counted, no map is read.
#[inline(always)]
fn untouched(reason: Reason) -> u32 {
    let decision = Decision {
        reason: reason as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    };
    account::trace(decision);
    xdp_action::XDP_PASS
}

#[inline(always)]
fn action(decision: &Decision) -> u32 {
    if decision.verdict == Verdict::Drop as u32 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}
