//! Frames: a packet after every link header.

use proptest::prelude::*;

use super::{
    Universe, damage,
    network::{self, Packet},
    transport::filler,
    tunnels::{self, Ppp},
};
use crate::expected::link::Family;

/// Tunnels around a segment.
const DEPTH: usize = 2;

/// A frame of at most `longest` bytes for the policy of this universe.
pub fn frame(universe: &Universe, longest: usize) -> impl Strategy<Value = Vec<u8>> + use<> {
    let packet = network::packet(universe, DEPTH, longest);
    // Ethernet's shortest frame is padded after the packet.
    let padding = prop_oneof![3 => Just(Vec::new()), 1 => filler(46)];
    let whole = (link(universe).boxed(), packet, padding).prop_map(|(link, packet, padding)| {
        let mut frame = link.before(&packet);
        frame.extend(packet.bytes);
        frame.extend(padding);
        frame
    });
    (whole.boxed(), damage::damage().boxed()).prop_map(move |(mut frame, damage)| {
        damage.to(&mut frame);
        frame.truncate(longest);
        frame
    })
}

/// A link header.
#[derive(Clone, Debug)]
pub struct Link {
    to: [u8; 6],
    from: [u8; 6],
    tags: Vec<u16>,
    /// An LLC/SNAP header after so many of the tags, and the length before it.
    snap: Option<(usize, u16)>,
    pppoe: Option<(Ppp, u16)>,
    /// MPLS labels, the number after which the stack ends, and what follows if it is no IP.
    labels: Option<(usize, usize, Option<u8>)>,
    other: Option<u16>,
}

/// A link header, mostly one before IP.
pub fn link(universe: &Universe) -> impl Strategy<Value = Link> + use<> {
    let to = prop_oneof![
        8 => Just([0x02, 0, 0, 0, 0, 0x01]),
        1 => prop::sample::select(vec![[0xff; 6], [0x01, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [0xfe; 6]]),
    ];
    let from = prop_oneof![
        24 => Just([0x02, 0, 0, 0, 0, 0x02]),
        1 => prop::sample::select(vec![[0xff; 6], [0x03, 0, 0, 0, 0, 2]]),
    ];
    let mut tags = vec![0x8100u16, 0x88a8, 0x9100, 0x8100, 0x88a8, 0x9100];
    tags.extend(&universe.tpids);
    let tag = prop::sample::select(tags);
    let snap = prop_oneof![
        8 => Just(None),
        1 => (0usize..5, prop_oneof![4 => 0u16..=1500, 1 => 1490u16..1550]).prop_map(Some),
    ];
    let labels = (
        1usize..=6,
        1usize..=6,
        prop_oneof![6 => Just(None), 1 => any::<u8>().prop_map(Some)],
    );
    let weight = if universe.mpls { 8 } else { 1 };
    let labels = prop_oneof![24 => Just(None), weight => labels.prop_map(Some)];
    let tags = prop_oneof![
        4 => Just(Vec::new()),
        4 => prop::collection::vec(tag.clone(), 0..=4),
        1 => prop::collection::vec(tag, 4..=5),
    ];
    let pppoe = prop_oneof![2 => Just(None), 1 => (tunnels::ppp(), any::<u16>()).prop_map(Some)];
    let other = prop_oneof![
        24 => Just(None),
        1 => prop::sample::select(vec![0x0806u16, 0x0800, 0x86dd, 0x8863, 0x8847, 0x0008, 0x9200, 46]).prop_map(Some),
    ];
    (to, from, tags, snap, pppoe, labels, other).prop_map(|(to, from, tags, snap, pppoe, labels, other)| {
        Link {
            to,
            from,
            tags,
            snap,
            pppoe,
            labels,
            other,
        }
    })
}

impl Link {
    /// The bytes before a packet.
    pub fn before(&self, packet: &Packet) -> Vec<u8> {
        let mut bytes = [self.to, self.from].concat();
        let snap = |bytes: &mut Vec<u8>, tags| {
            if let Some((place, length)) = self.snap
                && place.min(self.tags.len()) == tags
            {
                bytes.extend(length.to_be_bytes());
                bytes.extend([0xaa, 0xaa, 3, 0, 0, 0]);
            }
        };
        for (index, tag) in self.tags.iter().enumerate() {
            snap(&mut bytes, index);
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 100]);
        }
        snap(&mut bytes, self.tags.len());
        let honest = match (self.labels, self.pppoe, packet.family) {
            (Some((count, ..)), ..) => 0x8847 + u16::from(count == 1),
            (None, Some(_), _) => 0x8864u16,
            (None, None, Family::V4) => 0x0800,
            (None, None, Family::V6) => 0x86dd,
        };
        bytes.extend(self.other.unwrap_or(honest).to_be_bytes());
        if let Some((count, bottom, other)) = self.labels {
            for label in 1..=count {
                // A label of 16 bits, all other bits set but the one that says that it is the last.
                bytes.extend([0x12, 0x34, 0xfe | u8::from(label == bottom.min(count)), 0xff]);
            }
            bytes.extend(other);
        } else if let Some((ppp, length)) = self.pppoe {
            bytes.extend([0x11, 0, 0, 0x17]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(ppp.before(packet.family));
        }
        bytes
    }
}
