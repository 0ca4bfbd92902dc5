//! Looks an address up in the prefix tables of a filter, as the program does.

use std::{
    cell::{Cell, OnceCell},
    net::IpAddr,
    os::fd::AsFd as _,
};

use aya::{
    Ebpf, Pod,
    maps::{Array, Map, MapData},
};
use op25b_common::{
    TableRoot,
    lpm::{BitmapNode, CompressedPath, Entry, KeyCursor, Memory, PAGE_ENTRIES, ROOT_ENTRIES, STEPS_V6, find},
    names::{CLASSES, PAGES, PATHS, ROOTS, SPARSE},
    values::{Class, NEVER, NO_PHASES, UnixSeconds},
};

use crate::datapath::{
    object::LoadError,
    stats::{PhaseStart, PhaseTables},
    sys::bpf::map::MapError,
};

/// The class of a subscriber's address; none for one in no pool and in no exemption.
pub(super) fn of(ebpf: &Ebpf, address: IpAddr) -> Result<Option<Class>, LoadError> {
    let (root, high, low) = match address {
        IpAddr::V4(address) => (TableRoot::SourcesV4, u64::from(address.to_bits()) << 32, 0),
        IpAddr::V6(address) => {
            let [high, low] = [address.to_bits() >> 64, address.to_bits() & u128::from(u64::MAX)];
            #[expect(clippy::cast_possible_truncation, reason = "halves of 128 bits")]
            let halves = (high as u64, low as u64);
            (TableRoot::SourcesV6, halves.0, halves.1)
        }
    };
    let mut key = KeyCursor::new(high, low);
    let roots = array::<[u32; ROOT_ENTRIES]>(ebpf, ROOTS)?;
    let entries = value(&roots, ROOTS, root.index())?;
    let index = key.root_index();
    let entry = entries.get(index as usize).copied().map(Entry::from_word);
    let tables = Tables {
        pages: array(ebpf, PAGES)?,
        bitmap_nodes: Nodes::new(array(ebpf, SPARSE)?),
        paths: Nodes::new(array(ebpf, PATHS)?),
    };
    let number = entry.and_then(|entry| find(&tables, entry, key, STEPS_V6));
    match number {
        None | Some(0) => Ok(None),
        Some(number) => value(&array(ebpf, CLASSES)?, CLASSES, number).map(Some),
    }
}

/// The maps of the tables.
struct Tables {
    pages: Array<MapData, [u32; PAGE_ENTRIES]>,
    bitmap_nodes: Nodes<BitmapNode>,
    paths: Nodes<CompressedPath>,
}

impl Memory for Tables {
    fn entry(&self, page: u32, index: u32) -> Option<Entry> {
        let page = self.pages.get(&page, 0).ok()?;
        page.get(index as usize).copied().map(Entry::from_word)
    }

    fn bitmap_node(&self, number: u32) -> Option<&BitmapNode> {
        self.bitmap_nodes.read(number)
    }

    fn path(&self, number: u32) -> Option<&CompressedPath> {
        self.paths.read(number)
    }
}

/// Nodes of one kind: one that was read stays where it is until the look-up ends.
struct Nodes<N: Pod> {
    map: Array<MapData, N>,
    read: [OnceCell<N>; STEPS_V6 as usize],
    count: Cell<usize>,
}

impl<N: Pod> Nodes<N> {
    fn new(map: Array<MapData, N>) -> Self {
        Self {
            map,
            read: Default::default(),
            count: Cell::new(0),
        }
    }

    fn read(&self, number: u32) -> Option<&N> {
        let node = self.map.get(&number, 0).ok()?;
        let place = self.read.get(self.count.get())?;
        self.count.set(self.count.get() + 1);
        Some(place.get_or_init(|| node))
    }
}

/// What the phases of a class's pool say of a destination; none if it has no phases, or none of them has the destination.
pub(super) fn phase(
    ebpf: &Ebpf,
    class: &Class,
    destination: IpAddr,
) -> Result<Option<PhaseStart>, LoadError> {
    if class.phases == NO_PHASES {
        return Ok(None);
    }
    Ok(phases(ebpf)?.of(class.phases, destination)?)
}

/// From when on any of the phases of a class's pool applies; [`NEVER`] if it has none.
pub(super) fn first_phase(ebpf: &Ebpf, class: &Class) -> Result<UnixSeconds, LoadError> {
    if class.phases == NO_PHASES {
        return Ok(NEVER);
    }
    Ok(phases(ebpf)?.begins(class.phases)?)
}

fn phases(ebpf: &Ebpf) -> Result<PhaseTables, LoadError> {
    PhaseTables::open(|name| opened(ebpf, name))
}

/// A map as it is: the loader takes a map that it opens for one of the object's size.
fn opened(ebpf: &Ebpf, name: &'static str) -> Result<MapData, LoadError> {
    let Some(Map::Array(map) | Map::LpmTrie(map)) = ebpf.map(name) else {
        return Err(LoadError::Missing { name });
    };
    let opened = map.fd().as_fd().try_clone_to_owned();
    let opened = opened.map_err(aya::maps::MapError::IoError);
    Ok(opened.and_then(MapData::from_fd).map_err(MapError::read(name))?)
}

fn array<V: Pod>(ebpf: &Ebpf, name: &'static str) -> Result<Array<MapData, V>, LoadError> {
    Ok(Array::try_from(Map::Array(opened(ebpf, name)?)).map_err(MapError::read(name))?)
}

fn value<V: Pod>(array: &Array<MapData, V>, name: &'static str, index: u32) -> Result<V, LoadError> {
    Ok(array.get(&index, 0).map_err(MapError::read(name))?)
}
