//! Values of the policy maps, and the record of one decision.
//!
//! All fields are 32 bits wide: the kernel stores a trie's value behind the key's bytes, so an IPv4 key leaves
//! it aligned to 4 only.

/// The end of something, in whole seconds since the Unix epoch; it holds while `now < UnixSeconds`.
///
/// 32 bits reach to February 2106; the policy compiler refuses later dates.
pub type UnixSeconds = u32;

/// A [`UnixSeconds`] that never comes.
pub const NEVER: UnixSeconds = u32::MAX;

/// A [`UnixSeconds`] that is always past: the entry grants nothing by itself.
pub const ALWAYS_PAST: UnixSeconds = 0;

/// No destination set: see [`ExemptionEntry::destinations`].
pub const NO_DESTINATIONS: u32 = 0;

/// Which item of the policy's list a map entry stands for, counted from 0.
pub type RuleIndex = u32;

/// No rule decided: see [`Decision::rule`].
pub const NO_RULE: RuleIndex = u32::MAX;

/// Value of the pool tries, at each pool prefix. The longest prefix wins, so each entry names one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PoolEntry {
    /// The pool in the policy's `pools`.
    pub rule: RuleIndex,
    /// From when on the pool is enforced: [`ALWAYS_PAST`] for one that is, [`NEVER`] for one that is only watched.
    pub enforce_from: UnixSeconds,
}

/// Value of the relay tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct RelayEntry {
    /// The relay in the policy's `relays`.
    pub rule: RuleIndex,
}

/// Value of the exemption tries, at each exempt source prefix.
///
/// A trie answers with the longest prefix only, so each entry already holds what all exemptions that cover its
/// prefix grant together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ExemptionEntry {
    /// Until when every destination is allowed: the latest end among the covering exemptions without
    /// destinations, [`ALWAYS_PAST`] if there is none.
    pub until: UnixSeconds,
    /// The exemption that grants `until`, [`NO_RULE`] if none does.
    pub rule: RuleIndex,
    /// Which set of destinations is allowed besides, from the covering exemptions with destinations;
    /// [`NO_DESTINATIONS`] if there is none.
    pub destinations: u32,
}

/// Value of the destination tries: what one set of destinations grants for one destination prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DestinationEntry {
    /// Until when this destination is allowed.
    pub until: UnixSeconds,
    /// The exemption that grants it.
    pub rule: RuleIndex,
}

/// What the program decided about the last packet, written only when it is loaded with
/// [`crate::names::TRACE`] set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Decision {
    /// A [`crate::Reason`].
    pub reason: u32,
    /// A [`crate::Verdict`].
    pub verdict: u32,
    /// The rule that decided, in the list that the reason speaks of: pools for `blocked`, `monitored` and
    /// `uninspectable`, relays for `relay`, exemptions for `exempt`; [`NO_RULE`] otherwise.
    pub rule: RuleIndex,
}

/// How many slots [`crate::names::COUNTERS`] has: for each of the two roles of an interface one for each reason, which the
/// program counts in; then as many again, where user space keeps what was counted in maps of another layout.
pub const COUNTER_SLOTS: usize = 2 * 2 * crate::Reason::COUNT;

/// One piece of the JSON text in [`crate::names::DESCRIPTION`]; the last one is filled up with zeros.
pub type DescriptionChunk = [u8; 256];

const _: () = {
    assert!(size_of::<PoolEntry>() == 8 && align_of::<PoolEntry>() == 4);
    assert!(size_of::<RelayEntry>() == 4 && align_of::<RelayEntry>() == 4);
    assert!(size_of::<ExemptionEntry>() == 12 && align_of::<ExemptionEntry>() == 4);
    assert!(size_of::<DestinationEntry>() == 8 && align_of::<DestinationEntry>() == 4);
    assert!(size_of::<Decision>() == 12 && align_of::<Decision>() == 4);
};

#[cfg(feature = "user")]
mod pod {
    use super::{Decision, DestinationEntry, ExemptionEntry, PoolEntry, RelayEntry};

    // SAFETY: `repr(C)` of u32 fields only, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for PoolEntry {}
    // SAFETY: as above.
    unsafe impl aya::Pod for RelayEntry {}
    // SAFETY: as above.
    unsafe impl aya::Pod for ExemptionEntry {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DestinationEntry {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Decision {}
}
