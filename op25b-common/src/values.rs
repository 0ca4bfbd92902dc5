//! Values of the policy maps, and the record of one decision.
//!
//! The destination tries' fields are 32 bits wide: the kernel stores a trie's value after the key's bytes, so an IPv4
//! key leaves it aligned to 4 only.

/// The expiry of something, in whole seconds since the Unix epoch; it holds while `now < UnixSeconds`.
///
/// 32 bits reach to February 2106; the policy compiler refuses later dates.
pub type UnixSeconds = u32;

/// A [`UnixSeconds`] that never comes.
pub const NEVER: UnixSeconds = u32::MAX;

/// A [`UnixSeconds`] that is always past: the entry grants nothing by itself.
pub const ALWAYS_PAST: UnixSeconds = 0;

/// No destination set: see [`Class::destinations`].
pub const NO_DESTINATIONS: u32 = 0;

/// The number of the [`Class`] of addresses in no pool and in no exemption. Its [`Class::enforce_from`] is when blocked ports from
/// all sources in no pool are dropped from on.
pub const NO_CLASS: u32 = 0;

/// No phases: see [`Class::phases`]. The [`Phases::from`] with this number is when any pool is enforced from on, towards any
/// destination.
pub const NO_PHASES: u32 = 0;

/// Which item of the policy's list a map entry stands for, counted from 0.
pub type RuleIndex = u32;

/// No rule decided: see [`Decision::rule`].
pub const NO_RULE: RuleIndex = u32::MAX;

/// The result of the look-up of a source address: its pool and the exemptions that cover it, merged.
///
/// The tables map addresses to the numbers of these. `enforce_from` may change while the program runs: a pause is a date ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Class {
    /// The pool with the longest prefix, in the policy's `pools`; [`NO_RULE`] outside of pools.
    pub pool: RuleIndex,
    /// From when on the pool is enforced towards every destination: [`ALWAYS_PAST`] for one in enforce mode, [`NEVER`] for one in
    /// monitor mode.
    pub enforce_from: UnixSeconds,
    /// Until when every destination is allowed: the latest expiry among the covering exemptions without
    /// destinations, [`ALWAYS_PAST`] if there is none.
    pub until: UnixSeconds,
    /// The exemption that grants `until`, [`NO_RULE`] if none does.
    pub exemption: RuleIndex,
    /// Which set of destinations is allowed besides, from the covering exemptions with destinations;
    /// [`NO_DESTINATIONS`] if there is none.
    pub destinations: u32,
    /// What to add to a subscriber's number to get the index of its record, over all blocks of [`crate::names::SUBSCRIBERS`], modulo
    /// 2³². The number is an IPv4 address, or the bits of an IPv6 one that are its subscriber's.
    pub subscribers: u32,
    /// A [`RecordPlace`]: where the record of the address's subscriber is.
    pub record_place: u32,
    /// Which [`Phases`] the pool has: towards some destinations it is enforced before `enforce_from`. [`NO_PHASES`] if there are
    /// none.
    pub phases: u32,
}

/// Where the record of a subscriber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RecordPlace {
    /// It has none: packets are not counted by subscriber.
    None = 0,
    /// In [`crate::names::SUBSCRIBERS`], found by its index.
    Array = 1,
    /// In [`crate::names::SUBSCRIBERS_LRU`], as long as it is among the most recent ones.
    Lru = 2,
}

/// The phases of a pool that is enforced towards some destinations before it is towards all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Phases {
    /// From when on the pool is enforced towards any destination at all: until then, nobody's destination is looked up.
    pub from: UnixSeconds,
    /// The set of these destinations: until when connections to each are only monitored, as [`DestinationEntry::until`].
    pub destinations: u32,
}

/// What is remembered of one subscriber: an IPv4 address in a pool, or an IPv6 prefix.
///
/// Its parts lie apart in the array: what nearly every blocked packet touches, and the rest. As there may be millions, as many
/// as possible of the first kind should fit into a CPU's caches. Counters are exact up to [`Subscriber::MOST`] and stay
/// there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Subscriber {
    /// What a blocked segment that opens a connection touches.
    pub hot: Hot,
    /// What other segments touch as well.
    pub cold: Cold,
    /// Packets that hide their ports: row `uninspectable`.
    pub hidden: u32,
    /// Fills 8 bytes.
    pub unused: u32,
}

/// What a blocked segment that opens a connection touches: 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Hot {
    /// A bit for each of 64 values that the destinations' hashes have had: a linear-counting sketch of how many there
    /// were, in the bucket of the last packet or, without a history, ever.
    pub destinations: u64,
    /// Blocked segments that open a connection.
    pub blocked_syns: u32,
    /// When the last packet came, in whole seconds of the boot-time clock plus 1; 0 for never.
    pub last_seen: u32,
}

