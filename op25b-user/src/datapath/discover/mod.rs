//! Finds the filters that run in this network namespace, whichever process loaded them.

mod find;
mod maps;

pub use find::{DiscoverError, Found, FoundFilter, FoundInterface, UnreadableFilter, find};
