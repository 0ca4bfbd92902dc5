//! Records of subscribers: what was blocked of each, or would have been, and when.

use op25b_common::{
    Reason,
    values::{Class, Cold, Hot, RecordPlace, Subscriber, SubscriberBlock},
};
use op25b_ebpf::{bpf::instructions, parse::address::Address};

use super::events::turn::{self, Turn};
use super::mixing::mixed;
use crate::{maps, verdict::clock};

/// Records a segment that was blocked, or would have been, of a subscriber whose class is counted.
#[inline(always)]
pub fn record(class: &Class, local: &Address, remote: &Address, reason: u32, is_syn: bool) {
    let Some(record) = Record::of(class, local) else {
        return turn::note(Turn::Unrecorded);
    };
    let (hot, cold) = (record.hot, record.cold);
    // SAFETY: parts of a map's value, which stays valid while the program runs. The sketch is updated atomically.
    unsafe {
        let counter = match (reason == Reason::Blocked as u32, is_syn) {
            (true, true) => &raw mut (*hot).blocked_syns,
            (true, false) => &raw mut (*cold).blocked_others,
            (false, true) => &raw mut (*cold).monitored_syns,
            (false, false) => &raw mut (*cold).monitored_others,
        };
        record.count(counter);
        let destination = sketch(remote);
        if (*hot).destinations & destination == 0 {
            instructions::atomic_or(&raw mut (*hot).destinations, destination);
        }
    }
}

/// Records a packet that hides its ports, of a subscriber whose class is counted: whether it was dropped or not.
#[inline(always)]
pub fn record_hidden(class: &Class, local: &Address) {
    match Record::of(class, local) {
        // SAFETY: a part of this record.
        Some(record) => unsafe { record.count(record.hidden) },
        None => turn::note(Turn::Unrecorded),
    }
}

/// A record is made of this; it has to be in a map, and takes no stack there.
static NOTHING: Subscriber = Subscriber::NOTHING;

/// Where the parts of a subscriber's record are: in one map value, or in more than one place of it.
#[derive(Clone, Copy)]
struct Record {
    hot: *mut Hot,
    cold: *mut Cold,
    hidden: *mut u32,
}

impl Record {
    /// The record of a subscriber, if its class is counted.
    #[inline(always)]
    fn of(class: &Class, local: &Address) -> Option<Self> {
        const ARRAY: u32 = RecordPlace::Array as u32;
        const LRU: u32 = RecordPlace::Lru as u32;
        match class.record_place {
            ARRAY => Self::in_array(number(local).wrapping_add(class.subscribers)),
            LRU => Self::in_lru_map(local.high),
            _ => None,
        }
    }

    /// The record with this index; none if the array is shorter.
    #[inline(always)]
    fn in_array(index: u32) -> Option<Self> {
        const RECORDS: u32 = SubscriberBlock::RECORDS as u32;
        let block = maps::SUBSCRIBERS.get_ptr_mut(index / RECORDS)?;
        // Masked, where the verifier sees it.
        let place = instructions::opaque(u64::from(index)) as usize & (SubscriberBlock::RECORDS - 1);
        // SAFETY: the block is a map's value, and the place is in it.
        unsafe {
            Some(Self {
                hot: (&raw mut (*block).hot).cast::<Hot>().add(place),
                cold: (&raw mut (*block).cold).cast::<Cold>().add(place),
                hidden: (&raw mut (*block).hidden).cast::<u32>().add(place),
            })
        }
    }

    /// The record of an IPv6 subscriber who has none in the array, begun if there is none.
    #[inline(always)]
    #[expect(
        clippy::needless_borrows_for_generic_args,
        reason = "without the reference it would be copied to the stack"
    )]
    fn in_lru_map(high: u64) -> Option<Self> {
        let key = prefix_v6(high);
        let record = if let Some(record) = maps::SUBSCRIBERS_LRU.get_ptr_mut(key) {
            record
        } else {
            let begun = maps::SUBSCRIBERS_LRU.insert(key, &NOTHING, 0);
            count_miss(u32::from(begun.is_err()));
            maps::SUBSCRIBERS_LRU.get_ptr_mut(key)?
        };
        // SAFETY: a map's value.
        unsafe {
            Some(Self {
                hot: &raw mut (*record).hot,
                cold: &raw mut (*record).cold,
                hidden: &raw mut (*record).hidden,
            })
        }
    }

    /// Counts a packet in one of the record's counters, and notes the time.
    ///
    /// # Safety
    ///
    /// `counter` points into this record.
    #[inline(always)]
    unsafe fn count(self, counter: *mut u32) {
        let Self { hot, cold, .. } = self;
        // SAFETY: parts of a map's value, which stays valid while the program runs. Counters are updated atomically; of the
        // times, which are only set, any CPU's value is right.
        unsafe {
            if *counter < Subscriber::MOST {
                instructions::atomic_add(counter, 1);
            }
            let moment = clock::moment();
            let now = moment.seconds as u32 + 1;
            let last_seen = (*hot).last_seen;
            if last_seen != now {
                // Once a second: the other half of the record need not be in the cache for every packet.
                turn::note_of_subscriber((*cold).first_seen, last_seen, now);
                if (*cold).first_seen == 0 {
                    (*cold).first_seen = now;
                }
                if u64::from(last_seen) < moment.bucket {
                    // The first packet in this bucket of the history. The sketch of the one before was read by user space.
                    (*hot).destinations = 0;
                }
                (*hot).last_seen = now;
            }
        }
    }
}

/// The first 64 bits of an IPv6 subscriber, of those of an address.
#[inline(always)]
pub fn prefix_v6(high: u64) -> u64 {
    high & u64::MAX << (u64::BITS - maps::SUBSCRIBER_BITS.load())
}

/// The number of an address's subscriber, modulo 2³²: an IPv4 address, or the bits of an IPv6 one that are its subscriber's.
#[inline(always)]
fn number(local: &Address) -> u32 {
    let bits = if local.is_v6 {
        maps::SUBSCRIBER_BITS.load()
    } else {
        u32::BITS
    };
    (local.high >> (u64::BITS - bits)) as u32
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
    1 << (mixed(remote.high, remote.low) >> (u64::BITS - 6))
}
