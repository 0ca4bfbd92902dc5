//! A sweep along the address space: what the nested prefixes around each address make of it, one range after another.

use ipnet::IpNet;

use crate::lpm::AddressFamily;

/// A prefix as a range of addresses, which are in the leftmost of 128 bits.
///
/// In ascending order, each one comes before those inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    // Two halves, as a u128 is aligned to 16 bytes and there may be a million prefixes.
    high: u64,
    low: u64,
    pub(super) length: u8,
}

impl Span {
    /// The first `length` bits of an address.
    #[expect(clippy::cast_possible_truncation, reason = "each is a half of 128 bits")]
    pub(super) fn new(address: u128, length: u8) -> Self {
        let first = address & !below(length);
        Self {
            high: (first >> 64) as u64,
            low: first as u64,
            length,
        }
    }

    /// The first address.
    pub(super) fn first(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    /// The last address.
    fn last(self) -> u128 {
        self.first() | below(self.length)
    }

    /// The prefix, if it is of that family.
    pub(super) fn of(family: AddressFamily, net: IpNet) -> Option<Self> {
        match (family, net) {
            (AddressFamily::V4, IpNet::V4(net)) => Some(Self::new(
                u128::from(net.addr().to_bits()) << 96,
                net.prefix_len(),
            )),
            (AddressFamily::V6, IpNet::V6(net)) => Some(Self::new(net.addr().to_bits(), net.prefix_len())),
            _ => None,
        }
    }
}

/// The bits of an address after the first `length`.
fn below(length: u8) -> u128 {
    u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

/// Prefixes of one family with their items, in ascending order.
pub(super) fn sorted<T: Copy + Ord>(prefixes: impl Iterator<Item = (Span, T)>) -> Vec<(Span, T)> {
    let mut prefixes: Vec<_> = prefixes.collect();
    prefixes.sort_unstable_by_key(|(span, item)| (span.first(), span.length, *item));
    prefixes
}

/// The position of a sweep: a range, and the state that the prefixes around it have led to.
pub(super) struct Sweep<'p, T, S, F> {
    prefixes: std::slice::Iter<'p, (Span, T)>,
    enter: F,
    /// The last address of each prefix around the range, and the state inside it; the first one is the whole address space.
    around: Vec<(u128, S)>,
    last: u128,
    ranges: u64,
}

impl<'p, T, S, F: Fn(&S, Span, &T) -> S> Sweep<'p, T, S, F> {
    /// The first range. The prefixes are in ascending order; `enter` returns the state inside a prefix from that around it.
    pub(super) fn new(prefixes: &'p [(Span, T)], outside: S, enter: F) -> Self {
        let mut sweep = Self {
            prefixes: prefixes.iter(),
            enter,
            around: vec![(u128::MAX, outside)],
            last: 0,
            ranges: 0,
        };
        sweep.begin(0);
        sweep
    }

    /// The last address of the range.
    pub(super) fn last(&self) -> u128 {
        self.last
    }

    /// How many ranges there were so far.
    pub(super) fn ranges(&self) -> u64 {
        self.ranges
    }

    /// The state in the range.
    pub(super) fn state(&self) -> &S {
        // The whole address space is around every address.
        &self.around[self.around.len() - 1].1
    }

    /// Moves to the next range; false if this is the last one.
    pub(super) fn advance(&mut self) -> bool {
        let Some(first) = self.last.checked_add(1) else {
            return false;
        };
        while self.around.pop_if(|(last, _)| *last < first).is_some() {}
        self.begin(first);
        true
    }

    /// Begins a range: it ends where a prefix around it ends or the next one begins.
    fn begin(&mut self, first: u128) {
        self.ranges += 1;
        while let Some((span, item)) = self.prefixes.as_slice().first()
            && span.first() <= first
        {
            let state = (self.enter)(self.state(), *span, item);
            self.around.push((span.last(), state));
            self.prefixes.next();
        }
        let end = self.around[self.around.len() - 1].0;
        let next = self.prefixes.as_slice().first();
        self.last = next.map_or(end, |(span, _)| end.min(span.first() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_has_the_state_of_the_prefixes_around_it() {
        let nets = [
            "0.0.0.0/1",
            "10.0.0.0/8",
            "10.0.0.0/8",
            "10.255.0.0/16",
            "255.255.255.255/32",
        ];
        let spans = nets
            .iter()
            .map(|net| Span::of(AddressFamily::V4, net.parse().unwrap()).unwrap());
        let prefixes = sorted(spans.zip(1_u32..));
        let mut sweep = Sweep::new(&prefixes, 0_u32, |outer, _, item| outer * 10 + item);
        let mut ranges = Vec::new();
        loop {
            ranges.push(((sweep.last() >> 96) as u32, *sweep.state()));
            if !sweep.advance() {
                break;
            }
        }
        assert_eq!(
            ranges,
            [
                (0x09ff_ffff, 1),
                (0x0afe_ffff, 123),
                (0x0aff_ffff, 1234),
                (0x7fff_ffff, 1),
                (0xffff_fffe, 0),
                (0xffff_ffff, 5),
            ]
        );
    }

    #[test]
    fn without_prefixes_there_is_one_range() {
        let prefixes: Vec<(Span, u32)> = Vec::new();
        let mut sweep = Sweep::new(&prefixes, 7, |outer, _, _| *outer);
        assert_eq!((sweep.last(), *sweep.state()), (u128::MAX, 7));
        assert!(!sweep.advance());
    }
}
