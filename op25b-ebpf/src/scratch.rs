//! Memory beside the stack, for the state of the slow path and of replies.
//!
//! The stack has 512 bytes for all functions of a path together. A per-CPU map has room for more, and a slot of it belongs
//! to one frame at a time: it is claimed before and released after.
//!
//! Where softirqs are disabled around XDP programs, they do not preempt one another on a CPU, and one slot would do: in a
//! driver's NAPI poll, in generic XDP, in the threads of cpumap. That is not the case everywhere: `PREEMPT_RT` kernels
//! without `PREEMPT_RT_NEEDS_BH_LOCK` let one softirq preempt another on the same CPU, and older kernels run
//! `BPF_PROG_TEST_RUN` with softirqs enabled. So a frame that finds a slot claimed takes the next one. The map belongs to
//! one loaded filter, so that a test run of another instance does not touch it.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use op25b_ebpf::{bpf::instructions, parse::segment::Segment};

/// How many frames may be in flight on one CPU, each preempted by the next.
const SLOTS: u32 = 4;

#[btf_map]
static SCRATCH: PerCpuArray<Scratch, { SLOTS as usize }> = PerCpuArray::new();

/// The state of one frame.
#[repr(C)]
pub struct Scratch {
    /// 1 while the slot is in use.
    claimed: u64,
    /// The segment that is filtered.
    pub segment: Segment,
    /// The part of the packet that is copied, or added to a checksum.
    pub chunk: Chunk,
}

/// Claims a slot of this CPU; `None` if more programs preempt one another than there are slots.
#[inline(always)]
pub fn claim() -> Option<&'static mut Scratch> {
    for slot in 0..SLOTS {
        let scratch = SCRATCH.get_ptr_mut(slot)?;
        // SAFETY: a map's value; once the exchange has claimed it, no other frame uses it.
        unsafe {
            if instructions::exchange(&raw mut (*scratch).claimed, 1) == 0 {
                return Some(&mut *scratch);
            }
        }
    }
    None
}

/// Releases a slot.
#[inline(always)]
pub fn release(scratch: &mut Scratch) {
    // SAFETY: a valid reference.
    unsafe { instructions::exchange(&raw mut scratch.claimed, 0) };
}

/// A few bytes of a packet, as bytes to copy and as words to add up.
#[repr(C)]
pub struct Chunk {
    cells: [u64; Self::LENGTH / 8],
}

impl Chunk {
    /// How many bytes it has: enough for the longest link header.
    pub const LENGTH: usize = 40;

    /// Fills it with zeros, without a call of `memset`, which takes stack.
    #[inline(always)]
    pub fn clear(&mut self) {
        for cell in &mut self.cells {
            // SAFETY: a valid reference.
            unsafe { core::ptr::write_volatile(cell, 0) };
        }
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&mut self) -> &mut [u8; Self::LENGTH] {
        // SAFETY: as long, and any bits are bytes.
        unsafe { &mut *(&raw mut self.cells).cast() }
    }

    /// Its 32-bit words, in memory order.
    #[inline(always)]
    pub fn words(&self) -> &[u32; Self::LENGTH / 4] {
        // SAFETY: as long and sufficiently aligned, and any bits are numbers.
        unsafe { &*(&raw const self.cells).cast() }
    }
}
