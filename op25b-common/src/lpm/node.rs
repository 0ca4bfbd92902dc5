//! The nodes of the trie that have a layout of their own.

use super::Entry;

/// A node in which at least half of the values of the next byte have one entry, the default; as long as a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct BitmapNode {
    /// A bit for each value of the next byte that has an entry in the list.
    pub bits: [u64; 4],
    /// The list's first entry, counted over all pages; a list lies in one page.
    pub list: u32,
    /// What all other values lead to.
    pub default: Entry,
    /// How many bits are set before each word of `bits` (its rank), a byte each from the lowest.
    pub rank: u32,
    /// Fills the cache line.
    pub unused: [u32; 5],
}

/// Bytes that an address must have to be led on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CompressedPath {
    /// The bytes, the first one highest, followed by zeros.
    pub value: u64,
    /// How many bits that are: 8 to 64, in whole bytes.
    pub bits: u32,
    /// What leads on if the address has them.
    pub next: Entry,
    /// What holds if it does not.
    pub default: Entry,
    /// Fills it up.
    pub unused: u32,
}

const _: () = {
    assert!(size_of::<BitmapNode>() == 64 && align_of::<BitmapNode>() == 8);
    assert!(size_of::<CompressedPath>() == 24 && align_of::<CompressedPath>() == 8);
};

#[cfg(feature = "user")]
mod pod {
    use super::{BitmapNode, CompressedPath};

    // SAFETY: `repr(C)` of integers and words that are any, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for BitmapNode {}
    // SAFETY: as above.
    unsafe impl aya::Pod for CompressedPath {}
}

impl BitmapNode {
    /// The index of the entry for a value of the next byte, counted over all pages; `None` if it has the default entry.
    #[must_use]
    #[inline(always)]
    pub fn list_index(&self, byte: u32) -> Option<u32> {
        let word = byte >> 6;
        let bits = self.bits[word as usize];
        let below = bits & ((1 << (byte & 63)) - 1);
        if bits >> (byte & 63) & 1 == 0 {
            return None;
        }
        Some(self.list + (self.rank >> (word * 8) & 0xff) + count_ones(below))
    }
}

/// How many bits are set; BPF has no instruction for that.
#[inline(always)]
fn count_ones(bits: u64) -> u32 {
    const PAIRS: u64 = 0x5555_5555_5555_5555;
    const FOURS: u64 = 0x3333_3333_3333_3333;
    const BYTES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const SUM: u64 = 0x0101_0101_0101_0101;
    let pairs = bits - (bits >> 1 & PAIRS);
    let fours = (pairs & FOURS) + (pairs >> 2 & FOURS);
    let bytes = (fours + (fours >> 4)) & BYTES;
    (bytes.wrapping_mul(SUM) >> 56) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_are_counted_as_by_the_standard_library() {
        let mut bits = 1_u64;
        for shift in 0..64 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).rotate_left(shift);
            assert_eq!(count_ones(bits), bits.count_ones());
        }
        assert_eq!(count_ones(0), 0);
        assert_eq!(count_ones(u64::MAX), 64);
    }

    #[test]
    fn a_bitmap_node_numbers_its_list_in_the_order_of_the_bytes() {
        let bytes = [0_u32, 63, 64, 130, 255];
        let mut node = BitmapNode {
            list: 1000,
            ..BitmapNode::default()
        };
        for byte in bytes {
            node.bits[byte as usize / 64] |= 1 << (byte % 64);
        }
        let mut before = 0;
        for (word, bits) in node.bits.into_iter().enumerate() {
            node.rank |= before << (word * 8);
            before += bits.count_ones();
        }
        for (index, byte) in (1000..).zip(bytes) {
            assert_eq!(node.list_index(byte), Some(index));
        }
        for byte in [1, 62, 65, 129, 131, 254] {
            assert_eq!(node.list_index(byte), None);
        }
    }
}
