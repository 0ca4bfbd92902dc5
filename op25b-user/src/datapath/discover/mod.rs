//! Finds the filters that run in this network namespace, whichever process loaded them.

mod find;
mod found;
mod maps;

pub use find::find;
pub use found::{DiscoverError, Found, FoundFilter, FoundInterface, UnreadableFilter};
