//! What was counted of the packets of one interface or of one pool.

use std::iter;

use op25b_common::{
    Reason, Verdict,
    counters::{CELLS, COUNTED, OWNER, PacketCells},
};

/// The packets of one interface or pool by reason and verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts([u64; CELLS]);

/// The packets with one reason and verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketCount {
    /// The reason.
    pub reason: Reason,
    /// What became of them.
    pub verdict: Verdict,
    /// How many there were.
    pub packets: u64,
    /// The bytes of their frames; none of packets that pass.
    pub bytes: Option<u64>,
}

impl PacketCounts {
    /// Every reason with every verdict that there is on it, also without packets.
    pub fn iter(&self) -> impl Iterator<Item = PacketCount> {
        let Self(cells) = *self;
        COUNTED.into_iter().map(move |counted| {
            let cell = counted.cell as usize;
            PacketCount {
                reason: counted.reason,
                verdict: counted.verdict,
                packets: cells[cell],
                bytes: counted.has_bytes().then(|| cells[cell + 1]),
            }
        })
    }

    /// The packets with this reason.
    #[must_use]
    pub fn packets(&self, reason: Reason) -> u64 {
        let with_reason = self.iter().filter(|count| count.reason == reason);
        with_reason.map(|count| count.packets).sum()
    }

    /// Adds what another CPU, or another interface, has counted.
    pub(super) fn add(&mut self, cells: &PacketCells) {
        for (sum, cell) in self.0.iter_mut().zip(&cells.cells).skip(OWNER + 1) {
            *sum = sum.wrapping_add(*cell);
        }
    }

    /// Adds up what was counted in several places.
    pub(super) fn sum<'c>(all: impl IntoIterator<Item = &'c PacketCells>) -> Self {
        let mut sum = Self::default();
        for cells in all {
            sum.add(cells);
        }
        sum
    }
}

impl<'c> iter::Sum<&'c Self> for PacketCounts {
    fn sum<I: Iterator<Item = &'c Self>>(all: I) -> Self {
        let mut sum = Self::default();
        for Self(cells) in all {
            sum.add(&PacketCells { cells: *cells });
        }
        sum
    }
}
