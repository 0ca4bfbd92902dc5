//! What is remembered of a decision: the counter of its reason and, if asked for at load time, a log line and
//! the decision itself.

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};
use aya_log_ebpf::{
    debug,
    macro_support::{Level, level_enabled},
};
use op25b_common::{Reason, Verdict, values::Decision};

use crate::{
    family::{Family, V4, V6},
    frame::Fetched,
    maps,
    segment::Segment,
};

/// Counts the packet under its reason, on this CPU.
#[inline(always)]
pub fn count(decision: &Decision, from_uplink: bool) {
    let index = decision.reason + if from_uplink { Reason::COUNT as u32 } else { 0 };
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}

/// Keeps the decision for whoever ran the program by hand; removed by the verifier unless asked for.
#[inline(always)]
pub fn trace(decision: Decision) {
    if maps::TRACE.load() == 1
        && let Some(slot) = maps::DECISION.get_ptr_mut(0)
    {
        // SAFETY: the slot is valid; only test runs set TRACE, one packet at a time.
        unsafe { *slot = decision };
    }
}

/// Corrects the verdict of the decision that is kept.
#[inline(always)]
pub fn trace_verdict(verdict: Verdict) {
    if maps::TRACE.load() == 1
        && let Some(slot) = maps::DECISION.get_ptr_mut(0)
    {
        // SAFETY: as for the whole decision.
        unsafe { (*slot).verdict = verdict as u32 };
    }
}

/// Names the map with the policy's description, which only user space reads.
///
/// The kernel lists as a program's maps those that its code names, removed or not: this lets `op25b status` get from the
/// program to its policy.
#[inline(always)]
pub fn name_description() {
    if maps::TRACE.load() == 1 {
        let _ = maps::DESCRIPTION.get_ptr(0);
    }
}

/// Logs the decision, if the log level asks for it.
#[inline(always)]
pub fn log(ctx: *mut xdp_md, segment: &Segment, decision: &Decision) {
    if level_enabled(Level::Debug) {
        log_decision(ctx, segment, decision.reason);
    }
}

/// Writes one log line. Verified by itself; without logging nothing calls it, and the verifier removes it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_decision(ctx: *mut xdp_md, segment: *const Segment, reason: u32) -> u32 {
    // SAFETY: the verifier holds callers to a valid segment, and this function to the null check.
    let Some(segment) = (unsafe { segment.as_ref() }) else {
        return 0;
    };
    let written = match (
        segment.has(Segment::SOURCE_V6),
        segment.has(Segment::DESTINATION_V6),
    ) {
        (false, false) => write::<V4, V4>(ctx, segment, reason),
        (true, true) => write::<V6, V6>(ctx, segment, reason),
        (true, false) => write::<V6, V4>(ctx, segment, reason),
        (false, true) => None,
    };
    u32::from(written.is_some())
}

#[inline(always)]
fn write<S: Family, D: Family>(ctx: *mut xdp_md, segment: &Segment, reason: u32) -> Option<()> {
    let frame = Fetched(ctx);
    let source = S::address(&frame, segment.source_network + S::SOURCE_OFFSET)?;
    let destination = D::address(&frame, segment.destination_network + D::DESTINATION_OFFSET)?;
    // Masked, where the verifier sees it: the compiler may know better and leave a comparison out.
    let name = NAMES.get(core::hint::black_box(reason) as usize & (NAMES.len() - 1))?;
    // SAFETY: the names are ASCII.
    let name = unsafe { str::from_utf8_unchecked(name) };
    debug!(XdpContext::new(ctx), "{} {:i} -> {:i}", name, source, destination);
    Some(())
}

const NAME_LENGTH: usize = 13;

/// The reasons' names, all of one length: texts behind pointers would need relocations that the kernel does not do.
static NAMES: [[u8; NAME_LENGTH]; Reason::COUNT.next_power_of_two()] = {
    let mut names = [[b' '; NAME_LENGTH]; Reason::COUNT.next_power_of_two()];
    let mut index = 0;
    while index < Reason::COUNT {
        let name = Reason::ALL[index].name().as_bytes();
        let mut letter = 0;
        while letter < name.len() && letter < NAME_LENGTH {
            names[index][letter] = name[letter];
            letter += 1;
        }
        index += 1;
    }
    names
};
