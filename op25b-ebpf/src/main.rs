//! The XDP programs for subscriber and uplink interfaces: which packets leave, decided packet by packet.
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
mod family;
mod frame;
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
    values::{Decision, NO_RULE},
};

use crate::{
    frame::{Fetched, Frame},
    packet::{
        Network, Ports, TCP, Upper,
        ethernet::{self, Link},
        ipv4, ipv6,
    },
    policy::Facts,
    segment::Segment,
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
    match segment(&ctx) {
        Ok(segment) if segment.has(Segment::HIDDEN) || policy::is_blocked_port(segment.destination_port) => {
            let action = judge(ctx.ctx, &raw const segment);
            if action == xdp_action::XDP_TX {
                answer(&ctx, &segment)
            } else {
                action
            }
        }
        Ok(_) => untouched(Reason::OtherPort),
        Err(Reason::Uninspectable) => judge_tags(),
        Err(reason) => untouched(reason),
    }
}

/// Judges what the Internet sends: the mirror of the above.
#[xdp(frags)]
pub fn op25b_uplink(ctx: XdpContext) -> u32 {
    let mut segment = match segment_without_tunnels(&ctx) {
        Ok(segment) => segment,
        // Nobody hides what a mail server sends: such a frame is no matter of ours.
        Err(Reason::Uninspectable) => return untouched(Reason::NotIp),
        Err(reason) => return untouched(reason),
    };
    let is_answer = policy::is_blocked_port(segment.source_port);
    let is_inbound = maps::BLOCK_INBOUND.load() == 1 && policy::is_blocked_port(segment.destination_port);
    if !(segment.has(Segment::HIDDEN) || is_answer || is_inbound) {
        return untouched(Reason::OtherPort);
    }
    segment.flags |= Segment::UPLINK;
    judge(ctx.ctx, &raw const segment)
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

/// The TCP segment in the frame, looked for in tunnels too.
#[inline(always)]
fn segment(ctx: &XdpContext) -> Result<Segment, Reason> {
    let (network, link, upper) = outermost(ctx)?;
    let enabled = maps::TUNNELS.load();
    if enabled == 0 || upper.protocol == TCP {
        let ports = upper.ports(&Frame(ctx.ctx))?;
        return Ok(Segment::new(link, network, upper, ports));
    }
    let mut segment = Segment::new(
        link,
        network,
        upper,
        Ports::Known {
            source: 0,
            destination: 0,
        },
    );
    match enter_tunnel(ctx.ctx, &raw mut segment) {
        FOUND => Ok(segment),
        reason if reason == Reason::LaterFragment as u32 => Err(Reason::LaterFragment),
        _ => Err(Reason::NotTcp),
    }
}

/// The TCP segment in the frame.
#[inline(always)]
fn segment_without_tunnels(ctx: &XdpContext) -> Result<Segment, Reason> {
    let (network, link, upper) = outermost(ctx)?;
    let ports = upper.ports(&Frame(ctx.ctx))?;
    Ok(Segment::new(link, network, upper, ports))
}

/// What the frame's first IP header leads to.
#[inline(always)]
fn outermost(ctx: &XdpContext) -> Result<(Network, Link, Upper), Reason> {
    let frame = Frame(ctx.ctx);
    let (network, link) = ethernet::network_layer(&frame)?;
    let mut upper = match network {
        Network::V4 => ipv4::upper(&frame, link.length)?,
        Network::V6 => ipv6::header(&frame, link.length)?,
    };
    if network == Network::V6 && ipv6::is_extension(upper.protocol) {
        skip_extensions(ctx.ctx, &raw mut upper);
    }
    Ok((network, link, upper))
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
    let frame = Fetched(ctx);
    let from_uplink = segment.has(Segment::UPLINK);
    let (local, remote) = if from_uplink {
        (segment.destination(), segment.source())
    } else {
        (segment.source(), segment.destination())
    };
    let mut decision = if segment.has(Segment::UNADDRESSED) {
        policy::judge_unaddressed()
    } else if segment.has(Segment::HIDDEN) {
        policy::judge_hidden(&frame, local)
    } else {
        policy::judge(&frame, local, remote, facts(&frame, segment))
    };
    account::log(ctx, segment, &decision);
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

/// What row `established` needs to know; the flags are read only if the policy asks.
#[inline(always)]
fn facts(frame: &Fetched, segment: &Segment) -> Facts {
    let from_uplink = segment.has(Segment::UPLINK);
    let flags = if maps::MATCH_NEW.load() == 1 {
        segment.tcp_flags(frame)
    } else {
        None
    };
    let is_established = flags.is_some_and(|flags| {
        let (syn, ack) = (u32::from(flags) & act::SYN != 0, u32::from(flags) & act::ACK != 0);
        // A server's answer opens a connection as much as the SYN that it answers.
        let is_answer = from_uplink && policy::is_blocked_port(segment.source_port);
        !(syn && (is_answer || !ack))
    });
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
