//! Packets by interface, as the program counts them and as they are migrated from one layout of the counters to another.

use std::collections::{BTreeMap, HashMap};

use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues};
use op25b_common::{
    Reason,
    counters::{InterfaceSet, MIGRATED, OWNER},
    names::COUNTERS,
};

use super::{counts::PacketCounts, totals::Counters};
use crate::{
    datapath::{stats::ports::place_of, sys::bpf::map::MapError},
    policy::{Role, Word as _},
};

/// What the slots of a map of counters stand for, as its filter's description has it.
#[derive(Clone, Debug)]
pub(crate) struct CounterNames<'n> {
    /// The reasons by number.
    pub(crate) reasons: &'n [String],
    /// The cells of an interface, each with its reason; none if the map is by role and reason alone.
    pub(crate) cells: Vec<(u32, &'n str)>,
    /// Whether the map is of this version.
    pub(crate) is_ours: bool,
}

/// A whole map of counters, of whichever version.
#[derive(Clone, Debug, Default)]
pub struct CounterTable {
    /// Packets by role and by the reason's name.
    totals: Vec<(Role, String, u64)>,
    /// What was counted on each interface by its index and role, in a map of this version. Those without a place of their own, and
    /// what was counted in other maps, are in the totals alone.
    interfaces: HashMap<(u32, Role), PacketCounts>,
}

impl CounterTable {
    /// Reads the map of counters.
    pub(crate) fn read(map: &Map, names: &CounterNames<'_>) -> Result<Self, MapError> {
        let read = if names.cells.is_empty() {
            Self::read_totals(map, names.reasons)
        } else {
            Self::read_sets(map, names)
        };
        read.map_err(MapError::read(COUNTERS))
    }

    /// Reads a map of an earlier version: for each role one slot for each reason, in which the program counts, and then as many for
    /// counts that were migrated from other maps.
    fn read_totals(map: &Map, reasons: &[String]) -> Result<Self, aya::maps::MapError> {
        let map = PerCpuArray::<&MapData, u64>::try_from(map)?;
        let sum = |slot| Ok::<u64, aya::maps::MapError>(map.get(&slot, 0)?.iter().sum());
        let slots = Role::ALL
            .iter()
            .flat_map(|role| reasons.iter().map(move |reason| (*role, reason.clone())));
        let (len, counted) = (map.len(), slot(Role::ALL.len() * reasons.len()));
        let totals = (0..).zip(slots).map(|(slot, (role, reason))| {
            let migrated = slot + counted;
            let migrated = if migrated < len { sum(migrated)? } else { 0 };
            Ok((role, reason, sum(slot)? + migrated))
        });
        Ok(Self {
            totals: totals.collect::<Result<_, aya::maps::MapError>>()?,
            interfaces: HashMap::new(),
        })
    }

    /// Reads a map of this form: sets of interfaces, then the rest and what was migrated.
    fn read_sets(map: &Map, names: &CounterNames<'_>) -> Result<Self, aya::maps::MapError> {
        let map = PerCpuArray::<&MapData, InterfaceSet>::try_from(map)?;
        let mut table = Self::default();
        let mut totals = BTreeMap::<(usize, &str), u64>::new();
        let migrated = map.len().saturating_sub(1);
        for number in 0..map.len() {
            for set in map.get(&number, 0)?.iter() {
                if number == migrated {
                    for (role, cells) in set.iter().enumerate().take(Role::ALL.len()) {
                        for (reason, packets) in names.reasons.iter().zip(&cells.cells) {
                            *totals.entry((role, reason)).or_default() += packets;
                        }
                    }
                    continue;
                }
                for (way, cells) in set.iter().enumerate() {
                    let owner = cells.cells[OWNER];
                    // The rest has no owner, and is by role.
                    let role = if number + 1 == migrated {
                        way
                    } else {
                        usize::from(owner & 1 != 0)
                    };
                    for (cell, reason) in &names.cells {
                        let packets = cells.cells.get(*cell as usize).copied().unwrap_or_default();
                        *totals.entry((role, reason)).or_default() += packets;
                    }
                    if owner != 0
                        && names.is_ours
                        && let (Some(role), Ok(index)) = (Role::ALL.get(role), u32::try_from(owner >> 1))
                    {
                        table.interfaces.entry((index, *role)).or_default().add(cells);
                    }
                }
            }
        }
        let totals = totals.into_iter().filter_map(|((role, reason), packets)| {
            let role = Role::ALL.get(role)?;
            Some((*role, reason.to_owned(), packets))
        });
        table.totals = totals.collect();
        Ok(table)
    }

    /// The packets of interfaces with this role, by the reasons that this version counts.
    #[must_use]
    pub fn of(&self, role: Role) -> Counters {
        let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
        let packets = |reason: Reason| {
            let slots = self
                .totals
                .iter()
                .filter(|(of, name, _)| *of == role && name == reason.name());
            slots.map(|(.., packets)| packets).sum()
        };
        Counters(counted.map(|reason| (reason, packets(reason))).collect())
    }

    /// What was counted on each of the interfaces with these indices and roles, in their order. Ports to which a driver hands the
    /// program count for the interface that they are ports of, which `master_of` returns.
    #[must_use]
    pub fn of_interfaces(
        &self,
        attached: &[(u32, Role)],
        mut master_of: impl FnMut(u32) -> Option<u32>,
    ) -> Vec<PacketCounts> {
        let indices: Vec<u32> = attached.iter().map(|(index, _)| *index).collect();
        let mut of_attached = vec![Vec::new(); attached.len()];
        for ((index, role), counts) in &self.interfaces {
            // An interface has had another role in an earlier policy.
            if let Some(place) = place_of(*index, &indices, &mut master_of)
                && attached[place].1 == *role
            {
                of_attached[place].push(counts);
            }
        }
        of_attached
            .into_iter()
            .map(|counts| counts.into_iter().sum())
            .collect()
    }

    /// Adds them to those that were migrated, in a map of this version's layout. The program does not write there. Packets of a
    /// reason that this version does not have are left out.
    pub(crate) fn add_migrated_to(&self, map: &mut Map) -> Result<(), MapError> {
        let mut write = || -> Result<(), aya::maps::MapError> {
            let mut map = PerCpuArray::<&mut MapData, InterfaceSet>::try_from(&mut *map)?;
            let mut values: Vec<InterfaceSet> = map.get(&MIGRATED, 0)?.iter().copied().collect();
            for (role, reason, packets) in &self.totals {
                let reason = Reason::ALL.into_iter().find(|known| known.name() == reason);
                let role = Role::ALL.iter().position(|known| known == role);
                if let (Some(reason), Some(role), Some(value)) = (reason, role, values.first_mut()) {
                    value[role].cells[reason as usize] += packets;
                }
            }
            map.set(MIGRATED, PerCpuValues::try_from(values)?, 0)
        };
        write().map_err(MapError::write(COUNTERS))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are a few dozen slots")]
fn slot(index: usize) -> u32 {
    index as u32
}
