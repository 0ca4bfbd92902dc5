//! What a filter that has just been switched to takes over from the maps of those before, if it does not share them.

use op25b_common::names::{SUBSCRIBERS_V4, SUBSCRIBERS_V6};
use thiserror::Error;

use super::transfer::{self, Side};
use crate::datapath::{
    object::{Filter, LoadError},
    pins::Generation,
    replace::Before,
    sys::{map::MapError, membarrier::wait_for_running_programs},
};

/// What has become of the records of subscribers.
#[derive(Debug, Default)]
pub struct MigratedRecords {
    /// How many IPv4 addresses kept theirs because it was brought into another map: the pools have changed.
    pub moved: u64,
    /// The families whose records begin anew, and why.
    pub reset: Vec<(&'static str, String)>,
}

impl MigratedRecords {
    fn reset(&mut self, family: &'static str, why: impl Into<String>) {
        self.reset.push((family, why.into()));
    }
}

/// Goes on counting where a filter whose counters have another layout ended: that layout's name, and whether it worked.
pub(crate) fn counters(before: &Before, filter: &mut Filter) -> Option<(String, bool)> {
    let previous = before.latest()?;
    if previous.has_our_counters() {
        return None;
    }
    wait_for_running_programs();
    let carried = carry_counters(previous, filter).unwrap_or(false);
    Some((previous.layout_name(), carried))
}

fn carry_counters(from: &Generation, to: &mut Filter) -> Result<bool, LoadError> {
    match from.counters() {
        Some(counters) => to.carry_counters(&counters?).map(|()| true),
        None => Ok(false),
    }
}

/// Goes on with the records of subscribers, as far as what is said of the maps before is understood.
pub(crate) fn records(before: &Before, filter: &Filter) -> MigratedRecords {
    let mut migrated = MigratedRecords::default();
    let Some(previous) = before.latest() else {
        return migrated;
    };
    if previous.records().is_none() {
        for family in ["IPv4", "IPv6"] {
            migrated.reset(family, "the filter before kept them in another way");
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
        Err(error) => migrated.reset("IPv4", error.to_string()),
    }
    migrated
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

/// Takes over the IPv4 records of all filters before that kept them elsewhere. More than one did, with something left in it,
/// if a process died over this: the one that ran last is followed by the one that it had not emptied.
fn records_v4(before: &Before, previous: &Generation, filter: &Filter) -> Result<u64, NotMoved> {
    let mut maps = Vec::new();
    for generation in &before.generations {
        if shares(generation, filter, SUBSCRIBERS_V4) {
            continue;
        }
        match (generation.records_v4(), generation.records()) {
            (Some(map), Some(records)) => maps.push((map?, &records.ipv4)),
            _ if previous.is(generation) => {
                return Err(NotMoved::OtherShape);
            }
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

/// Whether a filter has this map in common with a generation.
fn shares(generation: &Generation, filter: &Filter, map: &'static str) -> bool {
    let data = filter.map_data(map).ok().and_then(|data| data.info().ok());
    data.is_some_and(|info| generation.map_id(map) == Some(info.id()))
}
