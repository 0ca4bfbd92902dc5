//! The program and its maps: loads them with a compiled policy, describes them and changes them while they run.

mod change;
mod description;
mod filter;
mod layout;
mod load;

pub use change::ChangeError;
pub use description::{Description, PoolSummary};
pub use filter::Filter;
pub use load::{LoadError, LoadOptions, LogLevel, Reused};
pub(crate) use {
    description::Described,
    filter::program_name,
    layout::LONG_LIVED,
    load::{POLICY_MAPS, SUBSCRIBERS_V6_ENTRIES, size},
};
