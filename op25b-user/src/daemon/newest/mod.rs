//! The newest items of a kind, in memory, for clients that list them and wait for the next ones.

mod hub;
mod kept;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub(super) use self::{hub::Hub, kept::Taken};

/// What is kept: items with ascending numbers.
pub(super) trait Numbered {
    /// Its number.
    fn sequence(&self) -> u64;

    /// When it happened.
    fn time(&self) -> Timestamp;
}
