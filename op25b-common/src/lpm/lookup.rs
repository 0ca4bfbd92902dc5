//! The look-up: longest-prefix match of one address.

use super::{BitmapNode, CompressedPath, Entry, KeyCursor, PAGE, Target};

/// The memory of tables, apart from their roots. What is not there, which no complete table leads to, is `None`.
pub trait Memory {
    /// An entry of a page; `index` is below [`super::PAGE_ENTRIES`].
    fn entry(&self, page: u32, index: u32) -> Option<Entry>;
    /// A bitmap node.
    fn bitmap_node(&self, number: u32) -> Option<&BitmapNode>;
    /// A compressed path.
    fn path(&self, number: u32) -> Option<&CompressedPath>;
}

/// The class of an address, from its entry in the root on, in at most `steps` steps.
#[inline(always)]
pub fn find<M: Memory>(memory: &M, entry: Entry, key: KeyCursor, steps: u32) -> Option<u32> {
    let (entry, _) = follow(memory, entry, key, steps)?;
    match entry.target() {
        Target::Class(class) => Some(class),
        _ => None,
    }
}

/// The entry that such steps lead to, with what is left of the address: a class, or the next step's.
#[inline(always)]
pub fn follow<M: Memory>(
    memory: &M,
    mut entry: Entry,
    mut key: KeyCursor,
    steps: u32,
) -> Option<(Entry, KeyCursor)> {
    for _ in 0..steps {
        entry = match entry.target() {
            Target::Class(_) => break,
            Target::FullNode(page) => {
                let next = memory.entry(page, key.byte())?;
                key.skip(8);
                next
            }
            Target::BitmapNode(number) => {
                let node = memory.bitmap_node(number)?;
                let next = match node.list_index(key.byte()) {
                    Some(index) => memory.entry(index / PAGE, index % PAGE)?,
                    None => node.default,
                };
                key.skip(8);
                next
            }
            Target::Path(number) => {
                let path = memory.path(number)?;
                if (key.high ^ path.value) >> (u64::BITS - path.bits) != 0 {
                    path.default
                } else {
                    key.skip(path.bits);
                    path.next
                }
            }
        };
    }
    Some((entry, key))
}
