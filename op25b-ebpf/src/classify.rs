//! From an address to its class: the tables of [`op25b_common::classifier`] in this program's maps.

use op25b_common::{
    classifier::{Entry, Memory, Path, Rest, STEPS_V4, STEPS_V6, Sparse, Target, find},
    root,
    values::{Class, RuleIndex},
};

use crate::{address::Address, maps};

/// The tables' maps.
struct Maps;

impl Memory for Maps {
    #[inline(always)]
    fn page(&self, number: u32, byte: u32) -> Option<Entry> {
        let page = maps::PAGES.get(number)?;
        page.get(byte as usize).copied().map(Entry::from_word)
    }

    #[inline(always)]
    fn sparse(&self, number: u32) -> Option<&Sparse> {
        maps::SPARSE.get(number)
    }

    #[inline(always)]
    fn path(&self, number: u32) -> Option<&Path> {
        maps::PATHS.get(number)
    }
}

/// What the policy says of a subscriber's address; `None` if nothing.
#[inline(always)]
pub fn source(address: &Address) -> Option<&'static Class> {
    let mut rest = address.rest();
    let number = if address.is_v6 {
        let entry = root_entry(root::SOURCES_V6, &mut rest)?;
        behind_root(entry, address)
    } else {
        let entry = root_entry(root::SOURCES_V4, &mut rest)?;
        find(&Maps, entry, rest, STEPS_V4)?
    };
    if number == 0 {
        return None;
    }
    maps::CLASSES.get(number)
}

/// The relay that has this address.
#[inline(always)]
pub fn relay(address: &Address) -> Option<RuleIndex> {
    let root = if address.is_v6 {
        root::RELAYS_V6
    } else {
        root::RELAYS_V4
    };
    let entry = root_entry(root, &mut address.rest())?;
    behind_root(entry, address).checked_sub(1)
}

/// The number that a root's entry leads to; most lead there at once.
#[inline(always)]
fn behind_root(entry: Entry, address: &Address) -> u32 {
    match entry.target() {
        Target::Class(number) => number,
        _ => walk(entry.word(), address.high, address.low),
    }
}

/// Goes from a root's entry to the number for an address of either family, 0 if a table is not there.
///
/// Verified by itself: its loop is long, and no way through it matters to its callers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn walk(entry: u32, high: u64, low: u64) -> u32 {
    let mut rest = Rest::new(high, low);
    rest.root_index();
    find(&Maps, Entry::from_word(entry), rest, STEPS_V6).unwrap_or(0)
}

#[inline(always)]
fn root_entry(root: u32, rest: &mut Rest) -> Option<Entry> {
    let entries = maps::ROOTS.get(root)?;
    let index = rest.root_index();
    entries.get(index as usize).copied().map(Entry::from_word)
}
