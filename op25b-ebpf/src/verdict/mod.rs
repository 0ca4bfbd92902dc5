//! From a segment whose port is blocked or hidden to an XDP action: its addresses are looked up, the verdict table is
//! applied, and the decision is counted and recorded.
//!
//! [`verdict`] is compiled into one function for each path: [`op25b_fast_verdict`] reads the segment at the place in the
//! fast path's descriptor, [`op25b_slow_verdict`] takes the slow path's flow; both exist once more for uplinks. Functions
//! here that are not inlined are verified by themselves, each for any argument.

pub mod classify;
pub mod clock;
pub mod decide;
pub mod sources;

use aya_ebpf::bindings::{xdp_action, xdp_md};
use op25b_common::{
    Action, Reason, Verdict,
    values::{Decision, NO_RULE, RuleIndex},
};
use op25b_ebpf::parse::{
    flow::{Flow, UNKNOWN_FLAGS},
    tcp,
};

use self::{classify::steps, decide::Facts};
use crate::{
    fast_path::descriptor::Descriptor,
    framing::settings_here,
    maps,
    pass::pass,
    scratch,
    stats::{
        self, counters, diagnostics,
        events::{
            self,
            turn::{self, Turn},
        },
        exempt, subscribers,
    },
};

/// The action on the fast path's segment from a subscriber; `XDP_TX` if it is to be rejected.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_fast_verdict(ctx: *mut xdp_md, descriptor: u32) -> u32 {
    fast_verdict::<false>(ctx, descriptor)
}

/// The action on the fast path's segment from the Internet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_up_fast_verdict(ctx: *mut xdp_md, descriptor: u32) -> u32 {
    fast_verdict::<true>(ctx, descriptor)
}

/// The action on the slow path's flow from a subscriber; `XDP_TX` if it is to be rejected.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_slow_verdict(ctx: *mut xdp_md, flow: *const Flow) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    slow_verdict::<false>(ctx, unsafe { flow.as_ref() })
}

/// The action on the slow path's flow from the Internet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_up_slow_verdict(ctx: *mut xdp_md, flow: *const Flow) -> u32 {
    // SAFETY: as above.
    slow_verdict::<true>(ctx, unsafe { flow.as_ref() })
}

#[inline(always)]
fn fast_verdict<const UPLINK: bool>(ctx: *mut xdp_md, descriptor: u32) -> u32 {
    let descriptor = Descriptor::from_bits(descriptor);
    // Compiled for each IP version by itself, which takes fewer instructions.
    let action = if descriptor.is_v6() {
        (descriptor.flow_v6(ctx)).map(|flow| verdict::<UPLINK, false>(ctx, &flow))
    } else {
        (descriptor.flow_v4(ctx)).map(|flow| verdict::<UPLINK, false>(ctx, &flow))
    };
    action.unwrap_or(xdp_action::XDP_PASS)
}

#[inline(always)]
fn slow_verdict<const UPLINK: bool>(ctx: *mut xdp_md, flow: Option<&Flow>) -> u32 {
    match flow {
        Some(flow) if flow.tunnels != 0 && !are_enabled_here(ctx, flow) => pass(Reason::NotTcp),
        Some(flow) => verdict::<UPLINK, true>(ctx, flow),
        None => xdp_action::XDP_PASS,
    }
}

/// Whether the tunnels of this flow are enabled on the interface that the packet came in on; all of the policy's on one without
/// an entry.
///
/// Looked up only now: before, the packet was not known to be TCP to a blocked port, and no map is read for others.
#[inline(always)]
fn are_enabled_here(ctx: *mut xdp_md, flow: &Flow) -> bool {
    let levels = flow.tunnels.to_le_bytes().map(u32::from);
    settings_here(ctx).is_none_or(|enabled| levels.iter().all(|kinds| *kinds == 0 || kinds & enabled != 0))
}

