//! What is pinned in the BPF file system, and so outlives the process: links and generations.

mod directory;
mod error;
mod generation;
mod holder;
mod link;
mod lock;
mod names;
mod namespace;
mod policy;
mod snapshot;

pub use directory::{Pins, Removed, holder, pinned_programs, pinned_since};
pub use error::PinsError;
pub use holder::{Ending, Holder, HolderError};
pub use namespace::{PinnedElsewhere, pinned_elsewhere};
pub use policy::{PinnedPolicy, pinned_policy};
pub(crate) use {
    directory::remove_file,
    generation::Generation,
    link::{Link, Mode},
    snapshot::{PinnedLink, Snapshot},
};
