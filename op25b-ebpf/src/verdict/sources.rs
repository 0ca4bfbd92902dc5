//! Which source of a tunnelled segment decides, where several are asked.
//!
//! All sources are what the sender writes: a subscriber who forges an exempt inner one still has an outer one. The verdict
//! table is applied to each, and the strictest of the decisions is the packet's.

use op25b_common::{
    Reason, Verdict,
    values::{Decision, NO_RULE},
};
use op25b_ebpf::parse::{flow::Flow, segment::Segment};

use super::{
    classify::{self, steps},
    decide, facts,
};

/// How strict a decision on a source is.
mod strictness {
    /// The packet passes.
    pub const PASS: u32 = 0;
    /// It passes, and would not if the source's pool was enforced.
    pub const MONITOR: u32 = 1;
    /// It does not pass.
    pub const DROP: u32 = 2;
}

/// Makes an outer source of a segment its source if the decision on that one is stricter. Of equally strict ones the inner
/// one decides.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_choose_source(segment: *mut Segment) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(segment) = (unsafe { segment.as_mut() }) else {
        return 0;
    };
    let mut strictest = strictness::PASS;
    let mut chosen = None;
    for (number, outer) in segment.outer_sources.iter().enumerate() {
        if let Some(address) = outer.address() {
            let strictness = op25b_strictness(segment, number as u32);
            // The inner ones come later.
            if strictness >= strictest && strictness != strictness::PASS {
                strictest = strictness;
                chosen = Some(address);
            }
        }
    }
    if let Some(address) = chosen
        && op25b_strictness(segment, INNER) < strictest
    {
        segment.set_source(address);
    }
    0
}

/// Stands for the inner source.
const INNER: u32 = u32::MAX;

/// How strict the decision is if one of a segment's sources decides: the outer one with this number, or [`INNER`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_strictness(segment: *const Segment, number: u32) -> u32 {
    // SAFETY: as above.
    let Some(segment) = (unsafe { segment.as_ref() }) else {
        return strictness::PASS;
    };
    let flow = &segment.flow;
    let source = if number == INNER {
        Some(flow.source())
    } else if number == 0 {
        segment.outer_sources[0].address()
    } else {
        segment.outer_sources[1].address()
    };
    let Some(source) = source else {
        return strictness::PASS;
    };
    let class = classify::source::<{ steps::NONE }>(&source);
    // An outer source in no pool has no say: it may be a concentrator, which carries many subscribers, and which need not be
    // in the policy where unlisted sources are dropped.
    if number != INNER && class.is_none_or(|class| class.pool == NO_RULE) {
        return strictness::PASS;
    }
    let Decision { reason, verdict, .. } = if flow.has(Flow::HIDDEN) {
        decide::hidden(class, false)
    } else {
        decide::segment(class, &flow.destination(), facts(false, flow))
    };
    if verdict != Verdict::Pass as u32 {
        strictness::DROP
    } else if reason == Reason::Monitored as u32 {
        strictness::MONITOR
    } else {
        strictness::PASS
    }
}
