//! The address that is looked up, and how far the look-up has come in it.

use super::ROOT_BITS;

/// What is left of an address, at the left of 128 bits.
#[derive(Clone, Copy, Debug)]
pub struct KeyCursor {
    /// The next 64 bits.
    pub(super) high: u64,
    low: u64,
}

impl KeyCursor {
    /// The start of an address, given in two halves.
    #[must_use]
    #[inline(always)]
    pub const fn new(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// Takes the bits that the root takes: the index in it.
    #[inline(always)]
    pub fn root_index(&mut self) -> u32 {
        let index = (self.high >> (u64::BITS - ROOT_BITS)) as u32;
        self.skip(ROOT_BITS);
        index
    }

    /// What is left of the address, in two halves.
    #[must_use]
    #[inline(always)]
    pub const fn halves(self) -> (u64, u64) {
        (self.high, self.low)
    }

    /// Moves on by so many bits, at most 64.
    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        // A shift by the whole width would not shift at all.
        if bits >= u64::BITS {
            self.high = self.low;
            self.low = 0;
        } else {
            self.high = self.high << bits | (self.low >> 1) >> (u64::BITS - 1 - bits);
            self.low <<= bits;
        }
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn byte(&self) -> u32 {
        (self.high >> 56) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_takes_the_first_16_bits() {
        let mut key = KeyCursor::new(0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210);
        assert_eq!(key.root_index(), 0x1234);
        assert_eq!(
            (key.high, key.low),
            (0x5678_9abc_def0_fedc, 0xba98_7654_3210_0000)
        );
        assert_eq!(key.byte(), 0x56);
    }

    #[test]
    fn skipping_no_bits_or_a_whole_half_works() {
        let mut key = KeyCursor::new(1, 2);
        key.skip(0);
        assert_eq!((key.high, key.low), (1, 2));
        key.skip(64);
        assert_eq!((key.high, key.low), (2, 0));
    }
}
