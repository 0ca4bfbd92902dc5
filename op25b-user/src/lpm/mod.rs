//! Prefix tables in flat memory, as user space builds and changes them; see [`op25b_common::lpm`] for their layout and
//! look-up.
//!
//! [`TableSet`] holds the tables of a whole policy in vectors; [`LiveTables`] are tables that the program in the kernel
//! reads while they are changed.

mod build;
mod leaf;
mod lists;
mod live_tables;
mod prefix_order;
mod space;
mod table_set;
mod walk;

pub(crate) use self::prefix_order::{AddressFamily, Bits, Covering};
pub use self::{
    leaf::Leaf,
    live_tables::{LiveTables, Regions, Usage},
    space::TablesFull,
    table_set::TableSet,
};
