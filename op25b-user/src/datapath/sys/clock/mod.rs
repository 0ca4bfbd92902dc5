//! The clocks: the offset of the time of day from the boot-time clock, which the program adds to get the Unix time.
//!
//! The boot-time clock cannot be set. Expiry times in the maps are plain Unix times; when the system's clock is set, one
//! number changes.

pub(crate) mod sync;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds to add to the boot-time clock to get the Unix time, as of now.
pub fn boot_to_unix() -> nix::Result<i64> {
    // The Unix time is read before and after, and the middle is taken: that halves the error.
    let before = nanoseconds(ClockId::CLOCK_REALTIME)?;
    let boot = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
    let after = nanoseconds(ClockId::CLOCK_REALTIME)?;
    Ok(before + (after - before) / 2 - boot)
}

/// Nanoseconds since the boot, suspended time included.
pub fn since_boot() -> nix::Result<i64> {
    nanoseconds(ClockId::CLOCK_BOOTTIME)
}

fn nanoseconds(clock: ClockId) -> nix::Result<i64> {
    let time = clock_gettime(clock)?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
