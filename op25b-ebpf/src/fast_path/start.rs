//! The start of a frame, whose bytes are read at offsets that are known at compile time.

use aya_ebpf::bindings::xdp_md;
use op25b_ebpf::bpf::instructions::{load_u8_at, load_u16_at};

/// The start of a frame's first buffer.
///
/// What is read has to be there: the verifier refuses a program that reads without [`Self::holds`] before. Numbers are in
/// the frame's byte order.
pub struct Start {
    data: usize,
    end: usize,
}

impl Start {
    /// The start of this frame.
    #[inline(always)]
    pub fn of(ctx: *mut xdp_md) -> Self {
        // SAFETY: the kernel gives every program a valid context.
        let (data, end) = unsafe { ((*ctx).data as usize, (*ctx).data_end as usize) };
        Self { data, end }
    }

    /// Whether the buffer holds so many bytes.
    #[inline(always)]
    pub fn holds(&self, length: usize) -> bool {
        self.data + length <= self.end
    }

    /// The byte at `BASE + AT`.
    #[inline(always)]
    pub fn u8<const BASE: usize, const AT: isize>(&self) -> u8 {
        // SAFETY: the verifier loads no program that reads what may not be there.
        unsafe { load_u8_at::<BASE, AT>(self.data as *const u8) }
    }

    /// The 16-bit number at `BASE + AT`.
    #[inline(always)]
    pub fn u16<const BASE: usize, const AT: isize>(&self) -> u16 {
        // SAFETY: as above.
        unsafe { load_u16_at::<BASE, AT>(self.data as *const u8) }
    }
}
