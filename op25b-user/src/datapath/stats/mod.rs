//! What the program counts: packets by interface and pool, frames that are not IP, and the records of single subscribers.

mod erase;
mod not_ip;
mod packets;
mod phases;
mod pool_starts;
mod ports;
mod recent;
mod record_layout;
mod record_shape;
mod shared_record;
mod subscribers;

pub use not_ip::{FrameKind, NotIp, NotIpByIndex};
pub use packets::{AnswerCount, CounterTable, Counters, PacketCount, PacketCounts, PoolCounts};
pub use pool_starts::{PoolStart, PoolStarts};
pub use subscribers::{Misses, SubscriberRecords, destination_error, destinations};
pub(crate) use {
    erase::{Erased, Erasure},
    not_ip::NOT_IP_SHAPE,
    packets::{CounterNames, PoolSlots, answer_counts, clear_slots},
    phases::{PhaseStart, PhaseTables},
    recent::{BUCKET_SHAPE, RecentRecords},
    record_layout::{PlaceV6, RECORD_MAPS, RecordLayout, lru_entries},
    record_shape::SubscriberV2,
    shared_record::{OwnRecord, SharedRecord, Side, Window},
    subscribers::{misses_v6, move_misses, records_in_array, records_in_lru_map},
};
