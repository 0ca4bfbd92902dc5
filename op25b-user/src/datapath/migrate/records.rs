//! Migrates the subscribers' records of the generations before, if the new filter does not share their maps.

use aya::maps::Map;
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::Subscriber,
};
use thiserror::Error;

use super::{
    records_v6::{Moved, Places},
    transfer,
};
use crate::{
    datapath::{
        object::{Filter, LoadError},
        pins::{Generation, Snapshot},
        stats::{RecordLayout, Side, SubscriberV2, move_misses},
        sys::bpf::{map::MapError, membarrier::wait_for_running_programs},
    },
    lpm::AddressFamily,
};

/// What became of the subscribers' records.
#[derive(Debug, Default)]
pub struct MigratedRecords {
    /// How many subscribers kept their record, which was moved into another map: the pools have changed, or the layout of
    /// records.
    pub moved: u64,
    /// The families whose records start from zero, and why.
    pub reset: Vec<(&'static str, String)>,
    /// The families of which records were discarded, as the policy does not remember their addresses any more.
    pub discarded: Vec<&'static str>,
    /// Why records that the policy does not remember any more could not be discarded.
    pub left: Option<String>,
}

impl MigratedRecords {
    fn reset(&mut self, family: &'static str, why: impl Into<String>) {
        self.reset.push((family, why.into()));
    }
}

/// Why the records of a family were not moved.
#[derive(Debug, Error)]
enum NotMoved {
    #[error("they were of /{before} prefixes, and are of /{now}")]
    OtherPrefix { before: u8, now: u8 },
    #[error("their map does not have the shape in the description of the filter before")]
    OtherShape,
    #[error(transparent)]
    Map(#[from] MapError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Migrates the records as far as this op25b can read the description of the maps before.
pub(crate) fn records(before: &Snapshot, filter: &Filter) -> MigratedRecords {
    let mut migrated = MigratedRecords::default();
    let Some(previous) = before.latest() else {
        return migrated;
    };
    let Some(records) = previous.records() else {
        for family in ["IPv4", "IPv6"] {
            migrated.reset(family, "the filter before kept them in another layout");
        }
        return migrated;
    };
    match arrays(before, previous, filter) {
        Ok(moved) => migrated.moved += moved,
        Err(error) => {
            let why = format!("{:#}", anyhow::Error::from(error));
            if !records.ipv6_index.ranges.is_empty() {
                migrated.reset("IPv6", why.clone());
            }
            migrated.reset("IPv4", why);
        }
    }
    // What is not moved is gone with the generation before.
    if !filter.records.ipv4.covers(&records.ipv4) {
        migrated.discarded.push("IPv4");
    }
    let mut discarded = match records_v6(before, previous, filter) {
        Ok(Moved { moved, discarded }) => {
            migrated.moved += moved;
            discarded
        }
        Err(why) => {
            if !migrated.reset.iter().any(|(family, _)| *family == "IPv6") {
                migrated.reset("IPv6", format!("{:#}", anyhow::Error::from(why)));
            }
            0
        }
    };
    if shares(previous, filter, SUBSCRIBERS_LRU) {
        match leave_lru_map(records, filter) {
            Ok(left) => {
                migrated.moved += left.moved;
                discarded += left.discarded;
            }
            Err(error) => migrated.left = Some(format!("{:#}", anyhow::Error::from(error))),
        }
    }
    if discarded > 0 {
        migrated.discarded.push("IPv6");
    }
    migrated
}

/// Takes the records out of the LRU map, which the filter shares, that its policy has in the array, or does not remember.
fn leave_lru_map(before: &RecordLayout, filter: &Filter) -> Result<Moved, NotMoved> {
    if filter.records.lru.covers(&before.lru) {
        return Ok(Moved::default());
    }
    // The program of the filter before may still begin one.
    wait_for_running_programs();
    let mut map = Map::LruHashMap(filter.shared_map(SUBSCRIBERS_LRU)?);
    Ok(Places::of(filter).take_out_of::<Subscriber>(SUBSCRIBERS_LRU, &mut map, true)?)
}

/// Moves the IPv6 records of all generations before that have maps of their own, as those of IPv4, which are not in the array of both.
fn records_v6(before: &Snapshot, previous: &Generation, filter: &Filter) -> Result<Moved, NotMoved> {
    let now = &filter.records;
    let mut all = Moved::default();
    let mut add = |moved: Moved| {
        all.moved += moved.moved;
        all.discarded += moved.discarded;
    };
    for generation in &before.generations {
        // Others never ran, or are of another version.
        let Some(records) = generation.records() else {
            continue;
        };
        if records.ipv6_prefix != now.ipv6_prefix {
            if previous.is(generation) && records.may_have_v6() {
                return Err(NotMoved::OtherPrefix {
                    before: records.ipv6_prefix,
                    now: now.ipv6_prefix,
                });
            }
            continue;
        }
        let places = Places::of(filter);
        if !shares(generation, filter, SUBSCRIBERS)
            && let Some(map) = generation.record_array()
        {
            wait_for_running_programs();
            add(places.take_from_array(&map?, records)?);
        }
        if shares(generation, filter, SUBSCRIBERS_LRU) {
            continue;
        }
        let Some(maps) = generation.lru_map() else {
            if previous.is(generation) {
                return Err(NotMoved::OtherShape);
            }
            continue;
        };
        let (mut map, mut misses) = maps?;
        wait_for_running_programs();
        let name = records.lru_name();
        add(if records.has_current_records() {
            places.take_out_of::<Subscriber>(name, &mut map, false)?
        } else {
            places.take_out_of::<SubscriberV2>(name, &mut map, false)?
        });
        let mut to = Map::PerCpuArray(filter.shared_map(MISSES_V6)?);
        move_misses(&mut misses, &mut to)?;
    }
    Ok(all)
}

/// Moves the records of subscribers that are in the array of the filter and in that of a generation before, of all that have an array of
/// their own. Several have one, with records left in it, only if a process ended during an earlier migration.
fn arrays(before: &Snapshot, previous: &Generation, filter: &Filter) -> Result<u64, NotMoved> {
    let mut maps = Vec::new();
    for generation in &before.generations {
        if shares(generation, filter, SUBSCRIBERS) {
            continue;
        }
        match (generation.record_array(), generation.records()) {
            (Some(map), Some(records)) => maps.push((map?, records)),
            _ if previous.is(generation) => return Err(NotMoved::OtherShape),
            // It never ran, or is of another version.
            _ => {}
        }
    }
    if maps.is_empty() {
        return Ok(0);
    }
    let now = &filter.records;
    let array = filter.map_data(SUBSCRIBERS)?;
    let mut sides = Vec::new();
    for (map, records) in &maps {
        for ((family, old), (_, new)) in records.indexes().into_iter().zip(now.indexes()) {
            // Numbers of other prefixes are of other subscribers.
            if family == AddressFamily::V4 || records.ipv6_prefix == now.ipv6_prefix {
                sides.push((Side::new(map, records, old), Side::new(array, now, new)));
            }
        }
    }
    let mut moved = 0;
    wait_for_running_programs();
    for (from, to) in &sides {
        moved += transfer::move_counts(*from, *to)?;
    }
    wait_for_running_programs();
    for (from, to) in &sides {
        transfer::move_beginnings(*from, *to)?;
    }
    Ok(moved)
}

/// Whether a filter and a generation share this map.
fn shares(generation: &Generation, filter: &Filter, map: &'static str) -> bool {
    let data = filter.map_data(map).ok().and_then(|data| data.info().ok());
    data.is_some_and(|info| generation.map_id(map) == Some(info.id()))
}
