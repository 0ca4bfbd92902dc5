//! Events: what is shown of single packets, in a ring buffer and, to find a fault, in the log. Without either, the verifier
//! removes all of this.
//!
//! [`turn`] is when one is offered, and [`sample`] which of those are shown. Functions here that are not inlined are verified by
//! themselves, each for any argument; where the kernel verifies them without a caller (before Linux 6.8), their first comparison
//! ends that.

mod sample;
pub mod turn;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_ktime_get_boot_ns};
use op25b_common::{
    Reason,
    event::{Allowance, PacketEvent, ShowEvents},
    values::{Decision, RuleIndex},
};
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        Bytes as _,
        flow::{Flow, UNKNOWN_FLAGS},
        line::Line,
    },
};

use self::turn::Turn;
use super::diagnostics;
use crate::{framing::Configured, maps};

/// Whether anything is shown of single packets.
#[inline(always)]
pub fn is_on() -> bool {
    maps::SHOW_EVENTS.load() != ShowEvents::None as u8
}

/// Whether events are written to the ring buffer.
#[inline(always)]
fn are_written() -> bool {
    maps::SHOW_EVENTS.load() > ShowEvents::Logged as u8
}

/// Whether packets with this reason have events: those that are blocked, that hide their ports or that would be blocked if the
/// pool was enforced, and if that is enabled, those of exemptions.
#[inline(always)]
fn has_event(reason: u32, from_uplink: bool) -> bool {
    const BLOCKED: u32 = Reason::Blocked as u32;
    const MONITORED: u32 = Reason::Monitored as u32;
    const UNINSPECTABLE: u32 = Reason::Uninspectable as u32;
    const EXEMPT: u32 = Reason::Exempt as u32;
    const NOT_POOLED: u32 = Reason::NotPooled as u32;
    are_written()
        && match reason {
            BLOCKED | MONITORED | UNINSPECTABLE => true,
            EXEMPT => maps::SHOW_EVENTS.load() == ShowEvents::FilteredAndExempt as u8,
            // What subscribers in no pool send is dropped, or will be from a date on.
            NOT_POOLED => maps::DROP_UNLISTED.load() == 1 && !from_uplink,
            _ => false,
        }
}

/// Offers the packet of a decision whose turn has come: it is shown if there is room among those of its [`Allowance`].
#[inline(always)]
pub fn offer(ctx: *mut xdp_md, flow: *const Flow, decision: &Decision, turn: Turn, from_uplink: bool) {
    let mut marks = if from_uplink {
        PacketEvent::IS_FROM_UPLINK
    } else {
        0
    };
    if turn == Turn::First {
        marks |= PacketEvent::IS_FIRST;
    }
    // Of IPv6 it is another one: see below.
    let allowance = match turn {
        Turn::First | Turn::AfterQuiet => Allowance::FreshV4,
        Turn::InSecond => Allowance::Known,
        Turn::Unrecorded | Turn::Not => Allowance::Unrecorded,
    };
    let has_event = has_event(decision.reason, from_uplink);
    let facts = Facts {
        reason: decision.reason as u8,
        verdict: decision.verdict as u8,
        marks,
        allowance: allowance as u8 | if has_event { Facts::HAS_EVENT } else { 0 },
    };
    // The rule is the pool itself, or there is none.
    let pool = if decision.reason == Reason::Exempt as u32 {
        turn::exempt_pool()
    } else {
        decision.rule
    };
    let is_shown = op25b_event(ctx, flow, facts.bits(), pool, decision.rule) != 0;
    // From here, as the stack is that of the longest way through calls.
    if diagnostics::is_logged() && is_shown {
        diagnostics::op25b_log(flow, decision.reason);
    }
}

/// Whether a packet with this reason is shown anywhere.
#[inline(always)]
pub fn is_wanted(reason: u32, from_uplink: bool) -> bool {
    has_event(reason, from_uplink) || diagnostics::is_logged()
}

/// What is known of a packet besides its flow, as one number.
struct Facts {
    reason: u8,
    verdict: u8,
    marks: u8,
    /// The allowance, and whether there is an event and not only a line in the log.
    allowance: u8,
}

impl Facts {
    const HAS_EVENT: u8 = 1 << 7;

    #[inline(always)]
    fn bits(self) -> u32 {
        u32::from_le_bytes([self.reason, self.verdict, self.marks, self.allowance])
    }

