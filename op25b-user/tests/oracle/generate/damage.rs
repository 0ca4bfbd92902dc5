//! Damage to frames: cut ends and flipped bits.

use proptest::{prelude::*, sample::Index};

/// The kernel runs no program on less.
const SHORTEST: usize = 14;

/// Most headers end before this byte.
const HEADERS: usize = 120;

/// Where a frame is damaged.
#[derive(Clone, Debug)]
pub struct Damage {
    cut: Option<(bool, Index)>,
    flips: Vec<(bool, Index, u8)>,
}

/// Mostly none.
pub fn damage() -> impl Strategy<Value = Damage> {
    // Whether it hits the headers, and where.
    let cut = prop_oneof![9 => Just(None), 1 => (prop::bool::weighted(0.8), any::<Index>()).prop_map(Some)];
    let flip = (prop::bool::weighted(0.9), any::<Index>(), 0u8..8);
    let flips = prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(flip, 1..4)];
    (cut, flips).prop_map(|(cut, flips)| Damage { cut, flips })
}

impl Damage {
    pub fn to(&self, frame: &mut Vec<u8>) {
        let place = |length: usize, in_headers: bool, index: Index| {
            index.index(if in_headers { length.min(HEADERS) } else { length })
        };
        for (in_headers, index, bit) in &self.flips {
            let at = place(frame.len(), *in_headers, *index);
            frame[at] ^= 1 << bit;
        }
        if let Some((in_headers, index)) = self.cut {
            frame.truncate(place(frame.len(), in_headers, index).max(SHORTEST));
        }
    }
}
