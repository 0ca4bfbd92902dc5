//! Telling the program the time of day: its deadlines are times of day, its clock counts from the boot.
//!
//! Somebody may set the system's clock, and a suspended machine's boot-time clock goes on: either way the offset between
//! the two is all that the program has to learn.

use std::time::Duration;

use tracing::warn;

use crate::datapath::{Filter, LoadError, clock};

/// How often the system's clock is compared with the one that the program keeps.
pub(super) const CHECK: Duration = Duration::from_secs(1);
/// A step smaller than this is the clocks' ordinary drift.
const STEP: Duration = Duration::from_millis(500);

/// Nanoseconds from the boot-time clock to the Unix time, now.
type Source = Box<dyn FnMut() -> nix::Result<i64>>;

/// The offset that was last told.
pub(super) struct Clock {
    source: Source,
    offset: i64,
}

/// What was found out about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    offset: i64,
    /// By how many nanoseconds the system's clock was set, if it was.
    step: Option<i64>,
}

impl Clock {
    /// The system's.
    pub(super) fn new() -> nix::Result<Self> {
        Self::of(Box::new(clock::boot_to_unix))
    }

    fn of(mut source: Source) -> nix::Result<Self> {
        let offset = source()?;
        Ok(Self { source, offset })
    }

    /// Tells the program anew.
    pub(super) fn tell(&mut self, filter: &mut Filter) -> Result<(), LoadError> {
        let Reading { offset, step } = self.read()?;
        filter.set_clock(offset)?;
        if let Some(step) = step {
            warn!(
                seconds = step / 1_000_000_000,
                "the system's clock was set: expiries follow it"
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
    fn drift_is_followed_in_silence_and_a_step_with_a_word() {
        let start = 1_700_000_000 * SECOND;
        // Drift, NTP putting the clock right by an hour, drift, and somebody setting it back by a day.
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
