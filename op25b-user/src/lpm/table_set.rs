//! A set of tables in vectors, to be copied into the kernel as a whole.

use op25b_common::{
    TableRoot,
    lpm::{BitmapNode, CompressedPath, Entry, Memory, PAGE, PAGE_ENTRIES, ROOT_BITS, ROOT_ENTRIES, find},
};

use super::{
    build,
    leaf::Leaf,
    lists::Lists,
    space::{Space, TablesFull, address_parts},
};

/// The tables of a policy: each has its own root, and all share the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSet {
    /// The roots, [`ROOT_ENTRIES`] words for each [`TableRoot`].
    pub roots: Vec<Entry>,
    /// The pages.
    pub pages: Vec<[Entry; PAGE_ENTRIES]>,
    /// The bitmap nodes.
    pub bitmap_nodes: Vec<BitmapNode>,
    /// The compressed paths.
    pub paths: Vec<CompressedPath>,
    pub(super) lists: Lists,
}

impl TableSet {
    /// Tables in which every address has class 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            roots: vec![Entry::default(); ROOT_ENTRIES * TableRoot::COUNT],
            pages: Vec::new(),
            bitmap_nodes: Vec::new(),
            paths: Vec::new(),
            lists: Lists::default(),
        }
    }

    /// Fills one of the tables from leaves in ascending order. Fails if there are more parts than entries can number.
    pub(crate) fn fill(&mut self, root: TableRoot, leaves: &[Leaf]) -> Result<(), TablesFull> {
        let start = root.index() as usize * ROOT_ENTRIES;
        let mut entries = self.roots[start..start + ROOT_ENTRIES].to_vec();
        build::fill(self, leaves, 0, ROOT_BITS, &mut entries)?;
        self.roots[start..start + ROOT_ENTRIES].copy_from_slice(&entries);
        Ok(())
    }

    /// Looks up the class of an address, given in the leftmost of 128 bits, as the program does.
    #[must_use]
    pub fn find(&self, root: TableRoot, address: u128, steps: u32) -> Option<u32> {
        let mut rest = address_parts(address);
        let index = root.index() as usize * ROOT_ENTRIES + rest.root_index() as usize;
        find(self, *self.roots.get(index)?, rest, steps)
    }

    /// How many bytes the tables take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.roots[..])
            + size_of_val(&self.pages[..])
            + size_of_val(&self.bitmap_nodes[..])
            + size_of_val(&self.paths[..])
    }
}

impl Default for TableSet {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory for TableSet {
    fn entry(&self, page: u32, index: u32) -> Option<Entry> {
        self.pages.get(page as usize)?.get(index as usize).copied()
    }

    fn bitmap_node(&self, number: u32) -> Option<&BitmapNode> {
        self.bitmap_nodes.get(number as usize)
    }

    fn path(&self, number: u32) -> Option<&CompressedPath> {
        self.paths.get(number as usize)
    }
}

impl Space for TableSet {
    fn add_full_node(&mut self, entries: &[Entry; PAGE_ENTRIES]) -> Result<u32, TablesFull> {
        add(&mut self.pages, *entries)
    }

    fn add_list(&mut self, entries: &[Entry]) -> Result<u32, TablesFull> {
        let pages = &mut self.pages;
        let index = self
            .lists
            .reserve(entries.len(), || add(pages, [Entry::default(); PAGE_ENTRIES]))?;
        let (page, at) = (index as usize / PAGE_ENTRIES, index as usize % PAGE_ENTRIES);
        self.pages[page][at..at + entries.len()].copy_from_slice(entries);
        Ok(index)
    }

    fn add_bitmap_node(&mut self, node: BitmapNode) -> Result<u32, TablesFull> {
        add(&mut self.bitmap_nodes, node)
    }

    fn add_path(&mut self, path: CompressedPath) -> Result<u32, TablesFull> {
        add(&mut self.paths, path)
    }
}

/// Appends an item that an entry can number; lists count entries over all pages in 32 bits.
fn add<T>(items: &mut Vec<T>, item: T) -> Result<u32, TablesFull> {
    const MOST: u32 = u32::MAX / PAGE;
    let number = u32::try_from(items.len()).map_err(|_| TablesFull)?;
    if number >= MOST {
        return Err(TablesFull);
    }
    items.push(item);
    Ok(number)
}
