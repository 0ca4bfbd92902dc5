//! Frames that are not IP, as the program counts them: by the interface that they came in on and their last `EtherType`.

use std::{collections::BTreeMap, fmt};

use aya::maps::{Map, MapData, MapType, PerCpuHashMap};
use op25b_common::{
    framing::protocol_name,
    names,
    not_ip::{NO_ETHERTYPE, NOT_IP_INTERFACES, NotIpFrames},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ports::place_of;
use crate::datapath::sys::bpf::map::{MapError, Shape};

/// The shape of the map. The next program shares one of this shape.
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
pub(crate) const NOT_IP_SHAPE: Shape = Shape {
    kind: MapType::PerCpuHash,
    key_size: 4,
    value_size: size_of::<NotIpFrames>() as u32,
    max_entries: NOT_IP_INTERFACES as u32,
};

/// What a frame that is not IP is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// Its last `EtherType`.
    Ethertype(u16),
    /// It has none: after a length field follows an LLC header (IEEE 802.3).
    Llc,
    /// An `EtherType` beyond those that the program tells apart.
    Other,
}

impl FrameKind {
    fn of_slot(ethertype: u16) -> Self {
        match ethertype {
            NO_ETHERTYPE => Self::Llc,
            ethertype => Self::Ethertype(ethertype),
        }
    }

    /// What is usually carried so, if that is well known.
    #[must_use]
    pub const fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Ethertype(ethertype) => protocol_name(ethertype),
            Self::Llc | Self::Other => None,
        }
    }

    /// Whether a link on which nobody sends IP has such frames: it is quiet, and nothing is wrong with its framing.
    #[must_use]
    pub fn is_on_quiet_links(self) -> bool {
        match self {
            // Spanning trees, IS-IS and discovery protocols.
            Self::Llc => true,
            Self::Other => false,
            Self::Ethertype(ethertype) => matches!(
                ethertype,
                0x0806
                    | 0x8035
                    | 0x8808
                    | 0x8809
                    | 0x8863
                    | 0x886f
                    | 0x888e
                    | 0x88cc
                    | 0x88f5
                    | 0x88f7
                    | 0x8902
                    | 0x9000
            ),
        }
    }
}

/// `0x8847`, `llc` or `other`.
impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ethertype(ethertype) => write!(f, "{ethertype:#06x}"),
            Self::Llc => f.write_str("llc"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// Frames that are not IP by their kind, those with the most frames first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotIp(Vec<(FrameKind, u64)>);

impl NotIp {
    /// The kinds, each with its frames.
    pub fn iter(&self) -> impl Iterator<Item = (FrameKind, u64)> {
        self.0.iter().copied()
    }

    /// All frames.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, frames)| frames).sum()
    }

    /// The frames that were counted since an earlier reading of the same counters.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before: BTreeMap<_, _> = earlier.iter().collect();
        let counted = self.iter().map(|(kind, frames)| {
            let before = before.get(&kind).copied().unwrap_or_default();
            (kind, frames.saturating_sub(before))
        });
        counted.filter(|(_, frames)| *frames != 0).collect()
    }
}

/// Adds up frames of one kind.
impl FromIterator<(FrameKind, u64)> for NotIp {
    fn from_iter<I: IntoIterator<Item = (FrameKind, u64)>>(frames: I) -> Self {
        let mut by_kind = BTreeMap::new();
        for (kind, frames) in frames {
            *by_kind.entry(kind).or_default() += frames;
        }
        let mut sorted: Vec<_> = by_kind.into_iter().collect();
        sorted.sort_by_key(|(kind, frames)| (u64::MAX - frames, *kind));
        Self(sorted)
    }
}

/// An object with one member for each kind.
impl Serialize for NotIp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(kind, frames)| (kind.to_string(), frames)))
    }
}

/// Kinds that this version does not know are other ones.
impl<'de> Deserialize<'de> for NotIp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let frames = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let kind = |word: &str| match word.strip_prefix("0x").map(|hex| u16::from_str_radix(hex, 16)) {
            Some(Ok(ethertype)) => FrameKind::Ethertype(ethertype),
            _ if word == "llc" => FrameKind::Llc,
            _ => FrameKind::Other,
        };
        Ok(frames
            .into_iter()
            .map(|(word, frames)| (kind(&word), frames))
            .collect())
    }
}

/// Frames that are not IP by the index of the interface that they came in on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotIpByIndex(BTreeMap<u32, NotIp>);

