//! How many events each CPU may write, and the ring buffer that holds them.

use std::num::NonZero;

use op25b_common::event::{Allowance, PacketEvent};

/// The rates of events in the program's units: token buckets of nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowances {
    /// What one event takes.
    pub(crate) intervals: [u64; Allowance::COUNT],
    /// What a bucket holds.
    pub(crate) depths: [u64; Allowance::COUNT],
}

/// How many events of an allowance each CPU may write per second in the long run; a bucket holds as many.
const fn rate(allowance: Allowance) -> u64 {
    match allowance {
        Allowance::FreshV4 => 250,
        Allowance::FreshV6 => 100,
        Allowance::Known | Allowance::Unrecorded => 50,
    }
}

impl Allowances {
    /// Those of every filter.
    pub(crate) fn new() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self {
            intervals: Allowance::ALL.map(|allowance| SECOND / rate(allowance)),
            depths: [SECOND; Allowance::COUNT],
        }
    }

    /// The size of a ring buffer that holds what all CPUs may write at once, and as much again for what comes until it is read:
    /// a power of two, as the kernel requires.
    pub(crate) fn ring_bytes(possible_cpus: NonZero<usize>) -> u32 {
        /// `BPF_RINGBUF_HDR_SZ`, before each entry.
        const HEADER: usize = 8;
        let events: u64 = Allowance::ALL.into_iter().map(rate).sum();
        let events = usize::try_from(2 * events).unwrap_or(usize::MAX);
        let bytes = (events * (HEADER + size_of::<PacketEvent>())).saturating_mul(possible_cpus.get());
        u32::try_from(bytes.min(Self::LARGEST).next_power_of_two()).unwrap_or(u32::MAX)
    }

    /// The largest ring buffer.
    const LARGEST: usize = 16 << 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_buffer_holds_what_all_cpus_may_write_at_once() {
        for cpus in [1, 2, 7, 64, 1 << 20] {
            let bytes = Allowances::ring_bytes(NonZero::new(cpus).unwrap());
            assert!(bytes.is_power_of_two() && bytes >= 4096, "{bytes}");
            let events = usize::try_from(bytes).unwrap() / 80;
            assert!(
                events >= cpus * 450 || bytes as usize == Allowances::LARGEST,
                "{cpus}: {bytes}"
            );
        }
    }
}
