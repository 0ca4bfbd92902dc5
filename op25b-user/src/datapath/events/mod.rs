//! What the program shows of single packets: how many it may, their events, and what it has counted of them.

mod allowances;
mod counts;
mod reader;

pub(crate) use allowances::Allowances;
pub use counts::{EventCount, EventCounts};
pub use reader::EventReader;
