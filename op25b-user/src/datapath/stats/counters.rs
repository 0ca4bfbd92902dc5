//! Packets by reason, as the program counts them and as they are migrated from one layout of the counters to another.

use std::collections::HashMap;

use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues};
use op25b_common::{Reason, names::COUNTERS};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    datapath::sys::map::MapError,
    policy::{Role, Word as _},
};

/// Packets by reason, summed over all CPUs; only counted reasons appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(Vec<(Reason, u64)>);

impl Counters {
    /// The counted reasons in the order of the verdict table, each with its packets.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().copied()
    }

    /// The packets with this reason; 0 for one that is not counted.
    #[must_use]
    pub fn packets(&self, reason: Reason) -> u64 {
        self.iter()
            .find(|(counted, _)| *counted == reason)
            .map_or(0, |(_, packets)| packets)
    }
}

/// An object with one member for each reason, in the order of the verdict table.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(reason, packets)| (reason.name(), packets)))
    }
}

/// Reasons that this version does not count are left out.
impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packets = HashMap::<String, u64>::deserialize(deserializer)?;
        let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
        let packets = |reason: Reason| packets.get(reason.name()).copied().unwrap_or_default();
        Ok(Self(counted.map(|reason| (reason, packets(reason))).collect()))
    }
}

/// A whole map of counters, of whichever version: packets by role and by the reason's name.
#[derive(Debug)]
pub(crate) struct CounterTable(Vec<(Role, String, u64)>);

impl CounterTable {
    /// Reads the map of counters, whose slots stand for these reasons: for each role one slot for each reason, in which the
    /// program counts, and then, if the map has them, as many for counts that were migrated from other maps.
    ///
    /// This much is the same in every layout.
    pub(crate) fn read(map: &Map, reasons: &[String]) -> Result<Self, MapError> {
        let read = || -> Result<Self, aya::maps::MapError> {
            let map = PerCpuArray::<&MapData, u64>::try_from(map)?;
            let sum = |slot| Ok::<u64, aya::maps::MapError>(map.get(&slot, 0)?.iter().sum());
            let slots = Role::ALL
                .iter()
                .flat_map(|role| reasons.iter().map(move |reason| (*role, reason.clone())));
            let (len, counted) = (map.len(), slot(Role::ALL.len() * reasons.len()));
            let packets = (0..).zip(slots).map(|(slot, (role, reason))| {
                let migrated = slot + counted;
                let migrated = if migrated < len { sum(migrated)? } else { 0 };
                Ok((role, reason, sum(slot)? + migrated))
            });
            packets.collect::<Result<_, aya::maps::MapError>>().map(Self)
        };
        read().map_err(MapError::read(COUNTERS))
    }

    /// The packets of interfaces with this role, by the reasons that this version counts.
    pub(crate) fn of(&self, role: Role) -> Counters {
        let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
        let packets = |reason: Reason| {
            let slots = self
                .0
                .iter()
                .filter(|(of, name, _)| *of == role && name == reason.name());
            slots.map(|(.., packets)| packets).sum()
        };
        Counters(counted.map(|reason| (reason, packets(reason))).collect())
    }

    /// Adds them to the slots for migrated counts, in a map of this version's layout. The program does not write to these
    /// slots. Packets of a reason that this version does not have are left out.
    pub(crate) fn add_migrated_to(&self, map: &mut Map) -> Result<(), MapError> {
        let mut write = || -> Result<(), aya::maps::MapError> {
            let mut map = PerCpuArray::<&mut MapData, u64>::try_from(&mut *map)?;
            for (role, reason, packets) in &self.0 {
                let Some(reason) = Reason::ALL.into_iter().find(|known| known.name() == reason) else {
                    continue;
                };
                let first = match role {
                    Role::Subscriber => 0,
                    Role::Uplink => Reason::COUNT,
                };
                let slot = slot(Role::ALL.len() * Reason::COUNT + first + reason as usize);
                let mut values: Vec<u64> = map.get(&slot, 0)?.iter().copied().collect();
                if let Some(value) = values.first_mut() {
                    *value += packets;
                }
                map.set(slot, PerCpuValues::try_from(values)?, 0)?;
            }
            Ok(())
        };
        write().map_err(MapError::write(COUNTERS))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are a few dozen slots")]
fn slot(index: usize) -> u32 {
    index as u32
}
