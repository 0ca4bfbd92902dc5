//! Memory to which parts of tables are added.

use op25b_common::lpm::{BitmapNode, CompressedPath, Entry, KeyCursor, Memory};

/// No memory is left for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prefix tables are full")]
pub struct TablesFull;

/// Memory to which parts of tables are added. Nothing leads to a part before its entry is stored.
pub(super) trait Space: Memory {
    /// Adds a full node, which is a page.
    fn add_full_node(&mut self, entries: &[Entry; 256]) -> Result<u32, TablesFull>;
    /// Adds a list of at most [`super::lists::LONGEST`] entries, which lie in one page; the result counts over all pages.
    fn add_list(&mut self, entries: &[Entry]) -> Result<u32, TablesFull>;
    /// Adds a bitmap node.
    fn add_bitmap_node(&mut self, node: BitmapNode) -> Result<u32, TablesFull>;
    /// Adds a compressed path.
    fn add_path(&mut self, path: CompressedPath) -> Result<u32, TablesFull>;
}

/// The parts of an address, given in the leftmost of 128 bits, as a look-up takes them.
pub(super) fn address_parts(address: u128) -> KeyCursor {
    #[expect(clippy::cast_possible_truncation, reason = "each is a half of 128 bits")]
    KeyCursor::new((address >> 64) as u64, address as u64)
}
