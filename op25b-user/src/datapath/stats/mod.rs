//! What the program counts: packets by reason, and the records of single subscribers.

mod counters;
mod record_layout;
mod subscribers;

pub use counters::Counters;
pub use subscribers::{Misses, SubscriberRecords, destinations};
pub(crate) use {
    counters::CounterTable,
    record_layout::{RECORD_MAPS, RecordLayout, subscribers_v6_entries},
    subscribers::{misses_v6, records_v4, records_v6},
};
