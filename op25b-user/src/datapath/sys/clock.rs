//! What the kernel needs to tell the time of day: the Unix time less the boot-time clock.
//!
//! The program reads the boot-time clock, which nobody can set, and adds this offset. Deadlines in the maps stay
//! plain Unix times; when someone sets the system's clock, one number changes.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds to add to the boot-time clock to get the Unix time, as of now.
///
/// # Errors
///
/// The system's error if a clock cannot be read, which Linux documents for no process.
pub fn boot_to_unix() -> nix::Result<i64> {
    // Read twice around: the boot-time clock in the middle of two readings of the same Unix time is the closest.
    let before = nanoseconds(ClockId::CLOCK_REALTIME)?;
    let boot = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
    let after = nanoseconds(ClockId::CLOCK_REALTIME)?;
    Ok(before + (after - before) / 2 - boot)
}

fn nanoseconds(clock: ClockId) -> nix::Result<i64> {
    let time = clock_gettime(clock)?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
