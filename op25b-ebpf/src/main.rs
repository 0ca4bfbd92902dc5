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

mod account;
mod act;
mod address;
mod classify;
mod clock;
mod frame;
mod glance;
mod instructions;
mod maps;
mod packet;
mod policy;
mod segment;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    macros::xdp,
    programs::XdpContext,
};
use op25b_common::{
    Reason, Verdict, action,
    values::{Class, Decision, NO_RULE},
};

use crate::{
    address::Address,
    frame::{Fetched, Frame},
    glance::Seen,
    packet::{
        Network, Ports, TCP, Upper,
        ethernet::{self, Link},
        ipv4, ipv6,
    },
    policy::Facts,
    segment::{Segment, UNKNOWN_FLAGS},
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
    let (network, link) = match ethernet::network_layer(&Frame(ctx.ctx)) {
        Ok(found) => found,
        Err(Reason::Uninspectable) => return judge_tags(),
        Err(reason) => return untouched(reason),
    };
    let mut segment = match glance::glance(ctx.ctx, network, link, |_, to| policy::is_blocked_port(to)) {
        Seen::Untouched(reason) => return untouched(reason),
        Seen::Segment(segment) => segment,
        Seen::Unclear => match outermost(&ctx, network, link, maps::TUNNELS.load()) {
            Ok(segment) => segment,
            Err(reason) => return untouched(reason),
        },
    };
    if segment.upper.protocol != TCP {
        let reason = enter_tunnel(ctx.ctx, &raw mut segment);
        if reason == Reason::LaterFragment as u32 {
            return untouched(Reason::LaterFragment);
        } else if reason != FOUND {
            return untouched(Reason::NotTcp);
        }
    }
    if !segment.has(Segment::HIDDEN) && !policy::is_blocked_port(segment.destination_port) {
        return untouched(Reason::OtherPort);
    }
    if segment.has(Segment::UNREAD) {
        read_rest(ctx.ctx, &raw mut segment);
    }
    let action = judge(ctx.ctx, &raw const segment);
    if action == xdp_action::XDP_TX {
        answer(&ctx, &segment)
    } else {
        action
    }
}

/// Judges what the Internet sends: the mirror of the above.
#[xdp(frags)]
pub fn op25b_uplink(ctx: XdpContext) -> u32 {
    // Nobody hides what a mail server sends: a frame with many tags is no matter of ours.
    let Ok((network, link)) = ethernet::network_layer(&Frame(ctx.ctx)) else {
        return untouched(Reason::NotIp);
    };
    let mut segment = match glance::glance(ctx.ctx, network, link, matters_on_uplink) {
        Seen::Untouched(reason) => return untouched(reason),
        Seen::Segment(segment) => segment,
        Seen::Unclear => match outermost(&ctx, network, link, 0) {
            Ok(segment) => segment,
            Err(reason) => return untouched(reason),
        },
    };
    if !segment.has(Segment::HIDDEN) && !matters_on_uplink(segment.source_port, segment.destination_port) {
        return untouched(Reason::OtherPort);
    }
    if segment.has(Segment::UNREAD) {
        read_rest(ctx.ctx, &raw mut segment);
    }
    segment.flags |= Segment::UPLINK;
    judge(ctx.ctx, &raw const segment)
}

/// Whether it is our business what comes from this port, or to this one.
#[inline(always)]
fn matters_on_uplink(source: u32, destination: u32) -> bool {
    policy::is_blocked_port(source) || maps::BLOCK_INBOUND.load() == 1 && policy::is_blocked_port(destination)
}

/// Judges a frame with more tags than are looked behind. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_tags() -> u32 {
    let decision = policy::judge_unaddressed();
    account::count(&decision, false);
    account::trace(decision);
    if decision.verdict == Verdict::Drop as u32 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// Sends an answer to a rejected segment, or drops it if there must be none.
#[inline(always)]
fn answer(ctx: &XdpContext, segment: &Segment) -> u32 {
    if act::answer(&Fetched(ctx.ctx), segment) {
        return xdp_action::XDP_TX;
    }
    account::trace_verdict(Verdict::Drop);
    xdp_action::XDP_DROP
}

/// What stands behind the frame's first IP header: a TCP segment, or something else if it may be one of these tunnels.
#[inline(always)]
fn outermost(ctx: &XdpContext, network: Network, link: Link, tunnels: u8) -> Result<Segment, Reason> {
    let frame = Fetched(ctx.ctx);
    let mut upper = match network {
        Network::V4 => ipv4::upper(&frame, link.length)?,
        Network::V6 => ipv6::header(&frame, link.length)?,
    };
    if network == Network::V6 && ipv6::is_extension(upper.protocol) {
        skip_extensions(ctx.ctx, &raw mut upper);
    }
    let ports = if tunnels == 0 || upper.protocol == TCP {
        upper.ports(&frame)?
    } else {
        Ports::NONE
    };
    Ok(Segment::new(link, network, upper, ports))
}

