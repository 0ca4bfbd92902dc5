//! How many packets were shown as events, and how many were not as nobody had read those before.

use aya::maps::{Map, MapData, PerCpuArray};
use op25b_common::{Reason, names::EVENT_COUNTS};

use crate::datapath::sys::bpf::map::MapError;

/// Events by reason, summed over all CPUs and interfaces, since the filter was loaded.
///
/// Each packet that has an event by its reason is shown, lost, or sampled out: whatever of the packets counted by reason is
/// neither of the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCounts(Vec<(Reason, EventCount)>);

/// The events of packets with one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCount {
    /// Those that were written to the ring buffer.
    pub shown: u64,
    /// Those for which the ring buffer had no room.
    pub lost: u64,
}

impl EventCounts {
    /// The counted reasons in the order of the verdict table, each with its events.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, EventCount)> {
        self.0.iter().copied()
    }

    /// The events of packets with this reason.
    #[must_use]
    pub fn of(&self, reason: Reason) -> EventCount {
        let found = self.iter().find(|(counted, _)| *counted == reason);
        found.map_or_else(EventCount::default, |(_, count)| count)
    }

    /// Reads the map.
    pub(crate) fn read(map: &Map) -> Result<Self, MapError> {
        let read = || -> Result<Self, aya::maps::MapError> {
            let map = PerCpuArray::<&MapData, u64>::try_from(map)?;
            let sum = |slot: u32| Ok::<u64, aya::maps::MapError>(map.get(&slot, 0)?.iter().sum());
            let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
            let counts = counted.map(|reason| {
                let (shown, lost) = (sum(reason as u32)?, sum(LOST + reason as u32)?);
                Ok((reason, EventCount { shown, lost }))
            });
            counts.collect::<Result<_, aya::maps::MapError>>().map(Self)
        };
        read().map_err(MapError::read(EVENT_COUNTS))
    }
}

/// The first slot of those that were lost.
#[expect(clippy::cast_possible_truncation, reason = "there are a dozen reasons")]
const LOST: u32 = Reason::COUNT as u32;
