//! From when on each pool is enforced, as the program in the kernel has it.

use std::collections::BTreeMap;

use aya::maps::MapData;
use op25b_common::{
    names::CLASSES,
    values::{ALWAYS_PAST, Class, NO_PHASES, NO_RULE, RuleIndex, UnixSeconds},
};

use super::phases::PhaseTables;
use crate::datapath::{
    object::PoolSummary,
    sys::bpf::{map::MapError, mapping},
};

/// From when on each pool is enforced: the classes and the phases in the kernel say so, and nothing else is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStarts(BTreeMap<RuleIndex, PoolStart>);

/// From when on a pool is enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStart {
    /// At the addresses at which it begins first: [`ALWAYS_PAST`] for a pool in enforce mode,
    /// [`op25b_common::values::NEVER`] for one in monitor mode.
    pub first: UnixSeconds,
    /// At those at which it begins last. Another one would be a fault.
    pub last: UnixSeconds,
    /// From when on it is enforced towards the destinations of each of its phases that begins before that, as far as the description
    /// names one of them; without those that have every destination.
    pub phases: Vec<UnixSeconds>,
    /// The number of these phases.
    pub number: u32,
}

impl PoolStarts {
    /// Reads the maps of a filter, which `open` opens by their names.
    pub(crate) fn read<E: From<MapError>>(
        pools: &[PoolSummary],
        open: impl Fn(&'static str) -> Result<MapData, E>,
    ) -> Result<Self, E> {
        let mut starts = Self::default();
        let classes = open(CLASSES)?;
        mapping::visit(&classes, |class| starts.add(&class)).map_err(MapError::read(CLASSES))?;
        if pools.iter().any(|pool| !pool.phases.is_empty()) {
            starts.add_phases(pools, &PhaseTables::open(open)?)?;
        }
        Ok(starts)
    }

    /// Looks up a destination of each phase.
    fn add_phases(&mut self, pools: &[PoolSummary], tables: &PhaseTables) -> Result<(), MapError> {
        for (pool, start) in &mut self.0 {
            let phases = pools.get(*pool as usize).map_or(&[][..], |pool| &pool.phases);
            for destination in phases.iter().filter_map(|phase| phase.sample) {
                let phase = match start.number {
                    NO_PHASES => None,
                    number => tables.of(number, destination)?,
                };
                start
                    .phases
                    .push(phase.map_or(start.first, |phase| phase.from.min(start.first)));
            }
        }
        Ok(())
    }

    /// The start of the pool at a place in the policy's list; none if no address is looked up to it.
    #[must_use]
    pub fn of(&self, pool: usize) -> Option<&PoolStart> {
        self.0.get(&RuleIndex::try_from(pool).ok()?)
    }

    fn add(&mut self, class: &Class) {
        // A class that grants nothing names no exemption; one that was never written is all zeros.
        let is_written = class.until != ALWAYS_PAST || class.exemption == NO_RULE;
        if !is_written || class.pool == NO_RULE {
            return;
        }
        let from = class.enforce_from;
        let start = self.0.entry(class.pool).or_insert(PoolStart {
            first: from,
            last: from,
            phases: Vec::new(),
            number: class.phases,
        });
        start.first = start.first.min(from);
        start.last = start.last.max(from);
    }
}

#[cfg(test)]
impl PoolStart {
    /// The start of a pool without phases.
    pub(crate) fn of_all(first: UnixSeconds, last: UnixSeconds) -> Self {
        Self {
            first,
            last,
            phases: Vec::new(),
            number: NO_PHASES,
        }
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{NEVER, NO_DESTINATIONS};

    use super::*;

    fn class(pool: RuleIndex, enforce_from: UnixSeconds) -> Class {
        Class {
            pool,
            enforce_from,
            until: ALWAYS_PAST,
            exemption: NO_RULE,
            destinations: NO_DESTINATIONS,
            subscribers: 0,
            record_place: 0,
            phases: NO_PHASES,
        }
    }

    #[test]
    fn a_pool_begins_as_its_classes_say_and_room_for_more_classes_says_nothing() {
        let mut starts = PoolStarts::default();
        for class in [
            class(NO_RULE, NEVER),
            class(1, NEVER),
            Class {
                until: NEVER,
                exemption: 0,
                ..class(1, 7)
            },
        ] {
            starts.add(&class);
        }
        let unwritten = Class {
            exemption: 0,
            ..class(0, ALWAYS_PAST)
        };
        starts.add(&unwritten);
        assert_eq!(starts.of(0), None);
        assert_eq!(starts.of(1), Some(&PoolStart::of_all(7, NEVER)));
        starts.add(&class(0, ALWAYS_PAST));
        assert_eq!(starts.of(0).map(|start| start.last), Some(ALWAYS_PAST));
    }
}
