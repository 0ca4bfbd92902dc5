//! Migrates the subscribers' records of the generations before, if the new filter does not share their maps.

use op25b_common::names::{SUBSCRIBERS_V4, SUBSCRIBERS_V6};
use thiserror::Error;

use super::transfer::{self, Side};
use crate::datapath::{
    object::{Filter, LoadError},
    pins::{Generation, Snapshot},
    sys::{map::MapError, membarrier::wait_for_running_programs},
};

/// What became of the subscribers' records.
#[derive(Debug, Default)]
pub struct MigratedRecords {
    /// How many IPv4 addresses kept their record, which was moved into another map because the pools have changed.
    pub moved: u64,
    /// The families whose records start from zero, and why.
    pub reset: Vec<(&'static str, String)>,
}

impl MigratedRecords {
    fn reset(&mut self, family: &'static str, why: impl Into<String>) {
        self.reset.push((family, why.into()));
    }
}

/// Why IPv4 records were not moved.
#[derive(Debug, Error)]
enum NotMoved {
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
    if previous.records().is_none() {
        for family in ["IPv4", "IPv6"] {
            migrated.reset(family, "the filter before kept them in another layout");
        }
        return migrated;
    }
    if !shares(previous, filter, SUBSCRIBERS_V6) {
        let now = filter.records.ipv6_prefix;
        let other_prefix = previous.records().map(|records| records.ipv6_prefix);
        match other_prefix.filter(|before| *before != now) {
            Some(before) => {
                migrated.reset(
                    "IPv6",
                    format!("they were of /{before} prefixes, and are of /{now}"),
                );
            }
            None => migrated.reset("IPv6", "the filter before had another number of them"),
        }
    }
    match records_v4(before, previous, filter) {
        Ok(moved) => migrated.moved = moved,
        Err(error) => migrated.reset("IPv4", format!("{:#}", anyhow::Error::from(error))),
    }
    migrated
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
            (Some(map), Some(records)) => maps.push((map?, &records.ipv4)),
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
    };
    let sides = || maps.iter().map(|(map, record_index)| Side { map, record_index });
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
