//! From a segment whose port is blocked or hidden to an action: judged, remembered, counted, and answered if it is to be.
//!
//! Functions here that are not inlined are verified by themselves, each for any argument.

pub mod classify;
pub mod clock;
pub mod decide;

use core::ptr;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    programs::XdpContext,
};
use op25b_common::{
    Action, Reason, Verdict,
    values::{Class, Decision, NO_RULE},
};
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        address::Address,
        flow::{Flow, UNKNOWN_FLAGS},
        tcp,
    },
};

use self::decide::Facts;
use crate::{fast_path::descriptor::Descriptor, maps, reject, stats};

/// Ends a packet that is not filtered: nothing is counted, no map is read.
#[inline(always)]
pub fn pass(reason: Reason) -> u32 {
    stats::trace(Decision {
        reason: reason as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    });
    xdp_action::XDP_PASS
}

/// Judges a segment from a subscriber whose port is blocked or hidden; `XDP_TX` if it is to be answered.
///
/// What there is to judge is the flow, or without one an ordinary segment, of which `bits` say where it is.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge(ctx: *mut xdp_md, bits: u32, flow: *const Flow) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer or none.
    judge_from::<false>(ctx, bits, unsafe { flow.as_ref() })
}

/// Judges a segment from the Internet, likewise.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_on_uplink(ctx: *mut xdp_md, bits: u32, flow: *const Flow) -> u32 {
    // SAFETY: as above.
    judge_from::<true>(ctx, bits, unsafe { flow.as_ref() })
}

/// Judges an ordinary segment from a subscriber, where a policy rejects, and answers it if it is to be.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_and_answer(ctx: *mut xdp_md, bits: u32) -> u32 {
    let action = judge(ctx, bits, ptr::null());
    if action != xdp_action::XDP_TX {
        return action;
    }
    if let Some(segment) = Descriptor::from_bits(bits).segment(ctx) {
        reject::answer_or_drop(&Fetched(ctx), &segment)
    } else {
        stats::trace_verdict(Verdict::Drop);
        xdp_action::XDP_DROP
    }
}

#[inline(always)]
fn judge_from<const UPLINK: bool>(ctx: *mut xdp_md, bits: u32, flow: Option<&Flow>) -> u32 {
    stats::name_maps();
    let flow = match flow {
        Some(flow) if flow.tunnels != 0 && !looks_into(ctx, flow.tunnels) => {
            return pass(Reason::NotTcp);
        }
        Some(flow) => *flow,
        None => match Descriptor::from_bits(bits).flow(ctx) {
            Some(flow) => flow,
            None => return xdp_action::XDP_PASS,
        },
    };
    let (source, destination) = (flow.source(), flow.destination());
    let (local, remote) = if UPLINK {
        (&destination, &source)
    } else {
        (&source, &destination)
    };
    let class = classify::source(local);
    let decision = if flow.has(Flow::UNADDRESSED) {
        decide::judge_unaddressed()
    } else if flow.has(Flow::HIDDEN) {
        decide::judge_hidden(class)
    } else {
        judge_ports(class, local, remote, facts(UPLINK, &flow))
    };
    if stats::is_logged() {
        stats::log(flow, &decision);
    }
    conclude(decision, UPLINK)
}

/// Judges a frame with more tags than are looked behind.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_tags() -> u32 {
    let decision = decide::judge_unaddressed();
    stats::count(&decision, false);
    stats::trace(decision);
    if decision.verdict == Verdict::Drop as u32 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// Counts a decision and says what comes of it; `XDP_TX` for what is to be answered.
#[inline(always)]
fn conclude(mut decision: Decision, from_uplink: bool) -> u32 {
    // The Internet is told nothing: what comes from there may be forged.
    if decision.reason == Reason::Blocked as u32 && !from_uplink && maps::ACTION.load() != Action::Drop as u8
    {
        decision.verdict = Verdict::Reject as u32;
    }
    stats::count(&decision, from_uplink);
    stats::trace(decision);
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
fn judge_ports(class: Option<&'static Class>, local: &Address, remote: &Address, facts: Facts) -> Decision {
    let decision = decide::judge(class, remote, facts);
    let is_remembered =
        decision.reason == Reason::Blocked as u32 || decision.reason == Reason::Monitored as u32;
    if is_remembered
        && !facts.from_uplink
        && let Some(class) = class
    {
        stats::remember(class, local, remote, decision.reason, !facts.is_established);
    }
    decision
}

/// What row `established` needs to know.
#[inline(always)]
fn facts(from_uplink: bool, flow: &Flow) -> Facts {
    let flags = flow.tcp_flags;
    let (syn, ack) = (flags & tcp::SYN != 0, flags & tcp::ACK != 0);
    // A server's answer opens a connection as much as the SYN that it answers.
    let is_answer = from_uplink && decide::is_blocked_port(flow.source_port);
    let opens = syn && (is_answer || !ack);
    let is_established = flags != UNKNOWN_FLAGS && !opens;
    Facts {
        from_uplink,
        is_established,
    }
}
