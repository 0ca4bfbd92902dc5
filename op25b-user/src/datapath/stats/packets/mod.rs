//! Packets by reason and verdict, of each interface and of each pool, and the replies to those that were rejected.

mod answers;
mod by_interface;
mod by_pool;
mod counts;
mod totals;

pub use self::{
    answers::AnswerCount,
    by_interface::CounterTable,
    by_pool::PoolCounts,
    counts::{PacketCount, PacketCounts},
    totals::Counters,
};
pub(crate) use self::{
    answers::answer_counts,
    by_interface::CounterNames,
    by_pool::{PoolSlots, clear_slots},
};
