//! From an address to its class: the prefix tables ([`op25b_common::lpm`]) in the program's maps.

use op25b_common::{
    TableRoot,
    lpm::{self, BitmapNode, CompressedPath, Entry, KeyCursor, Memory, STEPS_V4, STEPS_V6, Target, find},
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

/// How many steps of an IPv6 look-up are compiled into the function that looks up.
pub mod steps {
    /// Those to a prefix of up to 56 bits below one of 32: a compressed path and three nodes. A call takes as long as some steps.
    pub const OF_A_SUBSCRIBER: u32 = 4;
    /// None.
    pub const NONE: u32 = 0;
}

/// The class of a subscriber's address; `None` for one in no pool and in no exemption.
#[inline(always)]
pub fn source<const STEPS: u32>(address: &Address) -> Option<&'static Class> {
    let mut key = key_of(address);
    let number = if address.is_v6 {
        let entry = root_entry(TableRoot::SourcesV6, &mut key)?;
        let (entry, key) = lpm::follow(&Maps, entry, key, STEPS)?;
        follow(entry, key)
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
    let mut key = key_of(address);
    let entry = root_entry(root, &mut key)?;
    follow(entry, key).checked_sub(1)
}

/// The number that an entry leads to; most are classes themselves.
#[inline(always)]
fn follow(entry: Entry, key: KeyCursor) -> u32 {
    if let Target::Class(number) = entry.target() {
        return number;
    }
    let (high, low) = key.halves();
    op25b_lpm_find(entry.word(), high, low)
}

/// The number for what is left of an address of either IP version, from an entry on; 0 if a table is not there.
///
/// Verified by itself: its loop is long, and no path through it matters to its callers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_lpm_find(entry: u32, high: u64, low: u64) -> u32 {
    find(
        &Maps,
        Entry::from_word(entry),
        KeyCursor::new(high, low),
        STEPS_V6,
    )
    .unwrap_or(0)
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
