//! Tables that the program in the kernel reads while they are changed.
//!
//! Every look-up during a change finds the old answer or the new one: what an entry leads to is written completely before
//! the entry is stored, and never again except for entries in pages. Storing an entry is one aligned store of 32 bits, so a
//! look-up finds the old one or the new one, each leading to complete data; the store has release ordering, and the
//! look-up's next load has an address dependency on the entry, which orders them on every processor that Linux supports.
//! Memory is never reused, so a look-up that still holds an old entry finds what it led to.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU32, Ordering},
};

use op25b_common::{
    TableRoot,
    lpm::{
        BitmapNode, CompressedPath, Entry, Memory, PAGE, PAGE_ENTRIES, ROOT_BITS, ROOT_ENTRIES, Target, find,
    },
};

use super::{
    build::{self, STEP},
    leaf::Leaf,
    lists::Lists,
    prefix_order::Bits,
    space::{Space, TablesFull, address_parts},
    table_set::TableSet,
};

/// The memory of tables, part of which is used.
#[derive(Clone, Copy, Debug)]
pub struct Regions<'m> {
    /// The roots.
    pub roots: &'m [AtomicU32],
    /// The pages, [`PAGE_ENTRIES`] words each.
    pub pages: &'m [AtomicU32],
    /// The bitmap nodes.
    pub bitmap_nodes: &'m [UnsafeCell<BitmapNode>],
    /// The compressed paths.
    pub paths: &'m [UnsafeCell<CompressedPath>],
}

/// How much of the memory is used.
#[derive(Clone, Debug)]
pub struct Usage {
    pages: u32,
    bitmap_nodes: u32,
    paths: u32,
    lists: Lists,
}

impl Usage {
    /// The memory that a copy of these tables uses.
    #[must_use]
    pub fn of(tables: &TableSet) -> Self {
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        Self {
            pages: count(tables.pages.len()),
            bitmap_nodes: count(tables.bitmap_nodes.len()),
            paths: count(tables.paths.len()),
            lists: tables.lists.clone(),
        }
    }
}

/// Tables that can be changed while they are in use.
#[derive(Debug)]
pub struct LiveTables<'m> {
    regions: Regions<'m>,
    used: &'m mut Usage,
}

impl<'m> LiveTables<'m> {
    /// The tables in this memory.
    ///
    /// # Safety
    ///
    /// `used` describes the memory that is in use. Nothing else writes to the memory, and nothing reads parts of it to which
    /// no entry leads.
    pub unsafe fn new(regions: Regions<'m>, used: &'m mut Usage) -> Self {
        Self { regions, used }
    }

    /// Looks up the class of an address, given in the leftmost of 128 bits, as the program does.
    #[must_use]
    pub fn find(&self, root: TableRoot, address: u128, steps: u32) -> Option<u32> {
        let mut rest = address_parts(address);
        let index = root.index() as usize * ROOT_ENTRIES + rest.root_index() as usize;
        let entry = Entry::from_word(self.regions.roots.get(index)?.load(Ordering::Relaxed));
        find(self, entry, rest, steps)
    }

    /// Replaces everything inside a prefix by these leaves. The first one is for the prefix itself, and all others are inside
    /// it.
    ///
    /// For each address the answer changes atomically, and for prefixes longer than [`ROOT_BITS`] the whole prefix does. After
    /// an error nothing has changed.
    pub(crate) fn write(&mut self, root: TableRoot, prefix: Bits, leaves: &[Leaf]) -> Result<(), TablesFull> {
        let start = root.index() as usize * ROOT_ENTRIES;
        let roots = &self.regions.roots[start..start + ROOT_ENTRIES];
        let first = prefix.part(0, ROOT_BITS);
        let length = u32::from(prefix.length());
        if length <= ROOT_BITS {
            let mut slots = vec![Entry::default(); ROOT_ENTRIES];
            build::fill(self, leaves, 0, ROOT_BITS, &mut slots)?;
            let count = 1 << (ROOT_BITS - length);
            for (word, slot) in roots.iter().zip(slots).skip(first).take(count) {
                word.store(slot.word(), Ordering::Release);
            }
            return Ok(());
        }
        let (mut word, mut depth) = (&roots[first], ROOT_BITS);
        let mut entry = Entry::from_word(word.load(Ordering::Relaxed));
        // While the prefix is inside one slot that has a word of its own, only that word has to change.
        while length >= depth + STEP
            && let Some(slot) = self.slot(entry, prefix.part(depth, STEP))
        {
            word = slot;
            entry = Entry::from_word(word.load(Ordering::Relaxed));
            depth += STEP;
        }
        let changed = self.rebuild(entry, depth, prefix, leaves)?;
        word.store(changed.word(), Ordering::Release);
        Ok(())
    }

