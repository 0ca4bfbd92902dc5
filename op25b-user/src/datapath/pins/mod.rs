//! What is pinned in the BPF file system, and so outlives the process: links and generations.

mod directory;
mod generation;
mod link;
mod lock;
mod names;
mod snapshot;

pub use directory::{Pins, PinsError, holder, pinned_programs};
pub(crate) use {
    generation::Generation,
    link::{Link, Mode},
    snapshot::Snapshot,
};
