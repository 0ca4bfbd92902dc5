//! Takes over what the generation before has counted, if the next one has maps of its own.

mod records;
mod transfer;

pub use records::MigratedRecords;
pub(crate) use records::{counters, records};
