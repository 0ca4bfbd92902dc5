//! Migrates the subscribers' records of the generations before, if the new filter does not share their maps.

use aya::maps::Map;
use op25b_common::names::{MISSES_V6, SUBSCRIBERS_V4, SUBSCRIBERS_V6};
use thiserror::Error;

use super::{
    records_v6,
    transfer::{self, Side},
};
use crate::datapath::{
    object::{Filter, LoadError},
    pins::{Generation, Snapshot},
    stats::{RecordLayout, add_migrated_misses},
    sys::{map::MapError, membarrier::wait_for_running_programs},
};

/// What became of the subscribers' records.
#[derive(Debug, Default)]
pub struct MigratedRecords {
    /// How many subscribers kept their record, which was moved into another map: the pools have changed, or the layout of
    /// records.
    pub moved: u64,
    /// The families whose records start from zero, and why.
    pub reset: Vec<(&'static str, String)>,
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
    if !shares(previous, filter, SUBSCRIBERS_V6) {
        match records_v6(previous, records, filter) {
            Ok(moved) => migrated.moved += moved,
            Err(why) => migrated.reset("IPv6", format!("{:#}", anyhow::Error::from(why))),
        }
    }
    match records_v4(before, previous, filter) {
        Ok(moved) => migrated.moved += moved,
        Err(error) => migrated.reset("IPv4", format!("{:#}", anyhow::Error::from(error))),
    }
    migrated
}

/// Moves the IPv6 records into the filter's map.
fn records_v6(previous: &Generation, records: &RecordLayout, filter: &Filter) -> Result<u64, NotMoved> {
    let (before, now) = (records.ipv6_prefix, filter.records.ipv6_prefix);
    if before != now {
        return Err(NotMoved::OtherPrefix { before, now });
    }
    let (map, misses) = previous.records_v6().ok_or(NotMoved::OtherShape)??;
    wait_for_running_programs();
    let found = records_v6::read(&map, records.is_current())?;
    records_v6::add_to(filter.shared_map(SUBSCRIBERS_V6)?, &found)?;
    let mut to = Map::PerCpuArray(filter.shared_map(MISSES_V6)?);
    add_migrated_misses(&mut to, misses)?;
    Ok(found.len() as u64)
}

/// Moves the IPv4 records of all generations before that have a map of their own. Several have one, with records left in it,
/// only if a process ended during an earlier migration.
fn records_v4(before: &Snapshot, previous: &Generation, filter: &Filter) -> Result<u64, NotMoved> {
    let mut maps = Vec::new();
    for generation in &before.generations {
        if shares(generation, filter, SUBSCRIBERS_V4) {
            continue;
        }
        match (generation.records_v4(), generation.records()) {
            (Some(map), Some(records)) => maps.push((map?, records)),
            _ if previous.is(generation) => return Err(NotMoved::OtherShape),
            // It never ran, or is of another version.
            _ => {}
        }
    }
    if maps.is_empty() {
        return Ok(0);
    }
    let to = Side {
        map: filter.map_data(SUBSCRIBERS_V4)?,
        record_index: &filter.records.ipv4,
        blocks: filter.records.blocks(),
    };
    let sides = || {
        maps.iter().map(|(map, records)| Side {
            map,
            record_index: &records.ipv4,
            blocks: records.blocks(),
        })
    };
    let mut moved = 0;
    wait_for_running_programs();
    for from in sides() {
        moved += transfer::move_counts(from, to)?;
    }
    wait_for_running_programs();
    for from in sides() {
        transfer::move_beginnings(from, to)?;
    }
    Ok(moved)
}

/// Whether a filter and a generation share this map.
fn shares(generation: &Generation, filter: &Filter, map: &'static str) -> bool {
    let data = filter.map_data(map).ok().and_then(|data| data.info().ok());
    data.is_some_and(|info| generation.map_id(map) == Some(info.id()))
}
