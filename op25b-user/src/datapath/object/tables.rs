//! The tables of a filter's policy mapped into memory, to change single entries while the program reads them.

use std::{
    cell::UnsafeCell,
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

use aya::Ebpf;
use memmap2::MmapRaw;
use op25b_common::{
    names::{CLASSES, PAGES, PATHS, PHASES, ROOTS, SPARSE},
    values::{Class, NO_PHASES, Phases, UnixSeconds},
};

use super::{error::LoadError, maps};
use crate::{
    datapath::sys::bpf::{map::MapError, mapping},
    lpm::{LiveTables, Regions, TablesFull, Usage},
    policy::Dates,
};

/// The tables, and how much of them is used.
#[derive(Debug)]
pub(crate) struct Tables {
    used: Usage,
    /// Mapped when they are first changed.
    memory: Option<Memory>,
}

impl Tables {
    pub(super) fn new(used: Usage) -> Self {
        Self { used, memory: None }
    }

    /// The tables of the classes and the prefixes, to write to them.
    pub(super) fn open(&mut self, ebpf: &Ebpf) -> Result<(&Memory, &mut Usage), LoadError> {
        let memory = match self.memory.take() {
            Some(memory) => memory,
            None => Memory::map(ebpf)?,
        };
        Ok((self.memory.insert(memory), &mut self.used))
    }
}

/// The mapped arrays.
#[derive(Debug)]
pub(super) struct Memory {
    roots: MmapRaw,
    pages: MmapRaw,
    bitmap_nodes: MmapRaw,
    paths: MmapRaw,
    classes: MmapRaw,
    phases: MmapRaw,
}

impl Memory {
    fn map(ebpf: &Ebpf) -> Result<Self, LoadError> {
        let map = |name| -> Result<MmapRaw, LoadError> {
            let mapped = mapping::map(maps::array(ebpf, name)?);
            Ok(mapped.map_err(MapError::write(name))?)
        };
        Ok(Self {
            roots: map(ROOTS)?,
            pages: map(PAGES)?,
            bitmap_nodes: map(SPARSE)?,
            paths: map(PATHS)?,
            classes: map(CLASSES)?,
            phases: map(PHASES)?,
        })
    }

    /// The tables of prefixes.
    pub(super) fn prefixes<'m>(&'m self, used: &'m mut Usage) -> LiveTables<'m> {
        // SAFETY: this process alone writes to the maps, `used` has followed every change, and the program in the kernel
        // reads only what entries lead to.
        unsafe { LiveTables::new(self.regions(), used) }
    }

    fn regions(&self) -> Regions<'_> {
        // SAFETY: mappings are aligned to pages and live as long as the slices; the kernel only reads them, and all of
        // this process's access is through atomics and cells.
        unsafe {
            Regions {
                roots: values::<AtomicU32>(&self.roots),
                pages: values::<AtomicU32>(&self.pages),
                bitmap_nodes: values::<UnsafeCell<_>>(&self.bitmap_nodes),
                paths: values::<UnsafeCell<_>>(&self.paths),
            }
        }
    }

    /// Writes new classes, which no table's answer names yet.
    pub(super) fn write_classes(&self, classes: &[(u32, Class)]) -> Result<(), TablesFull> {
        // SAFETY: as for the regions.
        let room = unsafe { values::<UnsafeCell<Class>>(&self.classes) };
        if classes.iter().any(|(number, _)| *number as usize >= room.len()) {
            return Err(TablesFull);
        }
        for (number, class) in classes {
            // SAFETY: no reader reads a class before an answer names it, and no other process writes.
            unsafe { *room[*number as usize].get() = *class };
        }
        Ok(())
    }

    /// Writes when what the policy blocks is blocked from on, one aligned word each.
    pub(super) fn set_dates(&self, dates: &Dates) {
        // SAFETY: as for the regions.
        let (classes, phases) = unsafe {
            (
                values::<UnsafeCell<Class>>(&self.classes),
                values::<UnsafeCell<Phases>>(&self.phases),
            )
        };
        let set_phases = |number: u32, from| {
            if let Some(phases) = phases.get(number as usize) {
                // SAFETY: the pointer is valid, and of a field.
                set(unsafe { &raw mut (*phases.get()).from }, from);
            }
        };
        set_phases(NO_PHASES, dates.of_any_pool());
        for (number, cell) in (0..).zip(classes) {
            // SAFETY: this process alone writes, and in one thread.
            let class = unsafe { *cell.get() };
            let Some((from, of_phases)) = dates.of_class(number, &class) else {
                continue;
            };
            // SAFETY: the pointer is valid, and of a field.
            set(unsafe { &raw mut (*cell.get()).enforce_from }, from);
            if let Some((number, from)) = of_phases {
                set_phases(number, from);
            }
        }
    }
}

/// Writes a date that the program may read meanwhile.
fn set(place: *mut UnixSeconds, date: UnixSeconds) {
    // SAFETY: callers pass a field of a mapped value, which is aligned, and which nothing but atomics and the kernel access while
    // this does.
    unsafe { AtomicU32::from_ptr(place) }.store(date, Ordering::Relaxed);
}

/// A mapping's values.
///
/// # Safety
///
/// Any bytes are a `T`, and every other access to the mapping is compatible with shared references to them.
unsafe fn values<T>(mapping: &MmapRaw) -> &[T] {
    // SAFETY: a mapping is aligned to a page and has the length that it reports; the rest is the caller's.
    unsafe { slice::from_raw_parts(mapping.as_ptr().cast(), mapping.len() / size_of::<T>()) }
}
