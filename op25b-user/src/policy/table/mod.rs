//! Prefix tables in flat memory: see [`op25b_common::lpm`] for how they lie there.
//!
//! [`Draft`] is one in vectors, made from a whole policy; [`Live`] is one that the program in the kernel reads meanwhile.

mod build;
mod draft;
mod lists;
mod live;

use op25b_common::lpm::{BitmapNode, CompressedPath, Entry, KeyCursor, Memory};

pub use self::{
    draft::Draft,
    live::{Live, Used, Words},
};
use super::nesting::Bits;

/// What holds at a prefix, but for what longer prefixes say.
///
/// In ascending order of prefixes, as everything here wants them, each comes right before what lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub(super) prefix: Bits,
    pub(super) class: u32,
}

/// Memory has been used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tables have no room left")]
pub struct Full;

/// Memory to which parts of tables are added. Nothing leads to them before somebody stores their entry.
trait Space: Memory {
    /// Adds a page for a full node.
    fn add_page(&mut self, entries: &[Entry; 256]) -> Result<u32, Full>;
    /// Adds a list of at most [`lists::LONGEST`] entries, which lie in one page; the result counts over all pages.
    fn add_list(&mut self, entries: &[Entry]) -> Result<u32, Full>;
    /// Adds a bitmap node.
    fn add_sparse(&mut self, node: BitmapNode) -> Result<u32, Full>;
    /// Adds a compressed path.
    fn add_path(&mut self, path: CompressedPath) -> Result<u32, Full>;
}

/// An address at the left of 128 bits, to be looked up.
fn address_parts(address: u128) -> KeyCursor {
    #[expect(clippy::cast_possible_truncation, reason = "each is a half of 128 bits")]
    KeyCursor::new((address >> 64) as u64, address as u64)
}
