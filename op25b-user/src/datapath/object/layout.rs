//! The layout of the maps that outlive a program, by which a later op25b recognizes whether it can share them.

use aya::maps::MapType;
use op25b_common::{
    LAYOUT_VERSION, Reason,
    counters::{
        ANSWER_SLOTS, COUNTED, COUNTER_VALUES, Counted, InterfaceSet, POOL_COUNTER_SLOTS, PacketCells,
    },
    names::{ANSWER_COUNTS, COUNTERS, POOL_COUNTERS},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::datapath::{stats::CounterNames, sys::bpf::map::Shape};

/// A map that outlives the program it was created for: the next one shares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongLived {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its shape.
    pub(crate) shape: Shape,
}

/// All of them. Their shapes are part of [`Layout::abi`].
pub(crate) const LONG_LIVED: [LongLived; 3] = [
    LongLived::per_cpu(COUNTERS, size_of::<InterfaceSet>(), COUNTER_VALUES),
    LongLived::per_cpu(POOL_COUNTERS, size_of::<PacketCells>(), POOL_COUNTER_SLOTS),
    LongLived::per_cpu(ANSWER_COUNTS, size_of::<u64>(), ANSWER_SLOTS),
];

impl LongLived {
    #[expect(clippy::cast_possible_truncation, reason = "at most some thousand counters")]
    const fn per_cpu(name: &'static str, value_size: usize, values: usize) -> Self {
        Self {
            name,
            shape: Shape {
                kind: MapType::PerCpuArray,
                key_size: 4,
                value_size: value_size as u32,
                max_entries: values as u32,
            },
        }
    }

    /// The shape as it enters the digest.
    fn digested(self) -> String {
        let Shape {
            kind,
            key_size,
            value_size,
            max_entries,
        } = self.shape;
        format!(
            "{} {} {key_size} {value_size} {max_entries}",
            self.name, kind as u32
        )
    }
}

/// The layout of a filter's long-lived maps. It is part of the filter's description, which is pinned with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// The version of this structure.
    version: u32,
    /// A digest of the maps' shapes and of the meaning of their slots.
    abi: String,
    /// The reasons by number.
    reasons: Vec<String>,
    /// The cells that an interface's packets are counted in; none where they are counted by role and reason alone.
    #[serde(default)]
    cells: Vec<Cell>,
}

/// A cell of counters: its place, and the reason and the verdict of the packets that are counted in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cell(u32, String, String);

impl From<Counted> for Cell {
    fn from(counted: Counted) -> Self {
        let (reason, verdict) = (counted.reason.name(), counted.verdict.name());
        Self(counted.cell, reason.to_owned(), verdict.to_owned())
    }
}

impl Layout {
    /// The layout of this op25b.
    pub(crate) fn current() -> Self {
        let reasons: Vec<String> = Reason::ALL.map(|reason| reason.name().to_owned()).into();
        let cells = COUNTED.map(Cell::from);
        let maps = LONG_LIVED.map(LongLived::digested);
        let counted = cells
            .each_ref()
            .map(|Cell(cell, reason, verdict)| format!("{cell} {reason} {verdict}"));
        let digested = [maps.join(" "), reasons.join(" "), counted.join(" ")];
        let digest = Sha256::digest(digested.join(" "));
        Self {
            version: LAYOUT_VERSION,
            // 64 bits: enough that two layouts do not collide by chance.
            abi: format!("{digest:x}")[..16].to_owned(),
            reasons,
            cells: cells.into(),
        }
    }

    /// What the slots of the counters stand for.
    pub(crate) fn counters(&self) -> CounterNames<'_> {
        let cells = self.cells.iter();
        CounterNames {
            reasons: &self.reasons,
            cells: cells
                .map(|Cell(cell, reason, _)| (*cell, reason.as_str()))
                .collect(),
            is_ours: self.is_ours(),
        }
    }

    /// Whether a program of this op25b can share the maps.
    pub(crate) fn is_ours(&self) -> bool {
        *self == Self::current()
    }

    /// For people: `1-0123456789abcdef`.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.version, self.abi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_or_another_shape_is_not_ours() {
        let ours = Layout::current();
        assert!(ours.is_ours());
        let version = ours.version + 1;
        assert!(
            !Layout {
                version,
                ..ours.clone()
            }
            .is_ours()
        );
        let abi = "0".repeat(16);
        assert!(!Layout { abi, ..ours }.is_ours());
    }
}