impl NotIpByIndex {
    /// Reads the map.
    pub(crate) fn read(map: &Map) -> Result<Self, MapError> {
        let failed = MapError::read::<aya::maps::MapError>(names::NOT_IP);
        let map = PerCpuHashMap::<&MapData, u32, NotIpFrames>::try_from(map).map_err(&failed)?;
        let mut all = BTreeMap::new();
        for entry in &map {
            match entry {
                Ok((index, cpus)) => {
                    all.insert(index, cpus.iter().flat_map(counted).collect());
                }
                // It was removed meanwhile.
                Err(aya::maps::MapError::KeyNotFound) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Self(all))
    }

    /// The indices of interfaces with such frames.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// The frames of each of the interfaces with these indices, in their order. Ports count for the interface that they are ports of,
    /// which `master_of` returns.
    #[must_use]
    pub fn of(&self, attached: &[u32], mut master_of: impl FnMut(u32) -> Option<u32>) -> Vec<NotIp> {
        let mut of_attached = vec![Vec::new(); attached.len()];
        for (index, frames) in &self.0 {
            if let Some(place) = place_of(*index, attached, &mut master_of) {
                of_attached[place].extend(frames.iter());
            }
        }
        of_attached
            .into_iter()
            .map(|frames| frames.into_iter().collect())
            .collect()
    }
}

/// What one CPU has counted.
fn counted(cpu: &NotIpFrames) -> impl Iterator<Item = (FrameKind, u64)> {
    let slots = cpu.ethertypes.iter().zip(cpu.packets);
    slots
        .map(|(ethertype, packets)| (FrameKind::of_slot(*ethertype), packets))
        .chain([(FrameKind::Other, cpu.others)])
        .filter(|(_, packets)| *packets != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FrameKind::{Ethertype, Llc, Other};

    #[test]
    fn frames_of_all_cpus_add_up_and_the_most_come_first() {
        let mut first = NotIpFrames::NONE;
        (first.ethertypes[0], first.packets[0]) = (0x0806, 3);
        (first.ethertypes[1], first.packets[1]) = (0x8847, 5);
        first.others = 2;
        let mut second = NotIpFrames::NONE;
        (second.ethertypes[0], second.packets[0]) = (0x8847, 6);
        second.packets[1] = 1;
        let all: NotIp = [first, second].iter().flat_map(counted).collect();
        let counted: Vec<_> = all.iter().collect();
        assert_eq!(
            counted,
            [
                (Ethertype(0x8847), 11),
                (Ethertype(0x0806), 3),
                (Other, 2),
                (Llc, 1)
            ]
        );
        assert_eq!(all.total(), 17);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#"{"0x8847":11,"0x0806":3,"other":2,"llc":1}"#);
        assert_eq!(serde_json::from_str::<NotIp>(&text).unwrap(), all);
    }

    #[test]
    fn only_what_was_counted_since_then_remains() {
        let of = |frames: &[(FrameKind, u64)]| frames.iter().copied().collect::<NotIp>();
        let (before, after) = (
            of(&[(Ethertype(0x0806), 3), (Llc, 4)]),
            of(&[(Ethertype(0x0806), 3), (Llc, 9), (Other, 1)]),
        );
        assert_eq!(after.since(&before), of(&[(Llc, 5), (Other, 1)]));
        // The counters began anew.
        assert_eq!(before.since(&after), of(&[]));
    }

    #[test]
    fn frames_of_ports_belong_to_the_interface_that_hands_them_the_program() {
        let frames = |number| [(Ethertype(0x8847), number)].into_iter().collect::<NotIp>();
        let all = NotIpByIndex(BTreeMap::from([
            (2, frames(1)),
            (5, frames(10)),
            (6, frames(100)),
            (9, frames(1000)),
        ]));
        // 6 is a port of 5, 5 of 2, and 9 of an interface without the filter.
        let master_of = |index| match index {
            5 => Some(2),
            6 => Some(5),
            9 => Some(8),
            _ => None,
        };
        assert_eq!(all.of(&[3, 2], master_of), [NotIp::default(), frames(111)]);
        assert_eq!(all.of(&[5, 2], master_of), [frames(110), frames(1)]);
        // A list that is read while interfaces change may show a circle.
        assert_eq!(all.of(&[100], |index| Some(index ^ 1)), [NotIp::default()]);
    }
}
