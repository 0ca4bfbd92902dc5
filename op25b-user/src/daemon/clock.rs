//! Keeping the clock of the program right: its expiries are times of day, its clock counts from the boot.
//!
//! The system clock may be set, and the boot-time clock continues while the machine is suspended: in both cases the offset
//! between the two is all that the program needs.

use std::time::Duration;

use jiff::SignedDuration;
use tracing::warn;

use crate::datapath::{Filter, LoadError, clock};

/// How often the offset is read.
pub(super) const CHECK: Duration = Duration::from_secs(1);
/// A smaller change than this is drift.
const STEP: Duration = Duration::from_millis(500);

/// Nanoseconds from the boot-time clock to the Unix time, now.
type Source = Box<dyn FnMut() -> nix::Result<i64>>;

/// The offset that was set last.
pub(super) struct Clock {
    source: Source,
    offset: i64,
}

/// One reading of the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    offset: i64,
    /// By how many nanoseconds the system clock was set, if it was.
    step: Option<i64>,
}

impl Clock {
    /// The clock of the system.
    pub(super) fn new() -> nix::Result<Self> {
        Self::of(Box::new(clock::boot_to_unix))
    }

    fn of(mut source: Source) -> nix::Result<Self> {
        let offset = source()?;
        Ok(Self { source, offset })
    }

    /// By how much the clock of the program differs from the system's.
    pub(super) fn error(&self) -> nix::Result<SignedDuration> {
        let system = clock::boot_to_unix()?;
        Ok(SignedDuration::from_nanos(self.offset.saturating_sub(system)))
    }

    /// Sets the clock of the program.
    pub(super) fn update(&mut self, filter: &mut Filter) -> Result<(), LoadError> {
        let Reading { offset, step } = self.read()?;
        filter.set_clock(offset)?;
        if let Some(step) = step {
            warn!(
                seconds = step / 1_000_000_000,
                "the system clock was set: expiries follow it"
            );
        }
        Ok(())
    }

    fn read(&mut self) -> nix::Result<Reading> {
        let offset = (self.source)()?;
        let step = offset - self.offset;
        self.offset = offset;
        Ok(Reading {
            offset,
            step: (u128::from(step.unsigned_abs()) > STEP.as_nanos()).then_some(step),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn drift_is_followed_silently_and_a_step_is_logged() {
        let start = 1_700_000_000 * SECOND;
        // Drift, NTP putting the clock right by an hour, drift, and an operator setting it back by a day.
        let offsets = [0, 1_000, 3_600 * SECOND, 3_600 * SECOND + 400, -86_400 * SECOND];
        let mut clock = std::iter::once(0).chain(offsets);
        let source = move || Ok(start + clock.next().unwrap());
        let mut clock = Clock::of(Box::new(source)).unwrap();
        let steps = offsets.map(|offset| {
            let reading = clock.read().unwrap();
            assert_eq!(reading.offset, start + offset);
            reading.step
        });
        let forward = 3_600 * SECOND - 1_000;
        let back = -86_400 * SECOND - 3_600 * SECOND - 400;
        assert_eq!(steps, [None, None, Some(forward), None, Some(back)]);
    }
}
