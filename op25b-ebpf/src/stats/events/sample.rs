//! Which of the packets that are offered are shown: each takes from the token bucket of its allowance on this CPU, and a sender
//! without a record is offered once a second.

use op25b_common::event::{Allowance, SENDER_SETS, SENDERS_IN_SET};
use op25b_ebpf::bpf::instructions;

use super::is_on;
use crate::{maps, stats::mixing::mixed, token_bucket, verdict::clock};

/// Whether a packet of this [`Allowance`] and sender is shown: 1 or 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_ev_sample(allowance: u32, high: u64, low: u64) -> u32 {
    if !is_on() {
        return 0;
    }
    let moment = clock::moment();
    let second = moment.seconds as u32 + 1;
    if allowance == Allowance::Unrecorded as u32 && !is_first_in_second(hash(high, low), second) {
        return 0;
    }
    u32::from(take(allowance, moment.since_boot))
}

/// Takes one event from what this CPU may show.
#[inline(always)]
fn take(allowance: u32, now: u64) -> bool {
    // Masked, where the verifier sees it.
    let place = instructions::opaque(u64::from(allowance)) as usize & (Allowance::COUNT - 1);
    let (interval, depth) = (
        maps::ALLOWANCE_INTERVALS[place].load(),
        maps::ALLOWANCE_DEPTHS[place].load(),
    );
    let Some(full_at) = maps::ALLOWANCES.get_ptr_mut(allowance) else {
        return false;
    };
    // SAFETY: the slot belongs to this CPU.
    unsafe { token_bucket::take(full_at, now, interval, depth) }
}

/// Whether this is the first packet of a sender in this second, as far as this CPU remembers. One that finds its set full of
/// others of this second is not.
#[inline(always)]
fn is_first_in_second(hash: u64, second: u32) -> bool {
    let Some(set) = maps::EVENT_SENDERS.get_ptr_mut(hash as u32 & (SENDER_SETS as u32 - 1)) else {
        return false;
    };
    // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
    let set = unsafe { &mut *set };
    let sender = hash & !u64::from(u32::MAX) | u64::from(second);
    let mut free = None;
    for (place, known) in set.iter().enumerate() {
        if *known == sender {
            return false;
        }
        if *known as u32 != second {
            free = Some(place);
        }
    }
    let Some(place) = free else {
        return false;
    };
    // Masked, where the verifier sees it.
    let place = instructions::opaque(place as u64) as usize & (SENDERS_IN_SET - 1);
    // SAFETY: the place is in the set.
    unsafe { *set.get_unchecked_mut(place) = sender };
    true
}

/// Addresses that differ in few bits differ in all of these.
#[inline(always)]
fn hash(high: u64, low: u64) -> u64 {
    let mixed = mixed(high, low);
    mixed ^ mixed >> 32
}
