//! Writes records into the LRU map of a filter whose program already counts there.

use std::{io, thread};

use aya::maps::{HashMap, Map, MapData};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use op25b_common::{names::SUBSCRIBERS_LRU, values::Subscriber};

use super::transfer::move_record;
use crate::datapath::{stats::OwnRecord, sys::bpf::map::MapError};

/// The LRU map of this version.
type Records = HashMap<MapData, u64, Subscriber>;

/// The record of a subscriber's prefix, and where it is from.
pub(super) type Entry<T> = (u64, Subscriber, T);

/// Writes records. `remove` is called with where one is from once it is written: if a process ends during this, the next one can repeat
/// it, and at most one record is counted twice.
///
/// A record is in the part of the map that belongs to the CPU that began it. So they are begun on each of this process's CPUs
/// in turn; if there are too many, each CPU keeps those that were seen last.
pub(super) fn write<T: Send + Sync>(
    map: MapData,
    mut records: Vec<Entry<T>>,
    mut remove: impl FnMut(u64, &T) -> Result<(), aya::maps::MapError> + Send,
) -> Result<(), MapError> {
    records.sort_unstable_by_key(|(_, record, _)| record.hot.last_seen);
    let failed = MapError::write::<aya::maps::MapError>(SUBSCRIBERS_LRU);
    let mut map = Records::try_from(Map::LruHashMap(map)).map_err(&failed)?;
    let one = |(prefix, record, from): &Entry<T>| {
        add(&mut map, *prefix, *record)?;
        remove(*prefix, from)
    };
    // In a thread of its own, as the daemon's stays on all CPUs.
    let written = thread::scope(|scope| scope.spawn(|| on_each_cpu(&records, one)).join());
    written
        .unwrap_or_else(|_| Err(io::Error::other("the thread that writes the records panicked").into()))
        .map_err(failed)
}

/// Does something with each record, on each CPU that this thread may run on with as many.
fn on_each_cpu<R>(
    records: &[R],
    mut one: impl FnMut(&R) -> Result<(), aya::maps::MapError>,
) -> Result<(), aya::maps::MapError> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread).unwrap_or_default();
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or_default());
    let cpus: Vec<usize> = cpus.collect();
    let parts = cpus.len().max(1);
    for part in 0..parts {
        if let Some(cpu) = cpus.get(part) {
            let mut only = CpuSet::new();
            // If it is refused, more records are begun on one CPU, which keeps the last ones.
            let _ = only
                .set(*cpu)
                .and_then(|()| sched_setaffinity(this_thread, &only));
        }
        for record in records.iter().skip(part).step_by(parts) {
            one(record)?;
        }
    }
    Ok(())
}

/// Adds one record; a packet of this subscriber that arrives meanwhile may not be counted.
fn add(map: &mut Records, prefix: u64, record: Subscriber) -> Result<(), aya::maps::MapError> {
    /// `BPF_NOEXIST`, of the kernel's flags of an update.
    const ONLY_NEW: u64 = 1;
    match map.insert(prefix, record, ONLY_NEW) {
        Err(error) if has_errno(&error, libc::EEXIST) => {
            let record = match map.get(&prefix, 0) {
                Ok(begun) => merged(record, begun),
                // It was evicted at once.
                Err(aya::maps::MapError::KeyNotFound) => record,
                Err(error) => return Err(error),
            };
            map.insert(prefix, record, 0)
        }
        outcome => outcome,
    }
}

pub(super) fn has_errno(error: &aya::maps::MapError, errno: i32) -> bool {
    matches!(error, aya::maps::MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(errno))
}

/// One subscriber's record from before, with what was counted since.
fn merged(before: Subscriber, since: Subscriber) -> Subscriber {
    let merged = OwnRecord::from(since);
    move_record(OwnRecord::from(before).shared(), merged.shared());
    merged.shared().copy()
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{Cold, Hot};

    use super::*;

    fn record(count: u32, first_seen: u32, last_seen: u32) -> Subscriber {
        Subscriber {
            hot: Hot {
                destinations: 1 << (count % 64),
                blocked_syns: count,
                last_seen,
            },
            cold: Cold {
                first_seen,
                blocked_others: count + 1,
                monitored_syns: count + 2,
                monitored_others: count + 3,
            },
            hidden: count + 4,
            unused: 0,
        }
    }

    #[test]
    fn a_record_and_what_was_counted_since_are_added_up() {
        let merged = merged(record(10, 100, 200), record(20, 300, 400));
        let expected = Subscriber {
            hot: Hot {
                destinations: 1 << 10 | 1 << 20,
                blocked_syns: 30,
                last_seen: 400,
            },
            cold: Cold {
                first_seen: 100,
                blocked_others: 32,
                monitored_syns: 34,
                monitored_others: 36,
            },
            hidden: 38,
            unused: 0,
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn counters_stop_where_the_programs_stop_and_a_record_without_a_beginning_has_none() {
        let full = record(Subscriber::MOST - 10, 0, 200);
        let merged = merged(full, record(20, 300, 0));
        assert_eq!(merged.hot.blocked_syns, Subscriber::MOST);
        assert_eq!(merged.hidden, Subscriber::MOST);
        assert_eq!((merged.cold.first_seen, merged.hot.last_seen), (300, 200));
    }
}
