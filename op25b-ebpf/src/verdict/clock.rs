//! The time: the boot-time clock, read once for each tick of the kernel's timer and not for each packet.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_boot_ns};
use op25b_common::values::Moment;

use crate::maps;

const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;

/// The time since the system was booted, suspended time included, as of this tick (1 to 10 ms).
///
/// Reading the clock takes as long as all other work on a packet together; reading the tick is one load (the verifier
/// replaces the helper by it).
#[inline(always)]
pub fn moment() -> Moment {
    // SAFETY: the helpers have no preconditions.
    let tick = unsafe { bpf_jiffies64() };
    let Some(moment) = maps::MOMENT.get_ptr_mut(0) else {
        return Moment::default();
    };
    // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
    let moment: &mut Moment = unsafe { &mut *moment };
    if moment.tick != tick {
        moment.tick = tick;
        // SAFETY: as above.
        moment.since_boot = unsafe { bpf_ktime_get_boot_ns() };
        moment.seconds = moment.since_boot / NANOSECONDS_A_SECOND;
        moment.bucket = maps::BUCKET.get(0).copied().unwrap_or(0).into();
    }
    *moment
}

/// The Unix time in seconds: the boot-time clock (which no one can set) plus the offset that user space keeps.
///
/// A function of its own, as only what expires needs it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_unix_seconds() -> u64 {
    let offset = maps::CLOCK.get(0).copied().unwrap_or(0);
    moment().since_boot.wrapping_add_signed(offset) / NANOSECONDS_A_SECOND
}
