//! What is pinned in the BPF file system, and so outlives the process: links and generations.

mod directory;
mod generation;
mod link;
mod lock;

pub use directory::{Pins, PinsError, holder, pinned_programs};
pub(crate) use {
    generation::Generation,
    link::{Link, Mode},
};
