//! Changes of a policy while its program runs: one exemption more or less.

use std::{cell::UnsafeCell, io, slice, sync::atomic::AtomicU32};

use memmap2::MmapRaw;
use op25b_common::{
    names::{CLASSES, DESTINATIONS_V4, DESTINATIONS_V6, PAGES, PATHS, ROOTS, SPARSE},
    values::Class,
};
use thiserror::Error;

use super::{
    filter::Filter,
    load::{self, LoadError},
};
use crate::{
    datapath::sys::mapping,
    lpm::{Full, LiveTables, Used, Words},
    policy::RuleChange,
};

/// Why a filter could not be changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The maps were made with some room, which is used up: the policy has to be loaded anew.
    #[error("the filter has no room left for changes; load the policy anew")]
    Full(#[from] Full),
    /// The destinations could not be written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The tables could not be mapped.
    #[error("cannot map the filter's tables into memory")]
    Map(#[from] io::Error),
}

/// The tables of a filter as memory, and how much of it is used.
#[derive(Debug)]
pub(crate) struct Tables {
    used: Used,
    /// Mapped when they are first changed.
    memory: Option<Memory>,
}

#[derive(Debug)]
struct Memory {
    roots: MmapRaw,
    pages: MmapRaw,
    sparse: MmapRaw,
    paths: MmapRaw,
    classes: MmapRaw,
}

impl Tables {
    pub(crate) fn new(used: Used) -> Self {
        Self { used, memory: None }
    }
}

impl Filter {
    /// Changes the policy that is enforced, without a moment at which a packet would be judged by neither the old nor the
    /// new one.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; those of the change's parts before the one that failed hold then, each as a whole.
    pub fn apply(&mut self, change: &RuleChange) -> Result<(), ChangeError> {
        if self.tables.memory.is_none() {
            self.tables.memory = Some(Memory {
                roots: mapping::map(self.array(ROOTS)?)?,
                pages: mapping::map(self.array(PAGES)?)?,
                sparse: mapping::map(self.array(SPARSE)?)?,
                paths: mapping::map(self.array(PATHS)?)?,
                classes: mapping::map(self.array(CLASSES)?)?,
            });
        }
        load::fill_trie(self.ebpf_mut(), DESTINATIONS_V4, &change.destinations_v4)?;
        load::fill_trie(self.ebpf_mut(), DESTINATIONS_V6, &change.destinations_v6)?;
        let Tables {
            used,
            memory: Some(memory),
        } = &mut self.tables
        else {
            return Ok(());
        };
        memory.write_classes(&change.classes)?;
        // SAFETY: this process alone writes to the maps, `used` has followed every change, and the program in the kernel
        // reads only what entries lead to.
        let mut live = unsafe { LiveTables::new(memory.words(), used) };
        for part in &change.tables {
            part.write(&mut live)?;
        }
        Ok(())
    }
}

impl Memory {
    fn words(&self) -> Words<'_> {
        // SAFETY: mappings are aligned to pages and live as long as the slices; the kernel only reads them, and all of
        // this process's access is through atomics and cells.
        unsafe {
            Words {
                roots: values::<AtomicU32>(&self.roots),
                pages: values::<AtomicU32>(&self.pages),
                sparse: values::<UnsafeCell<_>>(&self.sparse),
                paths: values::<UnsafeCell<_>>(&self.paths),
            }
        }
    }

    /// Writes new classes, which no table's answer names yet.
    fn write_classes(&self, classes: &[(u32, Class)]) -> Result<(), Full> {
        // SAFETY: as for words.
        let room = unsafe { values::<UnsafeCell<Class>>(&self.classes) };
        if classes.iter().any(|(number, _)| *number as usize >= room.len()) {
            return Err(Full);
        }
        for (number, class) in classes {
            // SAFETY: nobody reads a class before there is an answer that names it, and nobody else writes.
            unsafe { *room[*number as usize].get() = *class };
        }
        Ok(())
    }
}

/// A mapping's values.
///
/// # Safety
///
/// Any bytes are a `T`, and every other access to the mapping goes well with shared references to them.
unsafe fn values<T>(mapping: &MmapRaw) -> &[T] {
    // SAFETY: a mapping is aligned to a page and as long as it says; the rest is the caller's.
    unsafe { slice::from_raw_parts(mapping.as_ptr().cast(), mapping.len() / size_of::<T>()) }
}
