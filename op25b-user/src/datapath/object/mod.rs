//! The program and its maps: loads them with a compiled policy, describes them and changes them while they run.

mod change;
mod counts;
mod description;
mod error;
mod filter;
mod image;
mod layout;
mod load;
mod maps;
mod store_revision;
mod tables;
mod tunnels;

pub use change::ChangeError;
pub use description::{
    Description, Directories, ExemptionEnds, InterfaceSummary, LoadedBy, PhaseSummary, PoolSummary,
};
pub use error::LoadError;
pub use filter::Filter;
pub use load::{LoadOptions, LogLevel, Reused, expected_memory};
pub(crate) use {
    description::Described,
    filter::program_name,
    layout::{LONG_LIVED, Layout},
    load::{POLICY_MAPS, create_as, load_program, program},
    store_revision::{STORE_REVISION, StoreRevision},
};
