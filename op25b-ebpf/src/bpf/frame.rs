//! The frame that the kernel hands over, as bytes to read and to write.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{
        bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
        bpf_xdp_store_bytes,
    },
};

use super::instructions;
use crate::parse::Bytes;

/// A pointer to `length` bytes of the frame's first buffer; `None` if it has not so many.
#[inline(always)]
pub fn in_place(ctx: *mut xdp_md, offset: usize, length: usize) -> Option<*const u8> {
    // SAFETY: the kernel gives every program a valid context.
    let (data, end) = unsafe { ((*ctx).data as usize, (*ctx).data_end as usize) };
    // What is compared is what is read from.
    let start = instructions::opaque((data + offset) as u64) as usize;
    (start + length <= end).then_some(start as *const u8)
}

/// A frame whose bytes the kernel copies: slower, but with any offset, so that the verifier need not follow how that came
/// about.
pub struct Fetched(pub *mut xdp_md);

// What the kernel fills is not filled with zeros before: that would be a call of `memset`, and such a call takes 32 bytes of
// the stack on kernels before 6.9.
impl Bytes for Fetched {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        // SAFETY: the buffer is N bytes long; the kernel checks the frame's end.
        let result = unsafe { bpf_xdp_load_bytes(self.0, offset, bytes.as_mut_ptr().cast(), N as u32) };
        // SAFETY: the kernel has written all of them.
        (result == 0).then(|| unsafe { bytes.assume_init() })
    }
}

impl Fetched {
    /// The whole frame's length.
    #[must_use]
    #[inline(always)]
    pub fn length(&self) -> u32 {
        // SAFETY: the helper needs only a valid context. Frames are far shorter than 4 GiB.
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }

    /// The `N` 32-bit words at `offset`, in network byte order.
    #[must_use]
    #[inline(always)]
    pub fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        let mut words = MaybeUninit::<[u32; N]>::uninit();
        // SAFETY: the buffer is N words long; the kernel checks the frame's end.
        let result = unsafe { bpf_xdp_load_bytes(self.0, offset, words.as_mut_ptr().cast(), 4 * N as u32) };
        // SAFETY: the kernel has written all of them.
        (result == 0).then(|| unsafe { words.assume_init() })
    }

    /// Reads the first `length` bytes of `buffer` from `offset` on; false if the frame ends before, or for no bytes.
    #[inline(always)]
    pub fn load_part<const N: usize>(&self, offset: u32, buffer: &mut [u8; N], length: u32) -> bool {
        let Some(length) = part(length, N) else {
            return false;
        };
        // SAFETY: the length is within the buffer; the kernel checks the frame's end.
        unsafe { bpf_xdp_load_bytes(self.0, offset, buffer.as_mut_ptr().cast(), length) == 0 }
    }

    /// Writes something without pointers to `offset`; false if the frame ends before.
    #[inline(always)]
    pub fn store<T>(&self, offset: u32, value: &T) -> bool {
        let value: *const T = value;
        // SAFETY: the value is as long as its type; the kernel checks the frame's end.
        unsafe { bpf_xdp_store_bytes(self.0, offset, value.cast_mut().cast(), size_of::<T>() as u32) == 0 }
    }

    /// Writes the first `length` bytes of a value to `offset`; false if the frame ends before, or for no bytes.
    #[inline(always)]
    pub fn store_part<T>(&self, offset: u32, value: &T, length: u32) -> bool {
        let Some(length) = part(length, size_of::<T>()) else {
            return false;
        };
        let value: *const T = value;
        // SAFETY: the length is within the value; the kernel checks the frame's end.
        unsafe { bpf_xdp_store_bytes(self.0, offset, value.cast_mut().cast(), length) == 0 }
    }

    /// Makes room for `length` bytes in front; false if there is none.
    #[must_use]
    #[inline(always)]
    pub fn grow_front(&self, length: u32) -> bool {
        // SAFETY: the helper needs only a valid context; no pointer into the frame is kept.
        unsafe { bpf_xdp_adjust_head(self.0, -length.cast_signed()) == 0 }
    }

    /// Cuts off the last `length` bytes; false if that cannot be.
    #[must_use]
    #[inline(always)]
    pub fn cut_back(&self, length: u32) -> bool {
        // SAFETY: as for the front.
        length == 0 || unsafe { bpf_xdp_adjust_tail(self.0, -length.cast_signed()) == 0 }
    }
}

/// The length of a part that is not empty and no longer than `whole`.
///
/// One comparison gives both ends of the range, so the compiler must not know where the number comes from: verifiers before
/// Linux 6.8 learn no lower end from a comparison with 0.
#[inline(always)]
fn part(length: u32, whole: usize) -> Option<u32> {
    let before_last = instructions::opaque(u64::from(length).wrapping_sub(1));
    if before_last >= whole as u64 {
        return None;
    }
    Some((before_last + 1) as u32)
}
