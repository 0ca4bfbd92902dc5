//! What is different between two policies.

mod delta;
mod item;

pub use self::delta::{Changes, Diff, Item, Items};
