//! What the program counts: packets by reason, frames that are not IP, and the records of single subscribers.

mod counters;
mod erase;
mod not_ip;
mod phases;
mod pool_starts;
mod recent;
mod record_layout;
mod shared_record;
mod subscribers;

pub use counters::Counters;
pub use not_ip::{FrameKind, NotIp, NotIpByIndex};
pub use pool_starts::{PoolStart, PoolStarts};
pub use subscribers::{Misses, SubscriberRecords, destination_error, destinations};
pub(crate) use {
    counters::CounterTable,
    erase::{Erased, Erasure},
    not_ip::NOT_IP_SHAPE,
    phases::{PhaseStart, PhaseTables},
    recent::{BUCKET_SHAPE, RecentRecords},
    record_layout::{RECORD_MAPS, RecordLayout, SubscriberV2, subscribers_v6_entries},
    shared_record::{SharedRecord, Side, Window},
    subscribers::{misses_v6, move_misses, records_v4, records_v6},
};
