//! Packets by reason, whichever interface they came in on.

use std::collections::HashMap;

use op25b_common::Reason;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Packets by reason, summed over all CPUs; only counted reasons appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(pub(super) Vec<(Reason, u64)>);

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
