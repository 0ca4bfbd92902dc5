//! The layout of the maps that outlive a program, by which a later op25b recognizes whether it can share them.

use aya::maps::MapType;
use op25b_common::{LAYOUT_VERSION, Reason, names::COUNTERS, values::COUNTER_SLOTS};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::datapath::sys::map::Shape;

/// A map that outlives the program it was created for: the next one shares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongLived {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its shape.
    pub(crate) shape: Shape,
}

/// All of them. Their shapes are part of [`Layout::abi`].
#[expect(clippy::cast_possible_truncation, reason = "a few dozen counters")]
pub(crate) const LONG_LIVED: [LongLived; 1] = [LongLived {
    name: COUNTERS,
    shape: Shape {
        kind: MapType::PerCpuArray,
        key_size: 4,
        value_size: 8,
        max_entries: COUNTER_SLOTS as u32,
    },
}];

impl LongLived {
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
    /// The reasons that the counters' slots stand for, in order.
    pub(crate) reasons: Vec<String>,
}

impl Layout {
    /// The layout of this op25b.
    pub(crate) fn current() -> Self {
        let reasons: Vec<String> = Reason::ALL.map(|reason| reason.name().to_owned()).into();
        let maps = LONG_LIVED.map(LongLived::digested);
        let digest = Sha256::digest(format!("{} {}", maps.join(" "), reasons.join(" ")));
        Self {
            version: LAYOUT_VERSION,
            // 64 bits: enough that two layouts do not collide by chance.
            abi: format!("{digest:x}")[..16].to_owned(),
            reasons,
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
