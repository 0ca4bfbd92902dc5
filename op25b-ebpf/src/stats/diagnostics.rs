//! To find a fault: a log line on a decision through aya-log, and the last decision in a map.
//!
//! Functions here that are not inlined are verified by themselves, each for any argument.

use aya_log_ebpf::{
    debug,
    macro_support::{Argument, IpFormatter, Level, level_enabled},
};
use op25b_common::{Reason, Verdict, values::Decision};
use op25b_ebpf::{bpf::instructions, parse::flow::Flow};

use crate::maps;

/// Keeps the decision for `op25b explain` and tests; removed by the verifier unless enabled.
#[inline(always)]
pub fn trace(decision: Decision) {
    if maps::TRACE.load() == 1 {
        op25b_trace(decision.reason, decision.verdict, decision.rule);
    }
}

/// Keeps a decision. A function, so that no register is set aside for it on the path of every packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_trace(reason: u32, verdict: u32, rule: u32) -> u32 {
    if let Some(slot) = maps::DECISION.get_ptr_mut(0) {
        // SAFETY: the slot is valid; only test runs set TRACE, one packet at a time.
        unsafe {
            *slot = Decision {
                reason,
                verdict,
                rule,
            }
        };
    }
    0
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

/// Whether decisions are logged; if not, the verifier removes the code for it.
#[inline(always)]
pub fn is_logged() -> bool {
    level_enabled(Level::Debug)
}

/// Writes one log line. Without logging nothing calls it, and the verifier removes it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_log(flow: *const Flow, reason: u32) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(flow) = (unsafe { flow.as_ref() }) else {
        return 0;
    };
    let (source, destination) = (flow.source(), flow.destination());
    // In a tunnel they may be of two versions. Each pair of types is a function's worth of instructions to verify.
    let written = if source.is_v6 || destination.is_v6 {
        write(reason, source.mapped(), destination.mapped())
    } else {
        write(reason, source.v4_key(), destination.v4_key())
    };
    u32::from(written.is_some())
}

#[inline(always)]
fn write<A: IpFormatter + Argument>(reason: u32, source: A, destination: A) -> Option<()> {
    // Masked, where the verifier sees it: the compiler may know better and leave a comparison out.
    let name = NAMES.get(instructions::opaque(u64::from(reason)) as usize & (NAMES.len() - 1))?;
    // SAFETY: the names are ASCII.
    let name = unsafe { str::from_utf8_unchecked(name) };
    debug!((), "{} {:i} -> {:i}", name, source, destination);
    Some(())
}

/// The names of the reasons that are counted, and thus logged, all of one length: pointers to texts would need relocations
/// that the kernel does not do. A name that is longer does not compile.
static NAMES: [[u8; Reason::NAME_WIDTH]; Reason::COUNT.next_power_of_two()] = {
    let mut names = [[b' '; Reason::NAME_WIDTH]; Reason::COUNT.next_power_of_two()];
    let mut index = 0;
    while index < Reason::COUNT {
        let reason = Reason::ALL[index];
        let name = reason.name().as_bytes();
        let mut letter = 0;
        while reason.is_counted() && letter < name.len() {
            names[index][letter] = name[letter];
            letter += 1;
        }
        index += 1;
    }
    names
};
