//! Moves the IPv6 records of one filter's map into another's, while the program of the other already counts.

use std::{cmp::Reverse, io, thread};

use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use op25b_common::{names::SUBSCRIBERS_V6, values::Subscriber};

use crate::datapath::{stats::records_v6, sys::map::MapError};

/// A map of records of this version.
type Records = HashMap<MapData, u64, Subscriber>;

/// How many records were moved, and how many were not, as the policy does not remember their addresses any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) moved: u64,
    pub(crate) discarded: u64,
}

/// Moves the records of prefixes for which this holds. No program may write to the map that they are from any more.
///
/// A record is removed from the old map once it is in the new one: if a process ends during this, the next one can repeat it,
/// and at most one record is counted twice.
///
/// A record is in the part of the map that belongs to the CPU that began it. So they are begun on each of this process's CPUs
/// in turn; if there are too many, each CPU keeps those that were seen last.
pub(crate) fn move_to<R: Pod + Send + Into<Subscriber>>(
    from: &mut Map,
    to: MapData,
    is_remembered: impl Fn(u64) -> bool,
) -> Result<Moved, MapError> {
    let mut found: Vec<(u64, Subscriber)> = Vec::new();
    records_v6(from, |prefix, record: R| found.push((prefix, record.into())))?;
    let all = found.len() as u64;
    found.retain(|(prefix, _)| is_remembered(*prefix));
    found.sort_unstable_by_key(|(_, record)| record.hot.last_seen);
    let moved = found.len() as u64;
    let failed = MapError::write::<aya::maps::MapError>(SUBSCRIBERS_V6);
    let mut to = Records::try_from(Map::LruHashMap(to)).map_err(&failed)?;
    let mut from = HashMap::<&mut MapData, u64, R>::try_from(from).map_err(&failed)?;
    let one = |prefix, record| {
        add(&mut to, prefix, record)?;
        from.remove(&prefix)
    };
    // In a thread of its own, as the daemon's stays on all CPUs.
    let written = thread::scope(|scope| scope.spawn(|| on_each_cpu(&found, one)).join());
    written
        .unwrap_or_else(|_| Err(io::Error::other("the thread that writes the records panicked").into()))
        .map_err(failed)?;
    Ok(Moved {
        moved,
        discarded: all - moved,
    })
}

/// Removes the records for whose prefix this holds. Returns how many there were.
pub(crate) fn discard(map: MapData, is_discarded: impl Fn(u64) -> bool) -> Result<u64, MapError> {
    let failed = MapError::write::<aya::maps::MapError>(SUBSCRIBERS_V6);
    let mut map = Records::try_from(Map::LruHashMap(map)).map_err(&failed)?;
    let prefixes = map.keys().collect::<Result<Vec<_>, _>>().map_err(&failed)?;
    let mut discarded = 0;
    for prefix in prefixes.into_iter().filter(|prefix| is_discarded(*prefix)) {
        match map.remove(&prefix) {
            Ok(()) => discarded += 1,
            // It was evicted meanwhile.
            Err(error) if has_errno(&error, libc::ENOENT) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(discarded)
}

/// Does something with each record, on each CPU that this thread may run on with as many.
fn on_each_cpu(
    records: &[(u64, Subscriber)],
    mut one: impl FnMut(u64, Subscriber) -> Result<(), aya::maps::MapError>,
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
        for (prefix, record) in records.iter().skip(part).step_by(parts) {
            one(*prefix, *record)?;
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

fn has_errno(error: &aya::maps::MapError, errno: i32) -> bool {
    matches!(error, aya::maps::MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(errno))
}

/// One subscriber's record from before, with what was counted since.
fn merged(before: Subscriber, since: Subscriber) -> Subscriber {
    let sum = |before: u32, since: u32| {
        before
            .saturating_add(since)
            .min(Subscriber::MOST.max(before).max(since))
    };
    // 0 is never.
    let earliest = |before: u32, since: u32| {
        let seen = [before, since].into_iter().filter(|seen| *seen != 0);
        seen.max_by_key(|seen| Reverse(*seen)).unwrap_or_default()
    };
    let mut merged = since;
    merged.hot.destinations |= before.hot.destinations;
    merged.hot.blocked_syns = sum(before.hot.blocked_syns, since.hot.blocked_syns);
    merged.hot.last_seen = before.hot.last_seen.max(since.hot.last_seen);
    merged.cold.first_seen = earliest(before.cold.first_seen, since.cold.first_seen);
    merged.cold.blocked_others = sum(before.cold.blocked_others, since.cold.blocked_others);
    merged.cold.monitored_syns = sum(before.cold.monitored_syns, since.cold.monitored_syns);
    merged.cold.monitored_others = sum(before.cold.monitored_others, since.cold.monitored_others);
    merged.hidden = sum(before.hidden, since.hidden);
    merged
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
