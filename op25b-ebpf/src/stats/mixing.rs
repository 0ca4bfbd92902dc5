//! Mixes addresses, for sketches and hash sets.

/// 2⁶⁴ by the golden ratio (Fibonacci hashing).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number whose upper bits differ for addresses that differ in few bits.
#[inline(always)]
pub fn mixed(high: u64, low: u64) -> u64 {
    let folded = high ^ high >> 32 ^ low.wrapping_mul(GOLDEN);
    let mixed = folded.wrapping_mul(GOLDEN);
    // Twice, or consecutive addresses would lie at regular distances and fill few bits.
    (mixed ^ mixed >> 29).wrapping_mul(GOLDEN)
}
