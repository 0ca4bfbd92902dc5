//! What is remembered of a decision: the counter of its reason, the subscriber's record and, if asked for at load time, a
//! log line and the decision itself.

use aya_log_ebpf::{
    debug,
    macro_support::{Argument, IpFormatter, Level, level_enabled},
};
use op25b_common::{
    Reason, Verdict,
    values::{Class, Cold, Decision, Hot, Subscriber, SubscriberBlock},
};

use op25b_ebpf::{
    bpf::instructions,
    parse::{address::Address, flow::Flow},
};

use crate::{maps, verdict::clock};

/// Counts the packet under its reason, on this CPU.
#[inline(always)]
pub fn count(decision: &Decision, from_uplink: bool) {
    let index = decision.reason + if from_uplink { Reason::COUNT as u32 } else { 0 };
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}

/// Remembers a packet that was blocked, or would have been, of a subscriber whose class counts them.
#[inline(always)]
pub fn remember(class: &Class, local: &Address, remote: &Address, reason: u32, is_syn: bool) {
    if class.is_counted == 0 {
        return;
    }
    let record = if local.is_v6 {
        record_v6(local.high)
    } else {
        record_v4(local.v4().wrapping_add(class.subscribers))
    };
    let Some((hot, cold)) = record else {
        return;
    };
    // SAFETY: parts of a map's value, which stays valid while the program runs. What several CPUs add up is added atomically;
    // of what is only set, any CPU's value will do.
    unsafe {
        let counter = match (reason == Reason::Blocked as u32, is_syn) {
            (true, true) => &raw mut (*hot).blocked_syns,
            (true, false) => &raw mut (*cold).blocked_others,
            (false, true) => &raw mut (*cold).monitored_syns,
            (false, false) => &raw mut (*cold).monitored_others,
        };
        if *counter < Subscriber::MOST {
            instructions::atomic_add(counter, 1);
        }
        let now = clock::moment().seconds as u32 + 1;
        let last_seen = (*hot).last_seen;
        if last_seen != now {
            // Once a second: the other half of the record need not be near for every packet.
            if (*cold).first_seen == 0 {
                (*cold).first_seen = now;
            }
            (*hot).last_seen = now;
        }
        let destination = sketch(remote);
        if (*hot).destinations & destination == 0 {
            instructions::atomic_or(&raw mut (*hot).destinations, destination);
        }
    }
}

/// Both halves of an IPv4 subscriber's record.
#[inline(always)]
fn record_v4(index: u32) -> Option<(*mut Hot, *mut Cold)> {
    const RECORDS: u32 = SubscriberBlock::RECORDS as u32;
    let block = maps::SUBSCRIBERS_V4.get_ptr_mut(index / RECORDS)?;
    // Masked, where the verifier sees it.
    let place = instructions::opaque(u64::from(index)) as usize & (SubscriberBlock::RECORDS - 1);
    // SAFETY: the block is a map's value, and the place is in it.
    unsafe {
        Some((
            (&raw mut (*block).hot).cast::<Hot>().add(place),
            (&raw mut (*block).cold).cast::<Cold>().add(place),
        ))
    }
}

/// Both halves of an IPv6 subscriber's record, begun if there is none.
#[inline(always)]
fn record_v6(high: u64) -> Option<(*mut Hot, *mut Cold)> {
    let key = high & u64::MAX << (u64::BITS - maps::SUBSCRIBER_BITS.load());
    let record = if let Some(record) = maps::SUBSCRIBERS_V6.get_ptr_mut(key) {
        record
    } else {
        let begun = maps::SUBSCRIBERS_V6.insert(key, Subscriber::default(), 0);
        count_miss(u32::from(begun.is_err()));
        maps::SUBSCRIBERS_V6.get_ptr_mut(key)?
    };
    // SAFETY: a map's value.
    unsafe { Some((&raw mut (*record).hot, &raw mut (*record).cold)) }
}

#[inline(always)]
fn count_miss(index: u32) {
    if let Some(counter) = maps::MISSES_V6.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
        unsafe { *counter += 1 };
    }
}

/// The bit of the destinations' sketch that stands for an address.
#[inline(always)]
fn sketch(remote: &Address) -> u64 {
    /// 2⁶⁴ by the golden ratio (Fibonacci hashing).
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let folded = remote.high ^ remote.high >> 32 ^ remote.low.wrapping_mul(GOLDEN);
    let mixed = folded.wrapping_mul(GOLDEN);
    // Once more, or neighbours would lie at a distance from one another and fill few bits.
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(GOLDEN);
    1 << (mixed >> (u64::BITS - 6))
}

/// Keeps the decision for whoever ran the program by hand; removed by the verifier unless asked for.
#[inline(always)]
pub fn trace(decision: Decision) {
    if maps::TRACE.load() == 1 {
        keep(decision.reason, decision.verdict, decision.rule);
    }
}

/// Keeps a decision. Verified by itself; a function, so that no register is set aside for it on the way of every packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn keep(reason: u32, verdict: u32, rule: u32) -> u32 {
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

/// Names the maps that user space looks for in a program, whatever the program does with them: the policy's description,
/// which it does not read, and subscribers' records, which those on uplink interfaces do not keep.
///
/// The kernel lists as a program's maps those that its code names, removed or not: this lets `op25b status` get from any
/// program of a filter to all that there is to know of it.
#[inline(always)]
pub fn name_maps() {
    if maps::TRACE.load() == 1 {
        let _ = maps::DESCRIPTION.get_ptr(0);
        let _ = maps::SUBSCRIBERS_V4.get_ptr(0);
        let _ = maps::SUBSCRIBERS_V6.get_ptr(0);
        let _ = maps::MISSES_V6.get_ptr(0);
    }
}

/// Whether the log level asks for decisions; if not, the verifier removes what asks.
#[inline(always)]
pub fn is_logged() -> bool {
    level_enabled(Level::Debug)
}

/// Logs a decision. By value: the copy is all that has to be in memory.
#[inline(always)]
pub fn log(flow: Flow, decision: &Decision) {
    log_decision(&raw const flow, decision.reason);
}

/// Writes one log line. Verified by itself; without logging nothing calls it, and the verifier removes it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_decision(flow: *const Flow, reason: u32) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(flow) = (unsafe { flow.as_ref() }) else {
        return 0;
    };
    let (source, destination) = (flow.source(), flow.destination());
    let written = match (source.is_v6, destination.is_v6) {
        (false, false) => write(reason, source.v4_key(), destination.v4_key()),
        (true, true) => write(reason, source.v6_key(), destination.v6_key()),
        (true, false) => write(reason, source.v6_key(), destination.v4_key()),
        (false, true) => None,
    };
    u32::from(written.is_some())
}

#[inline(always)]
fn write<S, D>(reason: u32, source: S, destination: D) -> Option<()>
where
    S: IpFormatter + Argument,
    D: IpFormatter + Argument,
{
    // Masked, where the verifier sees it: the compiler may know better and leave a comparison out.
    let name = NAMES.get(instructions::opaque(u64::from(reason)) as usize & (NAMES.len() - 1))?;
    // SAFETY: the names are ASCII.
    let name = unsafe { str::from_utf8_unchecked(name) };
    debug!((), "{} {:i} -> {:i}", name, source, destination);
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
