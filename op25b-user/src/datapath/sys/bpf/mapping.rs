//! Array maps mapped into memory: the program reads what is written there without a system call in between.

use std::{io, marker::PhantomData, os::fd::AsFd as _};

use aya::{Pod, maps::MapData};
use memmap2::{MmapOptions, MmapRaw};

/// Maps the values of an array map that was created with `BPF_F_MMAPABLE` (Linux 5.5).
pub(crate) fn map(data: &MapData) -> io::Result<MmapRaw> {
    MmapOptions::new().len(length(data)?).map_raw(&data.fd().as_fd())
}

/// How many bytes can be mapped.
fn length(data: &MapData) -> io::Result<usize> {
    let info = data.info().map_err(io::Error::other)?;
    // Linux `array_map_mmap`: a value takes a multiple of 8 bytes, and the whole a multiple of the page size.
    let value = (info.value_size() as usize).next_multiple_of(8);
    Ok(value * info.max_entries() as usize)
}

/// How many bytes are mapped at once where not all have to be: mapped pages count as memory of this process.
const WINDOW_BYTES: usize = 4 << 20;

/// Copies values to the beginning of an array map.
pub(crate) fn copy<T: Copy>(data: &MapData, values: &[T]) -> io::Result<()> {
    let bytes = size_of_val(values);
    if bytes > length(data)? {
        return Err(io::Error::other("the table is longer than its map"));
    }
    for start in (0..bytes).step_by(WINDOW_BYTES) {
        let count = (bytes - start).min(WINDOW_BYTES);
        let mapping = MmapOptions::new()
            .offset(start as u64)
            .len(count)
            .map_raw(&data.fd().as_fd())?;
        // SAFETY: both memory areas are at least `count` bytes long, and no reference into the mapping exists.
        unsafe {
            let values = values.as_ptr().cast::<u8>().add(start);
            values.copy_to_nonoverlapping(mapping.as_mut_ptr(), count);
        }
    }
    Ok(())
}

/// Reads all values of an array map that was created with `BPF_F_MMAPABLE`, one after the other.
pub(crate) fn visit<T: Pod>(data: &MapData, mut read: impl FnMut(T)) -> io::Result<()> {
    const { assert!(WINDOW_BYTES.is_multiple_of(size_of::<T>()) && size_of::<T>().is_multiple_of(8)) };
    let count = data.info().map_err(io::Error::other)?.max_entries() as usize;
    let length = count * size_of::<T>();
    if length != self::length(data)? {
        return Err(io::Error::other("the map has values of another size"));
    }
    for start in (0..length).step_by(WINDOW_BYTES) {
        let bytes = (length - start).min(WINDOW_BYTES);
        let mapping = MmapOptions::new()
            .offset(start as u64)
            .len(bytes)
            .map_raw_read_only(&data.fd().as_fd())?;
        let values = mapping.as_ptr().cast::<T>();
        for index in 0..bytes / size_of::<T>() {
            // SAFETY: within the mapping; any bytes are a value, and one that changes meanwhile is torn at worst.
            read(unsafe { values.add(index).read_volatile() });
        }
    }
    Ok(())
}

/// The unit in which array maps are mapped.
const PAGE: usize = 4096;

/// A part of an array map's values, each of which takes whole pages.
pub(crate) struct Window<T> {
    mapping: MmapRaw,
    first: usize,
    count: usize,
    values: PhantomData<T>,
}

impl<T: Pod> Window<T> {
    /// The values from `first` on, up to `end` or as many as are mapped at once.
    pub(crate) fn new(data: &MapData, first: usize, end: usize) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(PAGE) && size_of::<T>() <= WINDOW_BYTES) };
        let count = (end - first).min(WINDOW_BYTES / size_of::<T>());
        let mapping = MmapOptions::new()
            .offset((first * size_of::<T>()) as u64)
            .len(count * size_of::<T>())
            .map_raw_read_only(&data.fd().as_fd())?;
        Ok(Self {
            mapping,
            first,
            count,
            values: PhantomData,
        })
    }

    /// The index after the last value.
    pub(crate) fn end(&self) -> usize {
        self.first + self.count
    }

    /// Where the values are, which may be read as long as the window exists: any bytes are one, and one that changes meanwhile
    /// is torn at worst.
    pub(crate) fn iter(&self) -> impl Iterator<Item = *const T> {
        let values = self.mapping.as_ptr().cast::<T>();
        // SAFETY: within the mapping.
        (0..self.count).map(move |index| unsafe { values.add(index) })
    }
}
