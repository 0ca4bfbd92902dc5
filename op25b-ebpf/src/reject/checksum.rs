//! The Internet checksum (RFC 1071), as the kernel's helper adds it up.

use aya_ebpf::helpers::bpf_csum_diff;

/// A sum that is being added up, in the memory order of its bytes.
#[derive(Clone, Copy)]
pub struct Sum(u32);

impl Sum {
    pub const ZERO: Self = Self(0);

    /// Adds 32-bit words of network byte order.
    #[inline(always)]
    pub fn add<const N: usize>(self, words: &[u32; N]) -> Self {
        let words = words.as_ptr().cast_mut();
        // SAFETY: the helper reads as many bytes as the words have.
        let sum = unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, words, 4 * N as u32, self.0) };
        // Never an error: the length is a multiple of 4.
        Self(sum.cast_unsigned() as u32)
    }

    /// The checksum, as it stands in the packet's memory.
    #[inline(always)]
    pub fn finish(self) -> u16 {
        let folded = (self.0 & 0xffff) + (self.0 >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        !folded as u16
    }
}

/// A 32-bit word of network byte order: first a half in host's byte order, then one that is in memory's already.
#[inline(always)]
pub fn word(high: u16, low_in_memory: u16) -> u32 {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low_in_memory.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}
