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
    let whole = (link().boxed(), packet, padding).prop_map(|(link, packet, padding)| {
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
    pppoe: Option<(Ppp, u16)>,
    other: Option<u16>,
}

/// A link header, mostly one before IP.
pub fn link() -> impl Strategy<Value = Link> {
    let to = prop_oneof![
        8 => Just([0x02, 0, 0, 0, 0, 0x01]),
        1 => prop::sample::select(vec![[0xff; 6], [0x01, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [0xfe; 6]]),
    ];
    let from = prop_oneof![
        24 => Just([0x02, 0, 0, 0, 0, 0x02]),
        1 => prop::sample::select(vec![[0xff; 6], [0x03, 0, 0, 0, 0, 2]]),
    ];
    let tag = prop::sample::select(vec![0x8100u16, 0x88a8, 0x9100]);
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
    (to, from, tags, pppoe, other).prop_map(|(to, from, tags, pppoe, other)| Link {
        to,
        from,
        tags,
        pppoe,
        other,
    })
}

impl Link {
    /// The bytes before a packet.
    pub fn before(&self, packet: &Packet) -> Vec<u8> {
        let mut bytes = [self.to, self.from].concat();
        for (tag, id) in self.tags.iter().zip(100u16..) {
            bytes.extend(tag.to_be_bytes());
            bytes.extend(id.to_be_bytes());
        }
        let honest = match (self.pppoe, packet.family) {
            (Some(_), _) => 0x8864u16,
            (None, Family::V4) => 0x0800,
            (None, Family::V6) => 0x86dd,
        };
        bytes.extend(self.other.unwrap_or(honest).to_be_bytes());
        if let Some((ppp, length)) = self.pppoe {
            bytes.extend([0x11, 0, 0, 0x17]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(ppp.before(packet.family));
        }
        bytes
    }
}
