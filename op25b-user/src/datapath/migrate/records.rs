//! Migrates the subscribers' records of the generations before, if the new filter does not share their maps.

use aya::maps::Map;
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS_V4, SUBSCRIBERS_V6},
    values::Subscriber,
};
use thiserror::Error;

use super::{
    records_v6::{self, Moved},
    transfer,
};
use crate::datapath::{
    object::{Filter, LoadError},
    pins::{Generation, Snapshot},
    stats::{RecordLayout, Side, SubscriberV2, move_misses},
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
    match records_v4(before, previous, filter) {
        Ok(moved) => migrated.moved += moved,
        Err(error) => migrated.reset("IPv4", format!("{:#}", anyhow::Error::from(error))),
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
            migrated.reset("IPv6", format!("{:#}", anyhow::Error::from(why)));
            0
        }
    };
    if shares(previous, filter, SUBSCRIBERS_V6) {
        match discard_v6(records, filter) {
            Ok(removed) => discarded += removed,
            Err(error) => migrated.left = Some(format!("{:#}", anyhow::Error::from(error))),
        }
    }
    if discarded > 0 {
        migrated.discarded.push("IPv6");
    }
    migrated
}

/// Discards the records in the IPv6 map, which the filter shares, that its policy does not remember. Returns how many.
fn discard_v6(before: &RecordLayout, filter: &Filter) -> Result<u64, NotMoved> {
    let now = &filter.records;
    if now.ipv6.covers(&before.ipv6) {
        return Ok(0);
    }
    // The program of the filter before may still begin one.
    wait_for_running_programs();
    let map = filter.shared_map(SUBSCRIBERS_V6)?;
    Ok(records_v6::discard(map, |prefix| !now.remembers_v6(prefix))?)
}

/// Moves the IPv6 records of all generations before that have a map of their own, as those of IPv4.
fn records_v6(before: &Snapshot, previous: &Generation, filter: &Filter) -> Result<Moved, NotMoved> {
    let now = &filter.records;
    let mut all = Moved::default();
    for generation in &before.generations {
        if shares(generation, filter, SUBSCRIBERS_V6) {
            continue;
        }
        let (Some(maps), Some(records)) = (generation.records_v6(), generation.records()) else {
            if previous.is(generation) {
                return Err(NotMoved::OtherShape);
            }
            // It never ran, or is of another version.
            continue;
        };
        let (mut map, mut misses) = maps?;
        if records.ipv6_prefix != now.ipv6_prefix {
            if previous.is(generation) && records.may_have_v6() {
                return Err(NotMoved::OtherPrefix {
                    before: records.ipv6_prefix,
                    now: now.ipv6_prefix,
                });
            }
            continue;
        }
        wait_for_running_programs();
        let (to, remembers) = (filter.shared_map(SUBSCRIBERS_V6)?, |prefix| {
            now.remembers_v6(prefix)
        });
        let moved = if records.is_current() {
            records_v6::move_to::<Subscriber>(&mut map, to, remembers)?
        } else {
            records_v6::move_to::<SubscriberV2>(&mut map, to, remembers)?
        };
        all.moved += moved.moved;
        all.discarded += moved.discarded;
        let mut to = Map::PerCpuArray(filter.shared_map(MISSES_V6)?);
        move_misses(&mut misses, &mut to)?;
    }
    Ok(all)
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
