//! What the program counts: packets by reason, and the records of single subscribers.

mod counters;
mod record_layout;
mod subscribers;

pub use counters::Counters;
pub use subscribers::{Misses, SubscriberRecords, destinations};
pub(crate) use {
    counters::CounterTable,
    record_layout::{BlockLayout, RECORD_MAPS, RecordLayout, SubscriberV2, subscribers_v6_entries},
    subscribers::{add_migrated_misses, misses_v6, records_v4, records_v6},
};
