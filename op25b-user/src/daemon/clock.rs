//! Telling the program the time of day: its deadlines are times of day, its clock counts from the boot.

use std::time::Duration;

use tracing::warn;

use crate::datapath::{Filter, LoadError, clock};

/// How often the system's clock is compared with the one that the program keeps.
pub(super) const CHECK: Duration = Duration::from_secs(1);
/// A step smaller than this is the clocks' ordinary drift.
const STEP: Duration = Duration::from_millis(500);

/// The offset that was last told.
pub(super) struct Clock {
    offset: i64,
}

impl Clock {
    pub(super) fn new() -> nix::Result<Self> {
        Ok(Self {
            offset: clock::boot_to_unix()?,
        })
    }

    /// Tells the program anew.
    pub(super) fn tell(&mut self, filter: &mut Filter) -> Result<(), LoadError> {
        let now = clock::boot_to_unix()?;
        filter.set_clock(now)?;
        if u128::from(now.abs_diff(self.offset)) > STEP.as_nanos() {
            warn!(
                seconds = (now - self.offset) / 1_000_000_000,
                "the system's clock was set: expiries follow it"
            );
        }
        self.offset = now;
        Ok(())
    }
}