/// Applies the verdict table to a flow whose port is blocked or hidden, and counts and records the decision.
#[inline(always)]
fn verdict<const UPLINK: bool, const IN_MEMORY: bool>(ctx: *mut xdp_md, flow: &Flow) -> u32 {
    stats::name_maps();
    let (source, destination) = (flow.source(), flow.destination());
    let (local, remote) = if UPLINK {
        (&destination, &source)
    } else {
        (&source, &destination)
    };
    let class = if IN_MEMORY {
        classify::source::<{ steps::NONE }>(local)
    } else {
        classify::source::<{ steps::OF_A_SUBSCRIBER }>(local)
    };
    let (decision, pool) = if flow.has(Flow::UNADDRESSED) {
        turn::note(Turn::Unrecorded);
        (decide::unaddressed(), NO_RULE)
    } else if flow.has(Flow::HIDDEN) {
        match class {
            Some(class) if !UPLINK => subscribers::record_hidden(class, local),
            None if !UPLINK => turn::note(Turn::Unrecorded),
            _ => {}
        }
        let decision = decide::hidden(class, UPLINK);
        (decision, decision.rule)
    } else {
        let facts = facts(UPLINK, flow);
        let decision = decide::segment(class, remote, facts);
        if !UPLINK
            && is_recorded(&decision)
            && let Some(class) = class
        {
            subscribers::record(class, local, remote, decision.reason, !facts.is_established);
            // The rule is the pool: nothing else has to be kept while the record is waited for.
            let pool = decision.rule;
            if decision.reason == Reason::Blocked as u32 && !events::is_on() {
                // With constants in its place, nothing is computed from the decision.
                return conclude(counted(ctx, decide::blocked(pool), pool, UPLINK));
            }
            (decision, pool)
        } else {
            if !UPLINK && decision.reason == Reason::Exempt as u32 && !facts.is_established {
                exempt::count(local);
            }
            (decision, class.map_or(NO_RULE, |class| class.pool))
        }
    };
    let decision = counted(ctx, decision, pool, UPLINK);
    if events::is_on()
        && events::is_wanted(decision.reason, UPLINK)
        && let Some(turn) = turn::take(decision.reason, UPLINK)
    {
        if IN_MEMORY {
            events::offer(ctx, flow, &decision, turn, UPLINK);
        } else if let Some(scratch) = scratch::claim() {
            // It has to be in memory.
            scratch.segment.flow = *flow;
            events::offer(ctx, &raw const scratch.segment.flow, &decision, turn, UPLINK);
            scratch::release(scratch);
        }
    }
    conclude(decision)
}

/// The action on a frame with more tags or labels than are skipped.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_tags_verdict(ctx: *mut xdp_md) -> u32 {
    let decision = counted(ctx, decide::unaddressed(), NO_RULE, false);
    if events::is_on() && events::is_wanted(decision.reason, false) {
        events::offer(ctx, core::ptr::null(), &decision, Turn::Unrecorded, false);
    }
    conclude(decision)
}

/// What is blocked is rejected, if the policy says so. The Internet gets no reply: the source of what comes from there may be forged.
#[inline(always)]
fn with_reply(mut decision: Decision, from_uplink: bool) -> Decision {
    if decision.reason == Reason::Blocked as u32 && !from_uplink && maps::ACTION.load() != Action::Drop as u8
    {
        decision.verdict = Verdict::Reject as u32;
    }
    decision
}

/// A decision on a subscriber of this pool, with the reply, and counted.
#[inline(always)]
fn counted(ctx: *mut xdp_md, decision: Decision, pool: RuleIndex, from_uplink: bool) -> Decision {
    let decision = with_reply(decision, from_uplink);
    counters::count(ctx, &decision, pool, from_uplink);
    decision
}

/// The action of a decision, `XDP_TX` for what is to be rejected.
#[inline(always)]
fn conclude(decision: Decision) -> u32 {
    diagnostics::trace(decision);
    if decision.verdict == Verdict::Reject as u32 {
        xdp_action::XDP_TX
    } else if decision.verdict == Verdict::Drop as u32 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// Whether a segment with this decision is recorded for its subscriber.
#[inline(always)]
fn is_recorded(decision: &Decision) -> bool {
    decision.reason == Reason::Blocked as u32 || decision.reason == Reason::Monitored as u32
}

/// What row `established` depends on.
#[inline(always)]
fn facts(from_uplink: bool, flow: &Flow) -> Facts {
    let flags = flow.tcp_flags;
    let (syn, ack) = (flags & tcp::SYN != 0, flags & tcp::ACK != 0);
    // A server's SYN-ACK opens a connection as much as the SYN that it answers.
    let is_answer = from_uplink && decide::is_blocked_port(flow.source_port);
    let opens = syn && (is_answer || !ack);
    let is_established = flags != UNKNOWN_FLAGS && !opens;
    Facts {
        from_uplink,
        is_established,
    }
}
