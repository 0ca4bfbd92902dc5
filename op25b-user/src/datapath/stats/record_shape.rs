//! The shapes of records in their maps, of this version and of the one whose records had other fields.

use std::mem::offset_of;

use op25b_common::values::{Cold, Hot, Subscriber, SubscriberBlock};

/// Where the parts of a record are in a value of the array, which has several records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLayout {
    /// How many records a value has.
    pub(crate) records: usize,
    /// Its size.
    pub(crate) bytes: usize,
    /// Where the first [`Cold`] half begins; the first [`Hot`] half is at the beginning.
    pub(crate) cold: usize,
    /// Where the first [`Subscriber::hidden`] is.
    pub(crate) hidden: Option<usize>,
}

impl BlockLayout {
    /// That of this op25b.
    pub(crate) const CURRENT: Self = Self {
        records: SubscriberBlock::RECORDS,
        bytes: size_of::<SubscriberBlock>(),
        cold: offset_of!(SubscriberBlock, cold),
        hidden: Some(offset_of!(SubscriberBlock, hidden)),
    };

    /// That of records of version 2: 256 hot halves, and as many cold ones.
    pub(super) const VERSION_2: Self = Self {
        records: 256,
        bytes: 256 * size_of::<SubscriberV2>(),
        cold: 256 * size_of::<Hot>(),
        hidden: None,
    };
}

/// A record of version 2, as the LRU map had it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct SubscriberV2 {
    hot: Hot,
    cold: Cold,
}

// SAFETY: `repr(C)` of integers, without padding; any bit pattern is valid.
unsafe impl aya::Pod for SubscriberV2 {}

impl From<SubscriberV2> for Subscriber {
    fn from(SubscriberV2 { hot, cold }: SubscriberV2) -> Self {
        Self {
            hot,
            cold,
            ..Self::default()
        }
    }
}
