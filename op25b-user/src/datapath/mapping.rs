//! Array maps as memory of this process: what is written there, the program reads without a system call between.

use std::{io, os::fd::AsFd as _};

use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};

/// The values of an array map that was made with `BPF_F_MMAPABLE` (Linux 5.5).
pub(super) fn map(data: &MapData) -> io::Result<MmapRaw> {
    let info = data.info().map_err(io::Error::other)?;
    // Linux `array_map_mmap`: a value takes a multiple of 8 bytes, and the whole a multiple of the page size.
    let value = (info.value_size() as usize).next_multiple_of(8);
    let length = value * info.max_entries() as usize;
    MmapOptions::new().len(length).map_raw(&data.fd().as_fd())
}

/// Copies values to the beginning of an array map.
pub(super) fn copy<T: Copy>(data: &MapData, values: &[T]) -> io::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let mapping = map(data)?;
    if size_of_val(values) > mapping.len() {
        return Err(io::Error::other("the table is longer than its map"));
    }
    // SAFETY: the mapping is long enough, aligned to a page, and no reference into it exists.
    unsafe {
        values
            .as_ptr()
            .copy_to_nonoverlapping(mapping.as_mut_ptr().cast(), values.len());
    }
    Ok(())
}
