//! Times of a walk: nanoseconds from its process's first look at the clock, which cannot be set.

use std::{
    fmt,
    sync::LazyLock,
    time::{Duration, Instant},
};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self::after_start(START.elapsed())
    }

    /// So long after the first.
    pub fn after_start(duration: Duration) -> Self {
        // 584 years fit.
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    /// So much earlier.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::after_start(duration).0))
    }

    /// So much later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::after_start(duration).0))
    }

    /// From an earlier one to this one; nothing from a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3}", Duration::from_nanos(self.0).as_secs_f64())
    }
}