/// What [`enter_tunnel`] answers for a segment; a [`Reason`] otherwise.
const FOUND: u32 = u32::MAX;

/// Goes from an IPv6 extension header to what stands behind the last one. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn skip_extensions(ctx: *mut xdp_md, upper: *mut Upper) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    if let Some(upper) = unsafe { upper.as_mut() } {
        ipv6::behind_extensions(&Fetched(ctx), upper);
    }
    0
}

/// Goes from a tunnel's outer packet to the segment inside. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enter_tunnel(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: as above.
    let Some(segment) = (unsafe { segment.as_mut() }) else {
        return Reason::NotTcp as u32;
    };
    match segment.enter_tunnel(&Fetched(ctx), maps::TUNNELS.load()) {
        Ok(()) => FOUND,
        Err(reason) => reason as u32,
    }
}

/// Reads a segment's addresses and flags, where a glance was not enough. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn read_rest(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: as above.
    if let Some(segment) = unsafe { segment.as_mut() } {
        segment.read_rest(&Fetched(ctx));
    }
    0
}

/// Judges a segment whose port is blocked or hidden, and does what there is to do. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge(ctx: *mut xdp_md, segment: *const Segment) -> u32 {
    // SAFETY: as above.
    let Some(segment) = (unsafe { segment.as_ref() }) else {
        return xdp_action::XDP_PASS;
    };
    account::name_description();
    if segment.tunnels != 0 && !looks_into(ctx, segment.tunnels) {
        return untouched(Reason::NotTcp);
    }
    let from_uplink = segment.has(Segment::UPLINK);
    let (source, destination) = (segment.source(), segment.destination());
    let (local, remote) = if from_uplink {
        (&destination, &source)
    } else {
        (&source, &destination)
    };
    let class = classify::source(local);
    let mut decision = if segment.has(Segment::UNADDRESSED) {
        policy::judge_unaddressed()
    } else if segment.has(Segment::HIDDEN) {
        policy::judge_hidden(class)
    } else {
        judge_ports(segment, class, local, remote)
    };
    account::log(segment, &decision);
    // The Internet is told nothing: what comes from there may be forged.
    if decision.reason == Reason::Blocked as u32 && !from_uplink && maps::ACTION.load() != action::DROP {
        decision.verdict = Verdict::Reject as u32;
    }
    account::count(&decision, from_uplink);
    account::trace(decision);
    if decision.verdict == Verdict::Reject as u32 {
        xdp_action::XDP_TX
    } else if decision.verdict == Verdict::Drop as u32 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// Whether these tunnels are looked into on the interface that the packet came in on.
///
/// Asked only now: before, the packet was not known to be TCP to a blocked port, and no map is for others.
#[inline(always)]
fn looks_into(ctx: *mut xdp_md, tunnels: u32) -> bool {
    let interface = XdpContext::new(ctx).ingress_ifindex() as u32;
    // SAFETY: nobody changes the entry while the program is attached.
    unsafe { maps::TUNNELS_BY_IF.get(interface) }.is_some_and(|enabled| tunnels & !enabled == 0)
}

/// Judges a segment that shows its ports, and remembers it for its subscriber.
#[inline(always)]
fn judge_ports(
    segment: &Segment,
    class: Option<&'static Class>,
    local: &Address,
    remote: &Address,
) -> Decision {
    let facts = facts(segment);
    let decision = policy::judge(class, remote, facts);
    let is_remembered =
        decision.reason == Reason::Blocked as u32 || decision.reason == Reason::Monitored as u32;
    if is_remembered
        && !facts.from_uplink
        && let Some(class) = class
    {
        account::remember(class, local, remote, decision.reason, !facts.is_established);
    }
    decision
}

/// What row `established` needs to know.
#[inline(always)]
fn facts(segment: &Segment) -> Facts {
    let from_uplink = segment.has(Segment::UPLINK);
    let flags = segment.tcp_flags;
    let (syn, ack) = (flags & act::SYN != 0, flags & act::ACK != 0);
    // A server's answer opens a connection as much as the SYN that it answers.
    let is_answer = from_uplink && policy::is_blocked_port(segment.source_port);
    let opens = syn && (is_answer || !ack);
    let is_established = flags != UNKNOWN_FLAGS && !opens;
    Facts {
        from_uplink,
        is_established,
    }
}

/// Ends a packet that is none of our business: nothing is counted, no map is read.
#[inline(always)]
fn untouched(reason: Reason) -> u32 {
    account::trace(Decision {
        reason: reason as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    });
    xdp_action::XDP_PASS
}
