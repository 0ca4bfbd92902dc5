//! From when on each pool is enforced, as the program in the kernel has it.

use std::collections::BTreeMap;

use aya::maps::MapData;
use op25b_common::{
    names::CLASSES,
    values::{ALWAYS_PAST, Class, NO_RULE, RuleIndex, UnixSeconds},
};

use crate::datapath::sys::{map::MapError, mapping};

/// From when on each pool is enforced: the classes in the kernel say so, and nothing else is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStarts(BTreeMap<RuleIndex, PoolStart>);

/// From when on a pool is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStart {
    /// At the addresses at which it begins first: [`ALWAYS_PAST`] for a pool in enforce mode,
    /// [`op25b_common::values::NEVER`] for one in monitor mode.
    pub first: UnixSeconds,
    /// At those at which it begins last. Another one would be a fault.
    pub last: UnixSeconds,
}

impl PoolStarts {
    /// Reads the map of classes.
    pub(crate) fn read(classes: &MapData) -> Result<Self, MapError> {
        let mut starts = Self::default();
        mapping::visit(classes, |class| starts.add(&class)).map_err(MapError::read(CLASSES))?;
        Ok(starts)
    }

    /// The start of the pool at a place in the policy's list; none if no address is looked up to it.
    #[must_use]
    pub fn of(&self, pool: usize) -> Option<PoolStart> {
        self.0.get(&RuleIndex::try_from(pool).ok()?).copied()
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
        });
        start.first = start.first.min(from);
        start.last = start.last.max(from);
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
            is_counted: 0,
            unused: 0,
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
        let torn = PoolStart {
            first: 7,
            last: NEVER,
        };
        assert_eq!(starts.of(1), Some(torn));
        starts.add(&class(0, ALWAYS_PAST));
        assert_eq!(starts.of(0).map(|start| start.last), Some(ALWAYS_PAST));
    }
}