    /// The word of the entry for a value of the next byte, if there is one.
    fn slot(&self, entry: Entry, byte: usize) -> Option<&'m AtomicU32> {
        let at = match entry.target() {
            Target::FullNode(number) => number as usize * PAGE_ENTRIES + byte,
            Target::BitmapNode(number) => {
                self.bitmap_node(number)?.list_index(u32::try_from(byte).ok()?)? as usize
            }
            Target::Class(_) | Target::Path(_) => return None,
        };
        self.regions.pages.get(at)
    }

    /// A copy of an entry whose step starts after `depth` bits, with the leaves in it.
    fn rebuild(
        &mut self,
        entry: Entry,
        depth: u32,
        prefix: Bits,
        leaves: &[Leaf],
    ) -> Result<Entry, TablesFull> {
        let length = u32::from(prefix.length());
        if length <= depth {
            let [whole, inside @ ..] = leaves else {
                return Ok(entry);
            };
            return build::subtree(self, inside, depth, Entry::new(Target::Class(whole.class)));
        }
        let mut slots = self.expand(entry)?;
        if length <= depth + STEP {
            build::fill(self, leaves, depth, STEP, &mut slots)?;
        } else {
            let slot = prefix.part(depth, STEP);
            slots[slot] = self.rebuild(slots[slot], depth + STEP, prefix, leaves)?;
        }
        build::node(self, &slots)
    }

    /// The entries for each value of the next byte.
    fn expand(&mut self, entry: Entry) -> Result<[Entry; PAGE_ENTRIES], TablesFull> {
        let mut slots = [entry; PAGE_ENTRIES];
        match entry.target() {
            Target::Class(_) => {}
            Target::Path(number) => {
                let CompressedPath {
                    value,
                    bits,
                    next: then,
                    default: other,
                    ..
                } = *self.path(number).ok_or(TablesFull)?;
                slots.fill(other);
                let byte = (value >> (u64::BITS - STEP)) as usize;
                slots[byte] = if bits == STEP {
                    then
                } else {
                    build::path(self, value << STEP, bits - STEP, then, other)?
                };
            }
            Target::FullNode(_) | Target::BitmapNode(_) => {
                let other = match entry.target() {
                    Target::BitmapNode(number) => self.bitmap_node(number).ok_or(TablesFull)?.default,
                    _ => Entry::default(),
                };
                for (byte, slot) in slots.iter_mut().enumerate() {
                    *slot = self
                        .slot(entry, byte)
                        .map_or(other, |word| Entry::from_word(word.load(Ordering::Relaxed)));
                }
            }
        }
        Ok(slots)
    }

    fn store_entries(&self, index: u32, entries: &[Entry]) {
        for (word, entry) in self.regions.pages[index as usize..].iter().zip(entries) {
            word.store(entry.word(), Ordering::Relaxed);
        }
    }
}

impl Memory for LiveTables<'_> {
    fn entry(&self, page: u32, index: u32) -> Option<Entry> {
        let word = self
            .regions
            .pages
            .get(page as usize * PAGE_ENTRIES + index as usize)?;
        Some(Entry::from_word(word.load(Ordering::Relaxed)))
    }

    fn bitmap_node(&self, number: u32) -> Option<&BitmapNode> {
        // SAFETY: a node is written before an entry leads to it, and never again.
        self.regions
            .bitmap_nodes
            .get(number as usize)
            .map(|node| unsafe { &*node.get() })
    }

    fn path(&self, number: u32) -> Option<&CompressedPath> {
        // SAFETY: as for nodes.
        self.regions
            .paths
            .get(number as usize)
            .map(|path| unsafe { &*path.get() })
    }
}

impl Space for LiveTables<'_> {
    fn add_full_node(&mut self, entries: &[Entry; PAGE_ENTRIES]) -> Result<u32, TablesFull> {
        let number = take(&mut self.used.pages, self.regions.pages.len() / PAGE_ENTRIES)?;
        self.store_entries(number * PAGE, entries);
        Ok(number)
    }

    fn add_list(&mut self, entries: &[Entry]) -> Result<u32, TablesFull> {
        let (pages, room) = (&mut self.used.pages, self.regions.pages.len() / PAGE_ENTRIES);
        let index = self.used.lists.reserve(entries.len(), || take(pages, room))?;
        self.store_entries(index, entries);
        Ok(index)
    }

    fn add_bitmap_node(&mut self, node: BitmapNode) -> Result<u32, TablesFull> {
        let number = take(&mut self.used.bitmap_nodes, self.regions.bitmap_nodes.len())?;
        // SAFETY: no entry leads to it yet, so nothing reads it, and nothing else writes.
        unsafe { *self.regions.bitmap_nodes[number as usize].get() = node };
        Ok(number)
    }

    fn add_path(&mut self, path: CompressedPath) -> Result<u32, TablesFull> {
        let number = take(&mut self.used.paths, self.regions.paths.len())?;
        // SAFETY: as for nodes.
        unsafe { *self.regions.paths[number as usize].get() = path };
        Ok(number)
    }
}

/// Allocates the next item, if there is room for one.
fn take(used: &mut u32, room: usize) -> Result<u32, TablesFull> {
    let number = *used;
    if number as usize >= room {
        return Err(TablesFull);
    }
    *used += 1;
    Ok(number)
}
