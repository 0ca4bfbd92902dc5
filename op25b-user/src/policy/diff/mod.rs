//! What is different between two policies.

mod delta;
mod item;

pub use self::delta::{Delta, Diff, Item, Items};
