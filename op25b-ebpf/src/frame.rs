//! The frame that the kernel hands over, as bytes to read and write.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{
        bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
        bpf_xdp_store_bytes,
    },
};

use crate::{instructions, packet::Bytes};

/// A frame that is read where it lies: the fast way.
pub struct Frame(pub *mut xdp_md);

impl Bytes for Frame {
    /// A frame of several buffers keeps its headers in the first one unless somebody stretches them on purpose;
    /// those bytes are fetched by the kernel, so that a long header chain hides nothing.
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        in_place(self.0, offset as usize).or_else(|| Fetched(self.0).bytes(offset))
    }
}

/// Where `length` bytes of the frame's first buffer start.
#[inline(always)]
fn place(ctx: *mut xdp_md, offset: usize, length: usize) -> Option<*const u8> {
    // SAFETY: the kernel gives every program a valid context.
    let (data, end) = unsafe { ((*ctx).data as usize, (*ctx).data_end as usize) };
    // What is compared is what is read from.
    let start = instructions::opaque((data + offset) as u64) as usize;
    (start + length <= end).then_some(start as *const u8)
}

/// Bytes of the frame's first buffer.
#[inline(always)]
pub fn in_place<const N: usize>(ctx: *mut xdp_md, offset: usize) -> Option<[u8; N]> {
    let from = place(ctx, offset, N)?;
    let mut bytes = [0; N];
    // SAFETY: the comparison in `place` proves to the verifier that N bytes are inside the frame.
    unsafe {
        // One instruction where there is one for so many bytes.
        match N {
            2 => bytes.copy_from_slice(&instructions::load_u16(from).to_ne_bytes()),
            4 => bytes.copy_from_slice(&instructions::load_u32(from).to_ne_bytes()),
            8 => bytes.copy_from_slice(&instructions::load_u64(from).to_ne_bytes()),
            16 => {
                bytes[..8].copy_from_slice(&instructions::load_u64(from).to_ne_bytes());
                bytes[8..].copy_from_slice(&instructions::load_u64(from.add(8)).to_ne_bytes());
            }
            _ => bytes = *from.cast(),
        }
    }
    Some(bytes)
}

/// Words of the frame's first buffer, as they lie there.
#[inline(always)]
pub fn words_in_place<const N: usize>(ctx: *mut xdp_md, offset: usize) -> Option<[u64; N]> {
    let from = place(ctx, offset, N * size_of::<u64>())?;
    // SAFETY: as for bytes.
    Some(core::array::from_fn(|index| unsafe {
        instructions::load_u64(from.add(index * size_of::<u64>()))
    }))
}

/// A frame whose bytes the kernel fetches: slower, and any offset will do, so that the verifier need not follow how it
/// came about.
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
    #[inline(always)]
    pub fn length(&self) -> u32 {
        // SAFETY: the helper has no preconditions but a valid context. Frames are far shorter than 4 GiB.
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }

    /// The `N` 32-bit words at `offset`, in network byte order.
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
    #[inline(always)]
    pub fn grow_front(&self, length: u32) -> bool {
        // SAFETY: the helper has no preconditions but a valid context; no pointer into the frame is kept.
        unsafe { bpf_xdp_adjust_head(self.0, -length.cast_signed()) == 0 }
    }

    /// Cuts off the last `length` bytes; false if that cannot be.
    #[inline(always)]
    pub fn cut_back(&self, length: u32) -> bool {
        // SAFETY: as for the front.
        length == 0 || unsafe { bpf_xdp_adjust_tail(self.0, -length.cast_signed()) == 0 }
    }
}

/// The length of a part that is not empty and no longer than `whole`.
///
/// One comparison leaves both ends of the range, and so the compiler must not know where it comes from: that something is
/// not 0 is nothing that verifiers before Linux 6.8 learn a lower end from.
#[inline(always)]
fn part(length: u32, whole: usize) -> Option<u32> {
    let before_last = instructions::opaque(u64::from(length).wrapping_sub(1));
    if before_last >= whole as u64 {
        return None;
    }
    Some((before_last + 1) as u32)
}
