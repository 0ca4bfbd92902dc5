//! The phases of pools: towards which destinations a pool is enforced before it is towards all.

use ipnet::IpNet;
use op25b_common::values::{NO_DESTINATIONS, NO_PHASES, Phases, RuleIndex, UnixSeconds};

use super::{error::CompileError, merge::DestinationSets};
use crate::policy::model::{Policy, Pool};

/// The phases of a policy's pools.
pub(crate) struct PoolPhases {
    /// By number; number 0 stands for none, and has when any pool is enforced from on.
    pub(crate) all: Vec<Phases>,
    /// The number of each pool's.
    of_pools: Vec<u32>,
}

impl PoolPhases {
    /// Adds the destinations of phases to `sets`.
    pub(crate) fn of(policy: &Policy, sets: &mut DestinationSets) -> Result<Self, CompileError> {
        let none = Phases {
            from: policy.first_enforced_from(),
            destinations: NO_DESTINATIONS,
        };
        let mut phases = Self {
            all: vec![none],
            of_pools: Vec::with_capacity(policy.pools.len()),
        };
        for pool in &policy.pools {
            let number = if pool.early_phases().next().is_some() {
                let number = u32::try_from(phases.all.len()).map_err(|_| CompileError::TooManyRules)?;
                phases.all.push(Phases {
                    from: pool.first_enforced_from(),
                    destinations: sets.add(&destinations(pool), is_earlier)?,
                });
                number
            } else {
                NO_PHASES
            };
            phases.of_pools.push(number);
        }
        Ok(phases)
    }

    /// The number of the phases of the pool at a place in the policy's list.
    pub(crate) fn number(&self, pool: RuleIndex) -> u32 {
        self.of_pools[pool as usize]
    }
}

/// The destinations of a pool's phases, each with the beginning and the place of its phase.
fn destinations(pool: &Pool) -> Vec<(IpNet, UnixSeconds, RuleIndex)> {
    let destinations = pool.early_phases().flat_map(|(place, phase, begins)| {
        let place = RuleIndex::try_from(place).unwrap_or(RuleIndex::MAX);
        phase
            .only_to
            .iter()
            .map(move |prefix| (prefix.net, begins, place))
    });
    destinations.collect()
}

/// Whether of two phases with the same destination the first one decides.
fn is_earlier(one: (UnixSeconds, RuleIndex), other: (UnixSeconds, RuleIndex)) -> bool {
    one < other
}
