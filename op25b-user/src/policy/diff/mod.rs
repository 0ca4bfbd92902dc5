//! Compares two policies.

mod compare;
mod delta;
mod item;

pub use self::delta::{Delta, Diff, Item, Items};
