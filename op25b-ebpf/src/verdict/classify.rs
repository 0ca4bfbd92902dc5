//! From an address to its class: the prefix tables ([`op25b_common::lpm`]) in the program's maps.

use op25b_common::{
    TableRoot,
    lpm::{BitmapNode, CompressedPath, Entry, KeyCursor, Memory, STEPS_V4, STEPS_V6, Target, find},
    values::{Class, RuleIndex},
};
use op25b_ebpf::parse::address::Address;

use crate::maps;

/// The maps of the tables.
struct Maps;

impl Memory for Maps {
    #[inline(always)]
    fn entry(&self, page: u32, index: u32) -> Option<Entry> {
        let page = maps::PAGES.get(page)?;
        page.get(index as usize).copied().map(Entry::from_word)
    }

    #[inline(always)]
    fn bitmap_node(&self, number: u32) -> Option<&BitmapNode> {
        maps::SPARSE.get(number)
    }

    #[inline(always)]
    fn path(&self, number: u32) -> Option<&CompressedPath> {
        maps::PATHS.get(number)
    }
}

/// The class of a subscriber's address; `None` for one in no pool and in no exemption.
#[inline(always)]
pub fn source(address: &Address) -> Option<&'static Class> {
    let mut key = key_of(address);
    let number = if address.is_v6 {
        let entry = root_entry(TableRoot::SourcesV6, &mut key)?;
        follow(entry, address)
    } else {
        let entry = root_entry(TableRoot::SourcesV4, &mut key)?;
        find(&Maps, entry, key, STEPS_V4)?
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
        TableRoot::RelaysV6
    } else {
        TableRoot::RelaysV4
    };
    let entry = root_entry(root, &mut key_of(address))?;
    follow(entry, address).checked_sub(1)
}

/// The number that a root's entry leads to; most are classes themselves.
#[inline(always)]
fn follow(entry: Entry, address: &Address) -> u32 {
    match entry.target() {
        Target::Class(number) => number,
        _ => op25b_lpm_find(entry.word(), address.high, address.low),
    }
}

/// The number for an address of either IP version, from its entry in the root on; 0 if a table is not there.
///
/// Verified by itself: its loop is long, and no path through it matters to its callers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_lpm_find(entry: u32, high: u64, low: u64) -> u32 {
    let mut key = KeyCursor::new(high, low);
    key.root_index();
    find(&Maps, Entry::from_word(entry), key, STEPS_V6).unwrap_or(0)
}

/// An address as the key of a look-up.
#[inline(always)]
fn key_of(address: &Address) -> KeyCursor {
    KeyCursor::new(address.high, address.low)
}

#[inline(always)]
fn root_entry(root: TableRoot, key: &mut KeyCursor) -> Option<Entry> {
    let entries = maps::ROOTS.get(root.index())?;
    let index = key.root_index();
    entries.get(index as usize).copied().map(Entry::from_word)
}
