//! Packets by pool: in which slot each pool is counted, and what is there.
//!
//! A pool keeps its slot by its name as long as the map lasts: another policy may have it at another place, and what was counted of
//! it goes on.

use std::collections::{BTreeSet, HashMap};

use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues};
use op25b_common::{
    counters::{NO_POOL, OTHER_POOLS, POOL_SLOTS, PacketCells},
    names::POOL_COUNTERS,
};
use serde::{Deserialize, Serialize};

use super::counts::PacketCounts;
use crate::datapath::sys::bpf::map::MapError;

/// The names of the pools that have a slot, by slot. Some may be in no policy any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PoolSlots(Vec<String>);

/// The slots for the pools of a policy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// All that are taken.
    pub(crate) slots: PoolSlots,
    /// The slot of each pool by its place in the policy, for as many as have one.
    pub(crate) of_pools: [u16; POOL_SLOTS],
    /// Those that had no pool, or one that is gone.
    pub(crate) new: Vec<u16>,
}

impl PoolSlots {
    /// The slots for a policy with these pools, which may share the map with policies with the pools `in_use`. A slot is taken from a
    /// pool that is in none of them if all have been given away; pools that get none are counted together.
    pub(crate) fn assign<'p>(
        &self,
        pools: impl Iterator<Item = &'p str> + Clone,
        in_use: &BTreeSet<String>,
    ) -> Assigned {
        let mut slots = self.0.clone();
        let mut by_name: HashMap<String, usize> = slots.iter().cloned().zip(0..).collect();
        let wanted: BTreeSet<&str> = pools.clone().take(POOL_SLOTS).collect();
        let is_free = |name: &String| !wanted.contains(name.as_str()) && !in_use.contains(name);
        let mut free = (0..slots.len()).filter(|slot| is_free(&self.0[*slot]));
        let mut of_pools = [OTHER_POOLS; POOL_SLOTS];
        let mut new = Vec::new();
        for (place, pool) in of_pools.iter_mut().zip(pools) {
            let slot = if let Some(slot) = by_name.get(pool) {
                *slot
            } else {
                let slot = if slots.len() < POOL_SLOTS {
                    slots.push(pool.to_owned());
                    slots.len() - 1
                } else if let Some(slot) = free.next() {
                    pool.clone_into(&mut slots[slot]);
                    slot
                } else {
                    continue;
                };
                by_name.insert(pool.to_owned(), slot);
                new.push(number(slot));
                slot
            };
            *place = number(slot);
        }
        Assigned {
            slots: Self(slots),
            of_pools,
            new,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are 1024")]
fn number(slot: usize) -> u16 {
    slot as u16
}

/// The packets by pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Of each pool of the policy that is counted by itself.
    pub pools: Vec<(String, PacketCounts)>,
    /// Of all other pools together.
    pub others: PacketCounts,
    /// Of no pool.
    pub none: PacketCounts,
}

impl PoolCounts {
    /// Reads the map of these slots, for a policy with these pools.
    pub(crate) fn read<'p>(
        map: &Map,
        slots: &PoolSlots,
        pools: impl Iterator<Item = &'p str>,
    ) -> Result<Self, MapError> {
        let read = || -> Result<Self, aya::maps::MapError> {
            let map = PerCpuArray::<&MapData, PacketCells>::try_from(map)?;
            let slot = |slot: u16| -> Result<PacketCounts, aya::maps::MapError> {
                Ok(PacketCounts::sum(map.get(&slot.into(), 0)?.iter()))
            };
            let slots: HashMap<&str, u16> = slots.0.iter().map(String::as_str).zip(0..).collect();
            let by_themselves = pools.filter_map(|pool| Some((pool, *slots.get(pool)?)));
            let pools = by_themselves.map(|(pool, place)| Ok((pool.to_owned(), slot(place)?)));
            Ok(Self {
                pools: pools.collect::<Result<_, aya::maps::MapError>>()?,
                others: slot(OTHER_POOLS)?,
                none: slot(NO_POOL)?,
            })
        };
        read().map_err(MapError::read(POOL_COUNTERS))
    }
}

/// Clears slots that no program counts in.
pub(crate) fn clear_slots(map: &mut Map, slots: &[u16]) -> Result<(), MapError> {
    let mut clear = || -> Result<(), aya::maps::MapError> {
        let mut map = PerCpuArray::<&mut MapData, PacketCells>::try_from(&mut *map)?;
        for slot in slots {
            let slot = u32::from(*slot);
            let cpus = map.get(&slot, 0)?.iter().count();
            map.set(
                slot,
                PerCpuValues::try_from(vec![PacketCells::default(); cpus])?,
                0,
            )?;
        }
        Ok(())
    };
    clear().map_err(MapError::write(POOL_COUNTERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(before: &PoolSlots, pools: &[&str], in_use: &[&str]) -> Assigned {
        let in_use = in_use.iter().map(|name| (*name).to_owned()).collect();
        before.assign(pools.iter().copied(), &in_use)
    }

    fn slot(assigned: &Assigned, pool: &str) -> Option<usize> {
        assigned.slots.0.iter().position(|name| name == pool)
    }

    #[test]
    fn a_pool_keeps_its_slot_at_whichever_place_a_policy_has_it() {
        let first = assigned(&PoolSlots::default(), &["a", "b", "c"], &[]);
        assert_eq!(
            (&first.of_pools[..4], &first.new[..]),
            (&[0, 1, 2, OTHER_POOLS][..], &[0, 1, 2][..])
        );
        let second = assigned(&first.slots, &["c", "new", "a"], &["a", "b", "c"]);
        assert_eq!(
            (&second.of_pools[..3], &second.new[..]),
            (&[2, 3, 0][..], &[3][..])
        );
        // One that comes back finds what was counted of it.
        let third = assigned(&second.slots, &["b"], &["c", "new", "a"]);
        assert_eq!((third.of_pools[0], third.new), (1, Vec::new()));
    }

    #[test]
    fn pools_beyond_the_slots_are_the_others_and_get_those_of_pools_that_are_gone_everywhere() {
        let named = |prefix: &str, count: usize| -> Vec<String> {
            (0..count).map(|number| format!("{prefix}{number}")).collect()
        };
        let of = |before: &PoolSlots, pools: &[String], in_use: &[String]| {
            before.assign(
                pools.iter().map(String::as_str),
                &in_use.iter().cloned().collect(),
            )
        };
        let (old, next) = (named("old", POOL_SLOTS + 5), named("next", 3));
        let first = of(&PoolSlots::default(), &old, &[]);
        assert_eq!(first.new.len(), POOL_SLOTS);
        assert_eq!(slot(&first, &old[POOL_SLOTS]), None);
        // As long as another program counts in them, none is free.
        let second = of(&first.slots, &next, &old);
        assert_eq!((second.of_pools[0], second.new.len()), (OTHER_POOLS, 0));
        let third = of(&second.slots, &next, &next);
        assert_eq!(
            (&third.of_pools[..3], &third.new[..]),
            (&[0, 1, 2][..], &[0, 1, 2][..])
        );
        assert_eq!(slot(&third, &old[0]), None);
        assert_eq!(slot(&third, &old[3]), Some(3));
    }
}