/// The rest of what segments with readable ports touch: 16 bytes as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cold {
    /// When the first packet came, as [`Hot::last_seen`].
    pub first_seen: u32,
    /// Other blocked segments.
    pub blocked_others: u32,
    /// Segments that open a connection and would have been blocked, were the pool enforced.
    pub monitored_syns: u32,
    /// Other segments that would have been blocked.
    pub monitored_others: u32,
}

/// Value of [`crate::names::SUBSCRIBERS`]: the records of as many subscribers, whole pages of memory for each part.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SubscriberBlock {
    /// The [`Subscriber::hot`] of each.
    pub hot: [Hot; Self::RECORDS],
    /// The [`Subscriber::cold`] of each.
    pub cold: [Cold; Self::RECORDS],
    /// The [`Subscriber::hidden`] of each.
    pub hidden: [u32; Self::RECORDS],
}

impl Class {
    /// Whether it is one, and not room for one: a class that grants nothing names no exemption.
    #[must_use]
    pub const fn is_written(&self) -> bool {
        self.until != ALWAYS_PAST || self.exemption == NO_RULE
    }
}

impl SubscriberBlock {
    /// How many records it has; a power of two.
    pub const RECORDS: usize = 1024;

    /// How many blocks so many records take.
    #[must_use]
    pub const fn count(records: usize) -> usize {
        records.div_ceil(Self::RECORDS)
    }
}

impl Subscriber {
    /// Of whom nothing was counted.
    pub const NOTHING: Self = Self {
        hot: Hot {
            destinations: 0,
            blocked_syns: 0,
            last_seen: 0,
        },
        cold: Cold {
            first_seen: 0,
            blocked_others: 0,
            monitored_syns: 0,
            monitored_others: 0,
        },
        hidden: 0,
        unused: 0,
    };

    /// Where counters stop: far enough from the end that CPUs which add at once do not make them wrap around.
    pub const MOST: u32 = u32::MAX - 0xffff;
}

/// How many slots [`crate::names::MISSES_V6`] has: packets that created a record and packets without one, which the program
/// counts; then as many again, where user space keeps what was counted in a map of another layout.
pub const MISS_SLOTS: usize = 2 * 2;

/// Value of the destination tries: what one set of destinations says of one destination prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DestinationEntry {
    /// Until when this destination is allowed; in a set of phases, until when connections to it are only monitored.
    pub until: UnixSeconds,
    /// The exemption that grants it; in a set of phases, the place of the phase in its pool's list.
    pub rule: RuleIndex,
}

/// The time at which a CPU last read the clock.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Moment {
    /// The kernel's timer tick then.
    pub tick: u64,
    /// The boot-time clock then, in nanoseconds.
    pub since_boot: u64,
    /// The same in whole seconds.
    pub seconds: u64,
    /// When the bucket of that time began, from [`crate::names::BUCKET`].
    pub bucket: u64,
}

/// The decision on the last packet, written only by a program that is loaded with [`crate::names::TRACE`] set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Decision {
    /// A [`crate::Reason`].
    pub reason: u32,
    /// A [`crate::Verdict`].
    pub verdict: u32,
    /// The rule that decided, as an index into the list that the reason refers to: pools for `blocked`, `monitored` and
    /// `uninspectable`, relays for `relay`, exemptions for `exempt`; [`NO_RULE`] otherwise.
    pub rule: RuleIndex,
}

/// One piece of the JSON text in [`crate::names::DESCRIPTION`]; the last one is padded with zeros.
pub type DescriptionChunk = [u8; 256];

const _: () = {
    assert!(size_of::<Class>() == 32 && align_of::<Class>() == 4);
    assert!(size_of::<Subscriber>() == 40 && align_of::<Subscriber>() == 8);
    assert!(size_of::<Hot>() == 16 && size_of::<Cold>() == 16);
    assert!(size_of::<SubscriberBlock>() == 9 * 4096 && SubscriberBlock::RECORDS.is_power_of_two());
    assert!(size_of::<Phases>() == 8 && align_of::<Phases>() == 4);
    assert!(size_of::<DestinationEntry>() == 8 && align_of::<DestinationEntry>() == 4);
    assert!(size_of::<Decision>() == 12 && align_of::<Decision>() == 4);
};

#[cfg(feature = "user")]
mod pod {
    use super::{Class, Decision, DestinationEntry, Phases, Subscriber, SubscriberBlock};

    // SAFETY: `repr(C)` of u32 fields only, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for Class {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Phases {}
    // SAFETY: as above, of u64 fields.
    unsafe impl aya::Pod for Subscriber {}
    // SAFETY: as above.
    unsafe impl aya::Pod for SubscriberBlock {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DestinationEntry {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Decision {}
}
