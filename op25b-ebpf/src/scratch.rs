//! Memory beside the stack, for the state of the slow path and of replies.
//!
//! The stack has 512 bytes for all functions of a path together. A per-CPU map has room for more, and a slot of it belongs
//! to one frame at a time: it is claimed before and released after.
//!
//! One slot would do where XDP programs run with softirqs disabled and so do not interrupt one another on a CPU: a driver's
//! NAPI poll, generic XDP, the threads of cpumap. That is not so everywhere: `PREEMPT_RT` kernels from Linux 6.18 on may
//! preempt softirqs by others on the same CPU (`PREEMPT_RT_NEEDS_BH_LOCK` is off by default), and older kernels run
//! `BPF_PROG_TEST_RUN` with softirqs enabled. A frame that finds a slot claimed takes the next one.

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
        // SAFETY: a map's value; once the exchange has claimed it, nobody else uses it.
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

    /// Fills it with zeros, without a call of `memset`: the kernel has none to offer, and a call takes stack.
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
