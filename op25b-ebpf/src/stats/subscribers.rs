//! Records of subscribers: what was blocked of each, or would have been, and when.

use op25b_common::{
    Reason,
    values::{Class, Cold, Hot, Subscriber, SubscriberBlock},
};
use op25b_ebpf::{bpf::instructions, parse::address::Address};

use crate::{maps, verdict::clock};

/// Records a packet that was blocked, or would have been, of a subscriber whose class is counted.
#[inline(always)]
pub fn record(class: &Class, local: &Address, remote: &Address, reason: u32, is_syn: bool) {
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
    // SAFETY: parts of a map's value, which stays valid while the program runs. Counters and the sketch are updated
    // atomically; of the times, which are only set, any CPU's value is right.
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
            // Once a second: the other half of the record need not be in the cache for every packet.
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
    // Twice, or consecutive addresses would lie at regular distances and fill few bits.
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(GOLDEN);
    1 << (mixed >> (u64::BITS - 6))
}
