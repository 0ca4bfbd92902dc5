//! Migrates what the generations before have counted, as far as the new filter does not share their maps.

mod counters;
mod lru;
mod records;
mod records_v6;
mod transfer;

pub use records::MigratedRecords;
pub(crate) use {counters::counters, records::records};
