//! Packets by reason and verdict, of each interface and of each pool.

mod by_interface;
mod by_pool;
mod counts;
mod totals;

pub(crate) use self::{
    by_interface::CounterNames,
    by_pool::{PoolSlots, clear_slots},
};
pub use self::{
    by_interface::CounterTable,
    by_pool::PoolCounts,
    counts::{PacketCount, PacketCounts},
    totals::Counters,
};