    #[inline(always)]
    fn from_bits(bits: u32) -> Self {
        let [reason, verdict, marks, allowance] = bits.to_le_bytes();
        Self {
            reason,
            verdict,
            marks,
            allowance,
        }
    }
}

/// Writes the event of a packet to the ring buffer, or counts that there was no room. Returns 0 if it is not shown, nor logged.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_event(
    ctx: *mut xdp_md,
    flow: *const Flow,
    facts: u32,
    pool: RuleIndex,
    rule: RuleIndex,
) -> u32 {
    if !is_on() {
        return 0;
    }
    let facts = Facts::from_bits(facts);
    let mut allowance = u32::from(facts.allowance & !Facts::HAS_EVENT);
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let flow = unsafe { flow.as_ref() };
    let (high, low) = match flow {
        Some(flow) => (flow.source.high, flow.source.low),
        None => (station(ctx), 0),
    };
    // Only what subscribers send is recorded.
    if allowance == Allowance::FreshV4 as u32 && flow.is_some_and(|flow| flow.has(Flow::SOURCE_V6)) {
        allowance = Allowance::FreshV6 as u32;
    }
    if sample::op25b_ev_sample(allowance, high, low) == 0 {
        return 0;
    }
    if are_written() && facts.allowance & Facts::HAS_EVENT != 0 {
        write(ctx, flow, &facts, pool, rule);
    }
    1
}

/// Whose frame it is, if it has no other address: its source MAC address and what follows.
#[inline(always)]
fn station(ctx: *mut xdp_md) -> u64 {
    const SOURCE_MAC: u32 = 6;
    Fetched(ctx).bytes::<8>(SOURCE_MAC).map_or(0, u64::from_be_bytes)
}

#[inline(always)]
fn write(ctx: *mut xdp_md, flow: Option<&Flow>, facts: &Facts, pool: RuleIndex, rule: RuleIndex) {
    // Before there is an entry: the verifier wants it to be handed back on every way out.
    let line = Line::from_bits(op25b_ev_line(ctx));
    let length = Fetched(ctx).length();
    let Some(mut entry) = maps::EVENTS.reserve(0) else {
        return count(Reason::COUNT as u32 + u32::from(facts.reason));
    };
    let event: *mut PacketEvent = entry.as_mut_ptr();
    // SAFETY: the entry has room for an event, of which any bits are valid.
    let event = unsafe {
        event.cast::<[u64; size_of::<PacketEvent>() / 8]>().write(NOTHING);
        &mut *event
    };
    // SAFETY: the helper has no preconditions; the kernel gives every program a valid context.
    (event.time, event.interface) = unsafe { (bpf_ktime_get_boot_ns(), (*ctx).ingress_ifindex) };
    (event.pool, event.rule, event.length) = (pool, rule, length);
    (event.vlans, event.pppoe_session) = (line.vlans, line.pppoe_session);
    (event.reason, event.verdict, event.marks) = (facts.reason, facts.verdict, facts.marks);
    if let Some(flow) = flow {
        describe(event, flow);
    }
    entry.submit(0);
    count(facts.reason.into());
}

/// What is not known of a packet is zero.
const NOTHING: [u64; size_of::<PacketEvent>() / 8] = [0; size_of::<PacketEvent>() / 8];

/// Adds what can be read of a flow.
#[inline(always)]
fn describe(event: &mut PacketEvent, flow: &Flow) {
    event.marks |= PacketEvent::HAS_ADDRESSES;
    event.source = flow.source().mapped();
    event.destination = flow.destination().mapped();
    let levels = flow.tunnels.to_le_bytes();
    event.tunnels = levels.into_iter().fold(0, |all, level| all | level);
    let has_ports = !flow.has(Flow::HIDDEN);
    if has_ports {
        event.marks |= PacketEvent::HAS_PORTS;
        event.source_port = flow.source_port as u16;
        event.destination_port = flow.destination_port as u16;
        if flow.tcp_flags != UNKNOWN_FLAGS {
            event.marks |= PacketEvent::HAS_FLAGS;
            event.tcp_flags = flow.tcp_flags as u8;
        }
    }
}

/// Counts an event on this CPU.
#[inline(always)]
fn count(slot: u32) {
    if let Some(counter) = maps::EVENT_COUNTS.get_ptr_mut(slot) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}

/// The line of a frame, as a number: it is parsed again for the few frames that are shown.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_ev_line(ctx: *mut xdp_md) -> u64 {
    if !are_written() {
        return 0;
    }
    Line::read(&Fetched(ctx), &Configured(ctx)).bits()
}
