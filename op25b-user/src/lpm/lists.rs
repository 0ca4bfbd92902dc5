//! Allocates lists of entries in pages. Lists of one size share pages, so that no list crosses the end of one.

use op25b_common::lpm::PAGE;

/// The longest list: for more entries a full page takes one step less and is hardly larger.
pub(super) const LONGEST: usize = 128;

/// Sizes are powers of two: 1 to [`LONGEST`].
const SIZES: usize = LONGEST.ilog2() as usize + 1;

/// The partly used pages, one for each size of list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    /// The next free entry, counted over all pages; a multiple of [`PAGE`] if there is none.
    next: [u32; SIZES],
}

impl Lists {
    /// Allocates a list of 1 to [`LONGEST`] entries, and returns the index of its first; `new_page` allocates a page.
    pub(super) fn reserve<E>(
        &mut self,
        entries: usize,
        new_page: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        let size = entries.next_power_of_two();
        let next = &mut self.next[size.ilog2() as usize];
        if next.is_multiple_of(PAGE) {
            *next = new_page()? * PAGE;
        }
        let index = *next;
        #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
        let size = size as u32;
        *next += size;
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_neither_overlap_nor_cross_pages() {
        let mut lists = Lists::default();
        let mut pages = 0;
        let mut taken = std::collections::HashSet::new();
        for round in 0..2000 {
            let entries = round * 7 % LONGEST + 1;
            let index = lists.reserve::<()>(entries, || {
                pages += 1;
                Ok(pages - 1)
            });
            let index = index.unwrap() as usize;
            assert_eq!(index / 256, (index + entries - 1) / 256, "{entries} at {index}");
            assert!((index..index + entries).all(|entry| taken.insert(entry)));
        }
        assert!(taken.iter().all(|entry| *entry < pages as usize * 256));
    }
}
